//! What S3 needs beside the bucket. Whatever is not typed is left to the usual chain.

use super::Env;
use super::reader::{Reader, Wrong, typed};
use super::settings::{Aws, Encryption, Place, Settings};
use super::typed::Aws as Typed;
use url::Url;

const ENDPOINT_REMEDY: &str = "Allowed: http://host:port or https://host:port.";
const REGION_REMEDY: &str = "Allowed: letters, digits and hyphens, as in eu-central-1.";

pub(super) fn read(reader: &mut Reader, given: &Typed, env: &Env) -> Aws {
    let region = typed(&given.aws_region).or(env.get("AWS_DEFAULT_REGION")).map(str::to_owned);
    Aws {
        access_key_id: env.get("AWS_ACCESS_KEY_ID").map(str::to_owned),
        secret_access_key: env.secret("AWS_SECRET_ACCESS_KEY"),
        session_token: env.secret("AWS_SESSION_TOKEN"),
        region: reader.value("AWS_REGION", &region, REGION_REMEDY, region_name),
        profile: typed(&given.aws_profile).map(str::to_owned),
        endpoint: reader.value(
            "AWS_ENDPOINT_URL",
            &given.aws_endpoint_url,
            ENDPOINT_REMEDY,
            endpoint,
        ),
        encryption: encryption(reader, given),
    }
}

/// Credentials come in pairs, from the environment or from Docker's secrets.
pub(super) fn fit(reader: &mut Reader, settings: &Settings, env: &Env) {
    let has = |variable: &str, file: &str| {
        env.get(variable).is_some() || env.secrets_folder().join(file).exists()
    };
    let (id, secret) = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY");
    let pair = (has(id, "aws_access_key_id"), has(secret, "aws_secret_access_key"));
    if !matches!(settings.destination.place, Place::S3 { .. }) {
        return;
    }
    let remedy = "Set both, or neither to use a profile, a role or Docker secrets.";
    match pair {
        (true, false) => {
            reader.problem(secret, None, "is missing beside AWS_ACCESS_KEY_ID", remedy)
        }
        (false, true) => {
            reader.problem(id, None, "is missing beside AWS_SECRET_ACCESS_KEY", remedy)
        }
        _ => {}
    }
}

fn region_name(text: &str) -> Result<String, Wrong> {
    let known = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    match text.bytes().all(known) && text.len() <= 64 {
        true => Ok(text.to_owned()),
        false => Err("is not the name of a region".into()),
    }
}

/// Reads the address of another S3.
///
/// # Errors
/// Why it is none: the end of a sentence that begins with `AWS_ENDPOINT_URL`.
pub fn endpoint(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("is not a URL ({error})"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err("is not an http or https URL".into());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(
            "carries a user or password; keys go into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
                .into(),
        );
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has something behind the path".into());
    }
    Ok(url)
}

fn encryption(reader: &mut Reader, given: &Typed) -> Option<Encryption> {
    let key = typed(&given.aws_sse_kms_key_id).map(str::to_owned);
    let kinds = [
        ("AES256", Encryption::Aes256),
        ("aws:kms", Encryption::Kms(key.clone())),
        ("aws:kms:dsse", Encryption::KmsDsse(key.clone())),
    ];
    let kind = reader.choice("AWS_SSE", &given.aws_sse, &kinds);
    if kind == Some(Encryption::Aes256) && key.is_some() {
        let remedy = "Set AWS_SSE=aws:kms, or leave the key out.";
        reader.problem(
            "AWS_SSE_KMS_KEY_ID",
            key.as_deref(),
            "is not used by AWS_SSE=AES256",
            remedy,
        );
    }
    kind.or_else(|| key.map(|key| Encryption::Kms(Some(key))))
}
