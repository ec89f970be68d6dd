//! What can be wrong with a store, and when: the list that the drills choose from.
//!
//! A [`Rule`] says which requests meet a [`Fault`]. Rules are plain data; the server obeys them.

use std::time::Duration;

/// One way in which a store fails its user.
#[derive(Debug, Clone, PartialEq)]
pub enum Fault {
    /// 403 AccessDenied.
    Denied,
    /// 404 NoSuchBucket.
    NoSuchBucket,
    /// 503 SlowDown.
    SlowDown,
    /// 500 InternalError.
    Internal,
    /// 409 ConditionalRequestConflict: another write to this key is under way.
    Conflict,
    /// 403 RequestTimeTooSkewed, from a store whose clock is an hour ahead of ours.
    ClockSkew,
    /// 400 AuthorizationHeaderMalformed: the bucket lives in another region.
    WrongRegion,
    /// 301 PermanentRedirect: the bucket is to be asked at another address.
    Moved,
    /// 400 KMS.DisabledException.
    KmsDisabled,
    /// 501 NotImplemented to a PUT with `If-None-Match`; other requests pass.
    RefuseConditions,
    /// A server that does not know `If-None-Match`: it overwrites and answers 200.
    IgnoreConditions,
    /// A server that drops user metadata.
    DropMetadata,
    /// 200 without an ETag.
    NoETag,
    /// Reads the first bytes of the body, then nothing, for ever.
    HangInBody,
    /// Stores, sends half of the answer's head, then nothing, for ever.
    HangInAnswer,
    /// Resets the connection (RST) after the first bytes of the body; nothing is stored.
    Reset,
    /// Stores, sends half of the answer's head and closes.
    HalfAnswer,
    /// Stores and resets the connection without an answer.
    LoseAnswer,
    /// Takes the whole request, loses the connection, and stores this much later. Until then the
    /// key is not there (HEAD: 404), and a PUT to it meets 409.
    CommitLate(Duration),
    /// Answers as it should, by a clock that is this far ahead of ours.
    ClockAhead(Duration),
    /// Waits this long before it does what was asked.
    Slow(Duration),
    /// Reads bodies at this many bytes a second.
    Trickle(u64),
}

impl Fault {
    /// Status, code and text of a fault that is an answer by itself.
    pub fn answer(&self) -> Option<(u16, &'static str, &'static str)> {
        Some(match self {
            Self::Denied => (403, "AccessDenied", "Access Denied"),
            Self::NoSuchBucket => (404, "NoSuchBucket", "The specified bucket does not exist"),
            Self::SlowDown => (503, "SlowDown", "Please reduce your request rate."),
            Self::Internal => (500, "InternalError", "We encountered an internal error."),
            Self::Conflict => (
                409,
                "ConditionalRequestConflict",
                "The conditional request cannot succeed due to a conflicting operation",
            ),
            Self::ClockSkew => (
                403,
                "RequestTimeTooSkewed",
                "The difference between the request time and the current time is too large.",
            ),
            Self::WrongRegion => (
                400,
                "AuthorizationHeaderMalformed",
                "The authorization header is malformed; the region 'us-east-1' is wrong; \
                 expecting 'eu-central-1'",
            ),
            Self::Moved => (
                301,
                "PermanentRedirect",
                "The bucket must be addressed using the specified endpoint.",
            ),
            Self::KmsDisabled => (400, "KMS.DisabledException", "The key is disabled."),
            Self::RefuseConditions => {
                (501, "NotImplemented", "A header you provided implies functionality we lack")
            }
            _ => return None,
        })
    }
}

/// Which requests meet a fault.
#[derive(Debug, Clone)]
pub struct Rule {
    fault: Fault,
    prefix: String,
    method: Option<&'static str>,
    skip: u32,
    times: u32,
    every: u32,
    seen: u32,
}

impl Rule {
    /// Every request meets it, until the store is healed.
    pub fn always(fault: Fault) -> Self {
        Self {
            fault,
            prefix: String::new(),
            method: None,
            skip: 0,
            times: u32::MAX,
            every: 1,
            seen: 0,
        }
    }

    /// Only keys with this prefix.
    pub fn at(self, prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), ..self }
    }

    /// Only PUT requests.
    pub fn puts(self) -> Self {
        Self { method: Some("PUT"), ..self }
    }

    /// Only HEAD requests.
    pub fn heads(self) -> Self {
        Self { method: Some("HEAD"), ..self }
    }

    /// Only the first `times` requests that the rest of the rule fits.
    pub fn times(self, times: u32) -> Self {
        Self { times, ..self }
    }

    /// Only every n-th request that the rest of the rule fits; the first one is spared.
    pub fn every(self, every: u32) -> Self {
        Self { every, skip: every - 1, ..self }
    }

    /// Counts this request and says what happens to it.
    pub fn meets(&mut self, method: &str, key: &str) -> Option<Fault> {
        if !key.starts_with(&self.prefix) || self.method.is_some_and(|only| only != method) {
            return None;
        }
        let number = self.seen;
        self.seen += 1;
        let due = number >= self.skip && (number - self.skip).is_multiple_of(self.every);
        (due && (number - self.skip) / self.every < self.times).then(|| self.fault.clone())
    }
}
