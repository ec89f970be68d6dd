//! What AWS must allow the program: writing and looking at its own objects, nothing else.

use crate::config::Settings;
use crate::config::settings::{Encryption, Place};
use serde_json::{Value, json};

/// The least policy for these settings, as JSON.
#[must_use]
pub fn policy(settings: &Settings) -> Value {
    let own = &settings.destination;
    let bucket = match &own.place {
        Place::S3 { bucket } => bucket.as_str(),
        _ => "",
    };
    let arn = format!("arn:{}:s3:::{bucket}", partition(settings));
    let prefixes = [&own.events, &own.quarantine, &own.logs, &own.manifests];
    let objects: Vec<_> = prefixes.iter().map(|prefix| format!("{arn}/{prefix}*")).collect();
    let mut statements = vec![
        json!({ "Effect": "Allow", "Action": ["s3:PutObject", "s3:GetObject"], "Resource": objects }),
        json!({ "Effect": "Allow", "Action": "s3:ListBucket", "Resource": arn }),
    ];
    statements.extend(key(settings));
    json!({ "Version": "2012-10-17", "Statement": statements })
}

fn key(settings: &Settings) -> Option<Value> {
    let key = match &settings.upload.aws.encryption {
        Some(Encryption::Kms(key) | Encryption::KmsDsse(key)) => key.as_deref(),
        _ => return None,
    };
    // An id or an alias is no ARN; "*" is narrowed by the key's own policy.
    let resource = key.filter(|key| key.starts_with("arn:")).unwrap_or("*");
    let action = ["kms:GenerateDataKey", "kms:Decrypt"];
    Some(json!({ "Effect": "Allow", "Action": action, "Resource": resource }))
}

fn partition(settings: &Settings) -> &'static str {
    match settings.upload.aws.region.as_deref() {
        Some(region) if region.starts_with("cn-") => "aws-cn",
        Some(region) if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}
