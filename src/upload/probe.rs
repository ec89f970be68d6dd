//! Whether a store keeps the condition of a PUT: tried before the first upload, not assumed.
//!
//! A probe object under the quarantine prefix is put twice with `If-None-Match: *`; the second must
//! be refused, and its metadata must come back. One that an earlier process left answers at once.
//! Where the policy forbids the probe, Amazon itself is trusted; another server is
//! [`Way::Unproven`] until it was seen to refuse. Folders, Google and Azure keep conditions by design.

use super::Pace;
use super::answer::{Answer, Verdict, verdict};
use super::destination::{Destination, Place};
use super::key::{CHECKSUM, SEGMENT};
use super::plan::Kind;
use super::put::{Asked, Mark, Object, PutError, Sent, Way, ask, send};
use crate::base::checksum::Checksum;
use crate::spool::Lane;
use bytes::Bytes;
use object_store::path::Path;
use object_store::{Attribute, Attributes, ObjectStoreExt, PutMode, PutOptions, PutPayload};
use tokio::sync::Mutex;
use tokio::time::Instant;

/// The probe object's name behind the quarantine prefix.
pub const NAME: &str = "conditional-put.probe";
/// Tries of each step of the probe.
const TRIES_A_STEP: u32 = 3;
const BODY: &[u8] =
    b"xml-stream-aggregator wrote this to see whether the store keeps If-None-Match.\n";
const IDENTITY: &str = "probe";

/// What is known about a destination.
#[derive(Debug, Default)]
pub struct Probe(Mutex<State>);

#[derive(Debug, Default, Clone)]
enum State {
    #[default]
    Unknown,
    Known(bool),
    /// The policy forbids it; asked again after this instant.
    Forbidden(Instant),
    /// There was no answer, found out at this instant.
    Failed(Instant, PutError),
}

impl Probe {
    /// How to put objects there; asks the store if it is not known yet.
    ///
    /// # Errors
    /// The store gave no answer.
    pub async fn way(&self, destination: &Destination, pace: &Pace) -> Result<Way, PutError> {
        if destination.kind() != Kind::S3 {
            return Ok(Way::Conditional);
        }
        let asked = Instant::now();
        let mut state = self.0.lock().await; // the others wait for the one answer
        match &*state {
            State::Known(conditions) => return Ok(way(*conditions)),
            State::Forbidden(again) if asked < *again => return Ok(unproven(destination)),
            State::Failed(at, error) if asked < *at => return Err(error.clone()),
            State::Unknown | State::Forbidden(_) | State::Failed(..) => {}
        }
        let found = probe(destination.place(Lane::Quarantine), pace).await;
        let now = Instant::now();
        let (next, result) = match found {
            Ok(conditions) => {
                tell(conditions, destination);
                (State::Known(conditions), Ok(way(conditions)))
            }
            Err(PutError::Misconfigured(_)) => {
                (State::Forbidden(now + pace.cap), Ok(unproven(destination)))
            }
            Err(error) => (State::Failed(now, error.clone()), Err(error)),
        };
        *state = next;
        result
    }

    /// An upload has shown what the store does.
    pub async fn learned(&self, conditions: bool, destination: &Destination) {
        tell(conditions, destination);
        *self.0.lock().await = State::Known(conditions);
    }
}

fn tell(conditions: bool, destination: &Destination) {
    if !conditions {
        tracing::warn!(
            destination = destination.place(Lane::Events).url,
            "the store does not keep If-None-Match: object names carry the segment's identity, so \
             that no other writer can meet them"
        );
    }
}

fn way(conditions: bool) -> Way {
    if conditions { Way::Conditional } else { Way::Unconditional { own_name: true } }
}

fn unproven(destination: &Destination) -> Way {
    if destination.is_known_to_condition() { Way::Conditional } else { Way::Unproven }
}

/// What a person wants to know before the first event: each request on its own.
#[derive(Debug)]
pub struct Trial {
    /// A PUT without condition.
    pub put: Result<(), PutError>,
    /// A HEAD that shows the metadata; false: it came back without.
    pub head: Result<bool, PutError>,
    /// A PUT with `If-None-Match: *` on a taken name; false: it was not refused.
    pub conditional: Result<bool, PutError>,
    /// The store refused the PUT or the HEAD for want of a permission (401 or 403).
    pub denied: bool,
}

/// The object that [`trial`] writes behind the quarantine prefix.
pub const TRIAL: &str = "check.probe";

/// Puts, asks and puts again an object outside the loaded prefix; it stays there.
pub async fn trial(destination: &Destination, pace: &Pace) -> Trial {
    let place = destination.place(Lane::Quarantine);
    let key = Path::from(format!("{}{TRIAL}", place.prefix));
    let mut object = object();
    object.mark.files.push((BODY.len() as u64, object.mark.checksum));
    if place.kind == Kind::Folder {
        object.attributes = Attributes::new();
    }
    let put = send(place, &key, &object, PutMode::Overwrite, pace).await.map(|_| ());
    let head = ask(place, &key, &object.mark, pace).await.map(|asked| asked == Asked::Ours);
    let conditional = send(place, &key, &object, PutMode::Create, pace).await;
    let failed = put.is_err() || head.is_err();
    Trial {
        denied: failed && is_denied(place, &key).await,
        put,
        head,
        conditional: conditional.map(|sent| sent == Sent::Exists),
    }
}

async fn is_denied(place: &Place, key: &Path) -> bool {
    let options = PutOptions { mode: PutMode::Overwrite, ..PutOptions::default() };
    let put = place.store.put_opts(key, Bytes::from_static(BODY).into(), options).await.err();
    // A HEAD's refusal has no code, so it is asked only where the PUT's does not tell.
    let refused = match put {
        Some(error) => Some(error),
        None => place.store.head(key).await.err(),
    };
    refused.is_some_and(|error| match verdict(&error) {
        Verdict::Refused(answer) => is_permission(&answer),
        _ => false,
    })
}

/// Other codes of a 403 mean keys or clocks.
fn is_permission(answer: &Answer) -> bool {
    let code = answer.code.as_deref();
    matches!(answer.status, 401 | 403)
        && matches!(code, None | Some("AccessDenied" | "AllAccessDisabled"))
}

async fn probe(place: &Place, pace: &Pace) -> Result<bool, PutError> {
    let Ok(key) = Path::parse(format!("{}{NAME}", place.prefix)) else { return Ok(false) };
    let object = object();
    let refused = match put_patiently(place, &key, &object, pace).await? {
        Sent::Stored => put_patiently(place, &key, &object, pace).await?,
        other => other,
    };
    if refused != Sent::Exists {
        return Ok(false);
    }
    match ask_patiently(place, &key, &object.mark, pace).await? {
        Asked::Ours => Ok(true),
        Asked::Other { .. } => Ok(false),
        Asked::Missing => {
            let why = "the probe object is said to be there and not to be there";
            Err(PutError::Retry(format!("{}: {why}", place.url)))
        }
    }
}

/// A step of the probe is tried a few times: against a store that fails every other request, a probe
/// that began anew each time would never come to its end, and nothing would ever be delivered.
async fn put_patiently(
    place: &Place,
    key: &Path,
    object: &Object,
    pace: &Pace,
) -> Result<Sent, PutError> {
    for _ in 1..TRIES_A_STEP {
        match send(place, key, object, PutMode::Create, pace).await {
            Err(PutError::Retry(_)) => {}
            decided => return decided,
        }
    }
    send(place, key, object, PutMode::Create, pace).await
}

async fn ask_patiently(
    place: &Place,
    key: &Path,
    mark: &Mark,
    pace: &Pace,
) -> Result<Asked, PutError> {
    for _ in 1..TRIES_A_STEP {
        match ask(place, key, mark, pace).await {
            Err(PutError::Retry(_)) => {}
            decided => return decided,
        }
    }
    ask(place, key, mark, pace).await
}

fn object() -> Object {
    let checksum = Checksum::of(BODY);
    let attributes = Attributes::from_iter([
        (Attribute::ContentType, String::from("text/plain")),
        (Attribute::Metadata(SEGMENT.into()), IDENTITY.to_owned()),
        (Attribute::Metadata(CHECKSUM.into()), checksum.to_string()),
    ]);
    let mark = Mark { segment: IDENTITY.to_owned(), checksum, files: Vec::new(), own_name: false };
    Object { payload: PutPayload::from_static(BODY), attributes, mark }
}
