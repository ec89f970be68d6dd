//! What the store said, as a type: its status and error code, not its text.
//!
//! `object_store` keeps an HTTP status to itself unless it maps it to a variant, so our connector
//! sits between it and the HTTP client: an answer that is no success becomes an [`Answer`], which
//! [`verdict`] finds again in the chain of sources. The connector also notes the store's clock.
//! Not trusted: the answer's body (at most 16 KiB are read, and of them only the error code).

use async_trait::async_trait;
use futures_util::StreamExt;
use jiff::Timestamp;
use object_store::ClientOptions;
use object_store::client::{
    HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse, HttpService,
    ReqwestConnector,
};
use std::error::Error;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

/// More of an error's body is not read, in bytes.
const BODY_LIMIT: usize = 16 * 1024;

/// An answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the store answered {status}{}", code.as_deref().map(|c| format!(" {c}")).unwrap_or_default())]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// The store's own code, such as `AccessDenied`; a HEAD has none.
    pub code: Option<String>,
    /// The region that S3 says the bucket is in.
    pub region: Option<String>,
    /// The body speaks of the key service.
    pub kms: bool,
    /// Seconds that our clock was ahead of the store's.
    pub skew: Option<i64>,
}

/// The difference between our clock and the store's.
#[derive(Debug)]
pub struct Skew(AtomicI64);

impl Default for Skew {
    fn default() -> Self {
        Self(AtomicI64::new(i64::MIN))
    }
}

impl Skew {
    /// Seconds that our clock is ahead of the store's; `None` before the first answer.
    #[must_use]
    pub fn seconds(&self) -> Option<i64> {
        Some(self.0.load(Ordering::Relaxed)).filter(|seconds| *seconds != i64::MIN)
    }

    fn note(&self, response: &HttpResponse) {
        if let Some(seconds) = ahead(response) {
            self.0.store(seconds, Ordering::Relaxed);
        }
    }
}

/// Seconds that our clock is ahead of an answer's.
fn ahead(response: &HttpResponse) -> Option<i64> {
    let date = response.headers().get("date")?.to_str().ok()?;
    let theirs = jiff::fmt::rfc2822::parse(date).ok()?;
    Some(Timestamp::now().as_second() - theirs.timestamp().as_second())
}

/// Makes HTTP clients whose failures can be read by [`verdict`].
#[derive(Debug, Default)]
pub struct Connector {
    skew: Arc<Skew>,
}

impl Connector {
    /// A connector that notes the store's clock.
    #[must_use]
    pub fn new(skew: Arc<Skew>) -> Self {
        Self { skew }
    }
}

impl HttpConnector for Connector {
    fn connect(&self, options: &ClientOptions) -> object_store::Result<HttpClient> {
        // An error means that somebody chose a provider before us, which is as good.
        let _chosen = rustls::crypto::ring::default_provider().install_default();
        let inner = ReqwestConnector::default().connect(options)?;
        Ok(HttpClient::new(Listening { inner, skew: self.skew.clone() }))
    }
}

#[derive(Debug)]
struct Listening {
    inner: HttpClient,
    skew: Arc<Skew>,
}

#[async_trait]
impl HttpService for Listening {
    async fn call(&self, request: HttpRequest) -> Result<HttpResponse, HttpError> {
        let response = self.inner.execute(request).await?;
        self.skew.note(&response);
        if response.status().is_success() {
            return Ok(response);
        }
        Err(HttpError::new(HttpErrorKind::Unknown, read_answer(response).await))
    }
}

async fn read_answer(response: HttpResponse) -> Answer {
    let header = |name: &str| {
        let value = response.headers().get(name)?.to_str().ok()?;
        Some(plain(value))
    };
    let (status, skew) = (response.status().as_u16(), ahead(&response));
    let region = header("x-amz-bucket-region");
    let code = header("x-ms-error-code");
    let body = read_body(response).await;
    let code = code.or_else(|| element(&body, "Code"));
    Answer { status, code, region, kms: body.contains("kms:") || body.contains("KMS"), skew }
}

/// The start of an error's body; an error in the middle leaves what there was.
async fn read_body(response: HttpResponse) -> String {
    let mut stream = response.into_body().bytes_stream();
    let mut body = Vec::new();
    while let Some(Ok(chunk)) = stream.next().await {
        let room = BODY_LIMIT.saturating_sub(body.len()).min(chunk.len());
        body.extend_from_slice(chunk.get(..room).unwrap_or_default());
        if body.len() >= BODY_LIMIT {
            break;
        }
    }
    String::from_utf8_lossy(&body).into_owned()
}

/// The text of the first `<name>` element.
fn element(body: &str, name: &str) -> Option<String> {
    let (_, rest) = body.split_once(&format!("<{name}>"))?;
    let (text, _) = rest.split_once(&format!("</{name}>"))?;
    Some(plain(text))
}

/// At most 64 printable characters that no log line or terminal can trip over.
fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || ".-_".contains(*c)).take(64).collect()
}

/// What a failed request means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// 409, 412, or an existing file: the name may be taken.
    Exists,
    /// Nothing is there.
    Missing,
    /// The store refused, and says why.
    Refused(Answer),
    /// The server is not one that we trust.
    Certificate(String),
    /// No keys to sign with.
    Credentials(String),
    /// The folder cannot be written.
    Folder(io::ErrorKind, String),
    /// The setting itself is wrong.
    Setting(String),
    /// Busy, away, cut off: it will pass.
    Passing(String),
}

/// Sorts a failure.
#[must_use]
pub fn verdict(error: &object_store::Error) -> Verdict {
    if let Some(found) = find::<super::credentials::CredentialError>(error) {
        return Verdict::Credentials(found.to_string());
    }
    if let Some(answer) = find::<Answer>(error) {
        return of_answer(answer);
    }
    if let Some(found) = certificate(error) {
        return Verdict::Certificate(found);
    }
    match error {
        object_store::Error::AlreadyExists { .. } | object_store::Error::Precondition { .. } => {
            Verdict::Exists
        }
        object_store::Error::NotFound { .. } => Verdict::Missing,
        object_store::Error::NotImplemented { .. }
        | object_store::Error::NotSupported { .. }
        | object_store::Error::InvalidPath { .. } => Verdict::Setting(root(error)),
        _ => match find::<io::Error>(error) {
            Some(found) if find::<HttpError>(error).is_none() => {
                Verdict::Folder(found.kind(), found.to_string())
            }
            _ => Verdict::Passing(away(error)),
        },
    }
}

fn of_answer(answer: &Answer) -> Verdict {
    match answer.status {
        409 | 412 => Verdict::Exists,
        404 if answer.code.as_deref() != Some("NoSuchBucket") => Verdict::Missing,
        408 | 429 | 500 | 502..=599 => Verdict::Passing(answer.to_string()),
        400 if is_damage_on_the_way(answer) => Verdict::Passing(answer.to_string()),
        _ => Verdict::Refused(answer.clone()),
    }
}

fn is_damage_on_the_way(answer: &Answer) -> bool {
    matches!(
        answer.code.as_deref(),
        Some(
            "RequestTimeout"
                | "IncompleteBody"
                | "BadDigest"
                | "InvalidDigest"
                | "XAmzContentSHA256Mismatch"
                | "XAmzContentChecksumMismatch"
        )
    )
}

/// The first error of a type in the chain of sources.
fn find<E: Error + 'static>(error: &object_store::Error) -> Option<&E> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// A TLS error hides inside an [`io::Error`] (or one within another), which does not name it as
/// its source.
fn certificate(error: &object_store::Error) -> Option<String> {
    let mut next: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = next {
        if let Some(tls) = tls_error(error) {
            return matches!(tls, rustls::Error::InvalidCertificate(_)).then(|| tls.to_string());
        }
        next = error.source();
    }
    None
}

fn tls_error<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    if let Some(tls) = error.downcast_ref::<rustls::Error>() {
        return Some(tls);
    }
    let inner = error.downcast_ref::<io::Error>()?.get_ref()?;
    tls_error(inner)
}

/// Why there was no answer; where nobody was met at all, with what to look at.
fn away(error: &object_store::Error) -> String {
    let root = root(error);
    match find::<HttpError>(error).map(HttpError::kind) {
        Some(HttpErrorKind::Connect) => format!(
            "the store cannot be reached ({root}): check the network, DNS and proxy between, and AWS_ENDPOINT_URL if it is set"
        ),
        _ => root,
    }
}

/// The innermost reason, which names no URL.
fn root(error: &object_store::Error) -> String {
    let mut last: &(dyn Error + 'static) = error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string().chars().filter(|c| !c.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn error(status: u16, code: Option<&str>) -> object_store::Error {
        let code = code.map(str::to_owned);
        let answer = Answer { status, code, region: None, kms: false, skew: None };
        let source = Box::new(HttpError::new(HttpErrorKind::Unknown, answer));
        object_store::Error::Generic { store: "S3", source }
    }

    #[test]
    fn a_conflict_and_a_failed_precondition_are_alike() {
        assert_eq!(verdict(&error(409, Some("ConditionalRequestConflict"))), Verdict::Exists);
        assert_eq!(verdict(&error(412, Some("PreconditionFailed"))), Verdict::Exists);
    }

    #[test]
    fn what_passes_by_itself_is_told_from_what_somebody_must_repair() {
        for (status, code) in [(500, None), (503, Some("SlowDown")), (429, None), (408, None)] {
            assert!(matches!(verdict(&error(status, code)), Verdict::Passing(_)), "{status}");
        }
        let damaged = verdict(&error(400, Some("BadDigest")));
        assert!(matches!(damaged, Verdict::Passing(_)));
        for (status, code) in [(403, None), (400, None), (301, None), (501, None), (413, None)] {
            assert!(matches!(verdict(&error(status, code)), Verdict::Refused(_)), "{status}");
        }
        assert_eq!(verdict(&error(404, None)), Verdict::Missing);
        let bucket = verdict(&error(404, Some("NoSuchBucket")));
        assert!(matches!(bucket, Verdict::Refused(_)));
    }

    #[test]
    fn the_error_code_is_read_from_the_body_and_nothing_else_of_it() {
        let body =
            "<?xml version=\"1.0\"?><Error><Code>Access\nDenied</Code><Message>secret</Message>";
        assert_eq!(element(body, "Code").as_deref(), Some("AccessDenied"));
        assert_eq!(element("no xml", "Code"), None);
    }

    #[test]
    fn a_folder_that_may_not_be_written_is_recognised() {
        let inner = io::Error::from(io::ErrorKind::PermissionDenied);
        let error = object_store::Error::Generic { store: "LocalFileSystem", source: inner.into() };
        let expected = io::ErrorKind::PermissionDenied;
        assert!(matches!(verdict(&error), Verdict::Folder(kind, _) if kind == expected));
    }
}
