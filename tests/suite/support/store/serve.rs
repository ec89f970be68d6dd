//! One request's way through the server: count it, meet a fault or not, store, answer.
//!
//! Requests for one key run one after the other, because `s3s-fs` looks for the object and writes
//! it in two steps. What was begun is finished even if the client goes away: a store is atomic.

use super::bucket::Quirk;
use super::fault::{Fault, Rule};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use hyper::{Request, Response};
use s3s::service::S3Service;
use s3s::{Body, HttpRequest, HttpResponse};
use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One request, as the server saw it.
#[derive(Debug, Clone)]
pub struct Seen {
    /// `PUT`, `HEAD`, …
    pub method: String,
    /// Without the bucket.
    pub key: String,
    /// None: the client got no answer.
    pub status: Option<u16>,
    /// The fault it met.
    pub fault: Option<Fault>,
    /// It said `If-None-Match: *`.
    pub conditional: bool,
}

/// What all connections share.
pub struct Shared {
    pub service: S3Service,
    pub rules: Mutex<Vec<Rule>>,
    pub seen: Mutex<Vec<Seen>>,
    /// Per key, a hash of each body that was stored under it, in order.
    pub stored: Mutex<HashMap<String, Vec<u64>>>,
    keys: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
    pending: Mutex<HashSet<String>>,
}

/// Ends the connection without an answer.
#[derive(Debug)]
pub struct HungUp;

impl std::fmt::Display for HungUp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the store hung up on purpose")
    }
}

impl std::error::Error for HungUp {}

type Answer = Result<HttpResponse, HungUp>;

/// The facts of one request, with its body read.
struct Asked {
    method: String,
    key: String,
    head: hyper::http::request::Parts,
    body: Bytes,
}

impl Shared {
    pub fn new(service: S3Service) -> Self {
        Self {
            service,
            rules: Mutex::default(),
            seen: Mutex::default(),
            stored: Mutex::default(),
            keys: Mutex::default(),
            pending: Mutex::default(),
        }
    }

    /// Serves one request; `socket` is a second handle on its connection.
    pub async fn serve(
        self: Arc<Self>,
        request: Request<Incoming>,
        socket: Arc<TcpStream>,
    ) -> Answer {
        let (head, body) = request.into_parts();
        let method = head.method.to_string();
        let key = key_of(head.uri.path());
        let fault = self.fault_for(&method, &key, head.headers.contains_key("if-none-match"));
        let place = self.note(&method, &key, &head, fault.clone());
        let body = read(body, fault.as_ref(), &socket).await?;
        let asked = Asked { method, key, head, body };
        let answer = self.clone().meet(fault, asked, &socket).await;
        if let Ok(response) = &answer {
            let status = response.status().as_u16();
            self.set(place, |seen| seen.status = Some(status));
        }
        answer
    }

    fn fault_for(&self, method: &str, key: &str, conditional: bool) -> Option<Fault> {
        let mut rules = self.rules.lock().unwrap();
        rules
            .iter_mut()
            .find_map(|rule| rule.meets(method, key))
            .filter(|fault| *fault != Fault::RefuseConditions || conditional)
    }

    fn note(
        &self,
        method: &str,
        key: &str,
        head: &hyper::http::request::Parts,
        fault: Option<Fault>,
    ) -> usize {
        let conditional = head.headers.contains_key("if-none-match");
        let mut seen = self.seen.lock().unwrap();
        seen.push(Seen {
            method: method.to_owned(),
            key: key.to_owned(),
            status: None,
            fault,
            conditional,
        });
        seen.len() - 1
    }

    fn set(&self, place: usize, change: impl FnOnce(&mut Seen)) {
        change(&mut self.seen.lock().unwrap()[place]);
    }

    async fn meet(
        self: Arc<Self>,
        fault: Option<Fault>,
        asked: Asked,
        socket: &TcpStream,
    ) -> Answer {
        if let Some((status, code, text)) = fault.as_ref().and_then(Fault::answer) {
            let mut answer = refusal(status, code, text, &asked.method);
            if fault == Some(Fault::ClockSkew) {
                answer.headers_mut().insert("date", date_in(Duration::from_secs(3600)));
            }
            return Ok(answer);
        }
        let conflict = self.pending.lock().unwrap().contains(&asked.key);
        if asked.method == "PUT" && conflict {
            let (status, code, text) = Fault::Conflict.answer().unwrap();
            return Ok(refusal(status, code, text, "PUT"));
        }
        match fault {
            Some(Fault::CommitLate(delay)) => self.commit_late(asked, delay, socket),
            Some(Fault::LoseAnswer) => {
                self.store(asked, Quirk::default()).await;
                reset(socket)
            }
            Some(Fault::HalfAnswer) => {
                self.store(asked, Quirk::default()).await;
                half(socket);
                Err(HungUp)
            }
            Some(Fault::HangInAnswer) => {
                self.store(asked, Quirk::default()).await;
                half(socket);
                std::future::pending().await
            }
            Some(Fault::Slow(delay)) => {
                tokio::time::sleep(delay).await; // the fault itself
                Ok(self.store(asked, Quirk::default()).await)
            }
            Some(Fault::ClockAhead(by)) => {
                let mut response = self.store(asked, Quirk::default()).await;
                response.headers_mut().insert("date", date_in(by));
                Ok(response)
            }
            Some(Fault::NoETag) => {
                let mut response = self.store(asked, Quirk::default()).await;
                response.headers_mut().remove("etag");
                Ok(response)
            }
            other => Ok(self.store(asked, quirk(other.as_ref())).await),
        }
    }

    fn commit_late(self: Arc<Self>, asked: Asked, delay: Duration, socket: &TcpStream) -> Answer {
        self.pending.lock().unwrap().insert(asked.key.clone());
        tokio::spawn(async move {
            tokio::time::sleep(delay).await; // the fault itself; `pending` tells when it is over
            let key = asked.key.clone();
            self.clone().store(asked, Quirk::default()).await;
            self.pending.lock().unwrap().remove(&key);
        });
        reset(socket)
    }

    /// Does what was asked, in a task of its own: a client that goes away stops nothing.
    async fn store(self: Arc<Self>, asked: Asked, quirk: Quirk) -> HttpResponse {
        tokio::spawn(async move { self.store_now(asked, quirk).await }).await.unwrap()
    }

    async fn store_now(&self, asked: Asked, quirk: Quirk) -> HttpResponse {
        let turn = self.keys.lock().unwrap().entry(asked.key.clone()).or_default().clone();
        let _turn = turn.lock().await;
        let Asked { method, key, head, body } = asked;
        let hash = hash(&body);
        let mut request = HttpRequest::from_parts(head, Body::from(body));
        request.extensions_mut().insert(quirk);
        let response = self.service.call(request).await.unwrap();
        if method == "PUT" && response.status().is_success() {
            self.stored.lock().unwrap().entry(key).or_default().push(hash);
        }
        response
    }
}

fn quirk(fault: Option<&Fault>) -> Quirk {
    Quirk {
        no_conditions: fault == Some(&Fault::IgnoreConditions),
        no_metadata: fault == Some(&Fault::DropMetadata),
    }
}

/// The key in a path-style address, percent signs resolved.
fn key_of(path: &str) -> String {
    let key = path.trim_start_matches('/').split_once('/').map_or("", |(_, key)| key);
    let pairs = url::form_urlencoded::parse(key.as_bytes());
    pairs.map(|(name, _)| name.into_owned()).collect()
}

fn hash(bytes: &Bytes) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}

/// Reads a body as the fault allows.
async fn read(
    mut body: Incoming,
    fault: Option<&Fault>,
    socket: &TcpStream,
) -> Result<Bytes, HungUp> {
    let mut bytes = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| HungUp)?;
        let Ok(data) = frame.into_data() else { continue };
        bytes.extend_from_slice(&data);
        match fault {
            Some(Fault::HangInBody) => return std::future::pending().await,
            Some(Fault::Reset) => return reset(socket),
            Some(Fault::Trickle(rate)) => {
                let pause = Duration::from_secs_f64(data.len() as f64 / *rate as f64);
                tokio::time::sleep(pause).await; // the fault itself: a slow line
            }
            _ => {}
        }
    }
    match fault {
        Some(Fault::HangInBody) => std::future::pending().await,
        Some(Fault::Reset) => reset(socket),
        _ => Ok(bytes.freeze()),
    }
}

/// Makes the coming close a RST.
fn reset<T>(socket: &TcpStream) -> Result<T, HungUp> {
    let _ = socket2::SockRef::from(socket).set_linger(Some(Duration::ZERO));
    Err(HungUp)
}

/// Half an answer's head, past the HTTP library.
fn half(mut socket: &TcpStream) {
    let said: io::Result<usize> = socket.write(b"HTTP/1.1 200 OK\r\nserver: hal");
    drop(said);
}

/// The time by a clock that is so far ahead.
fn date_in(time: Duration) -> hyper::header::HeaderValue {
    let then = jiff::Timestamp::now() + time;
    then.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string().parse().unwrap()
}

fn refusal(status: u16, code: &str, text: &str, method: &str) -> HttpResponse {
    let xml = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>{code}</Code>\
         <Message>{text}</Message><Region>eu-central-1</Region>\
         <RequestId>drill</RequestId></Error>"
    );
    let body = if method == "HEAD" { Body::empty() } else { Body::from(xml) };
    Response::builder()
        .status(status)
        .header("content-type", "application/xml")
        .header("x-amz-bucket-region", "eu-central-1")
        .body(body)
        .unwrap()
}
