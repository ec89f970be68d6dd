//! What AWS must allow: who may take the role, and what the role may do.
//!
//! Least: reading the event objects (and the manifests, where there are any), nothing else.

use super::Plan;
use serde_json::{Value, json};

/// Stands where the user from `DESC INTEGRATION` belongs; AWS refuses it.
const USER_PLACEHOLDER: &str = "<STORAGE_AWS_IAM_USER_ARN from DESC INTEGRATION>";

/// Who may take the role.
pub(super) fn trust(plan: &Plan<'_>) -> Value {
    json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "AWS": USER_PLACEHOLDER },
            "Action": "sts:AssumeRole",
            "Condition": { "StringEquals": { "sts:ExternalId": plan.external_id } }
        }]
    })
}

/// What the role may do.
pub(super) fn permissions(plan: &Plan<'_>) -> Value {
    let prefixes = prefixes(plan);
    let bucket = format!("arn:{}:s3:::{}", plan.partition(), plan.target.bucket);
    let objects: Vec<_> = prefixes.iter().map(|p| format!("{bucket}/{p}")).collect();
    json!({
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["s3:GetObject", "s3:GetObjectVersion"],
                "Resource": objects
            },
            {
                "Effect": "Allow",
                "Action": "s3:ListBucket",
                "Resource": bucket,
                "Condition": { "StringLike": { "s3:prefix": prefixes } }
            },
            { "Effect": "Allow", "Action": "s3:GetBucketLocation", "Resource": bucket }
        ]
    })
}

/// JSON as a person reads it, with its last line ended.
pub(super) fn text(policy: &Value) -> String {
    format!("{policy:#}\n")
}

/// Each prefix as an IAM pattern for everything under it.
fn prefixes(plan: &Plan<'_>) -> Vec<String> {
    let target = plan.target;
    let manifests = target.form.manifest_object.then_some(&target.manifest_prefix);
    let all = std::iter::once(&target.prefix).chain(manifests);
    all.map(|p| format!("{}/*", verbatim(p.trim_end_matches('/')))).collect()
}

/// IAM's own way to write the characters that are special in its patterns.
fn verbatim(prefix: &str) -> String {
    prefix
        .chars()
        .map(|c| match c {
            '*' | '?' | '$' => format!("${{{c}}}"),
            c => c.to_string(),
        })
        .collect()
}
