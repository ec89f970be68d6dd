//! Says what to do about a failure, by what the store answered: plain functions of the answer.

use super::PutError;
use crate::upload::answer::{Answer, Verdict};
use crate::upload::destination::Place;
use std::io;

/// S3 refuses requests of a clock that is further off, in seconds.
const REFUSED_SKEW: u64 = 15 * 60;

/// What was asked of the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doing {
    Put,
    Head,
}

/// Says what to do about a failure.
pub(super) fn sort(doing: Doing, place: &Place, verdict: Verdict) -> PutError {
    let at = &place.url;
    match verdict {
        Verdict::Passing(why) => PutError::Retry(format!("{at}: {why}")),
        Verdict::Exists => PutError::Retry(format!("{at}: the store is busy with this name")),
        Verdict::Missing => PutError::Misconfigured(no_bucket(at)),
        Verdict::Refused(answer) => PutError::Misconfigured(advice(doing, at, &answer)),
        Verdict::Credentials(why) => PutError::Misconfigured(why),
        Verdict::Certificate(why) => PutError::Misconfigured(format!(
            "{at}: the server's certificate is not trusted ({why}): add its authority to the \
             system's certificates or name it in SSL_CERT_FILE"
        )),
        Verdict::Setting(why) => PutError::Misconfigured(format!("{at}: {why}")),
        Verdict::Folder(kind, why) => folder(at, kind, &why),
    }
}

fn no_bucket(at: &str) -> String {
    format!("{at}: the bucket does not exist: create it or correct BUCKET_NAME or DESTINATION")
}

fn folder(at: &str, kind: io::ErrorKind, why: &str) -> PutError {
    use io::ErrorKind as E;
    let what = match kind {
        E::PermissionDenied => "the folder may not be written: give this process the right to",
        E::ReadOnlyFilesystem => "the file system is read-only: mount it for writing",
        E::StorageFull | E::QuotaExceeded => "the folder's disk is full: make room",
        E::Unsupported => "the folder's file system has no hard links: use another one",
        E::NotADirectory => "part of the path is a file: remove it or correct DESTINATION",
        _ => return PutError::Retry(format!("{at}: {why}")),
    };
    PutError::Misconfigured(format!("{at}: {what} ({why})"))
}

fn advice(doing: Doing, at: &str, answer: &Answer) -> String {
    let code = answer.code.as_deref().unwrap_or_default();
    let what = match (answer.status, code) {
        (_, "RequestTimeTooSkewed" | "RequestExpired") => wrong_clock(answer),
        // The answer to a HEAD has no code.
        (403, "") if answer.skew.is_some_and(|s| s.unsigned_abs() > REFUSED_SKEW) => {
            wrong_clock(answer)
        }
        (_, "ExpiredToken" | "TokenRefreshRequired") => {
            String::from("the credentials have expired: renew AWS_SESSION_TOKEN or the profile")
        }
        (_, "InvalidAccessKeyId" | "InvalidToken" | "InvalidClientTokenId") => {
            String::from("the store does not know the access key: correct the credentials")
        }
        (_, "SignatureDoesNotMatch") => {
            String::from("the secret key does not fit the access key: correct the credentials")
        }
        (_, "NoSuchBucket") => return no_bucket(at),
        (_, code) if code.starts_with("KMS.") => kms(),
        (403, _) if answer.kms => kms(),
        (401 | 403, _) => denied(doing),
        (301 | 307, _) => region(answer),
        (400, "AuthorizationHeaderMalformed" | "IllegalLocationConstraintException" | "") => {
            region(answer)
        }
        (413, _) | (_, "EntityTooLarge") => String::from(
            "the object is larger than the store or a proxy allows: lower MAX_FILE_SIZE or raise \
             the limit there",
        ),
        (404, _) => return no_bucket(at),
        _ => String::from("check the destination and its settings"),
    };
    format!("{at}: {answer}: {what}")
}

fn wrong_clock(answer: &Answer) -> String {
    let by = match answer.skew {
        Some(ahead @ 1..) => format!(" ({ahead} s ahead of the store's)"),
        Some(behind @ ..=-1) => format!(" ({} s behind the store's)", behind.unsigned_abs()),
        Some(0) | None => String::new(),
    };
    format!("this machine's clock is wrong{by}: set it (NTP)")
}

fn denied(doing: Doing) -> String {
    let hint = match doing {
        Doing::Put => "",
        Doing::Head => {
            "; s3:ListBucket on the bucket as well, so that \"not there\" can be told from \"not allowed\""
        }
    };
    format!(
        "allow s3:PutObject and s3:GetObject on this prefix in the policy of the key or of the \
         bucket{hint}"
    )
}

fn kms() -> String {
    String::from(
        "the key of AWS_SSE_KMS_KEY_ID or of the bucket cannot be used: allow kms:GenerateDataKey \
         and kms:Decrypt on it, and see that it is enabled and in the bucket's region",
    )
}

fn region(answer: &Answer) -> String {
    match &answer.region {
        Some(region) => format!("the bucket is in {region}: set AWS_REGION={region}"),
        None => String::from("the bucket is probably in another region: set AWS_REGION to it"),
    }
}
