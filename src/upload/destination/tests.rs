//! What goes over the wire, against a bare TLS server; which place a manifest's URL names.

use super::*;
use crate::base::checksum::Checksum as Crc;
use crate::upload::put::{Mark, Object, PutError, Stored, Way, put};
use crate::upload::{Pace, probe};
use object_store::Attributes;
use std::collections::BTreeMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

fn options(endpoint: &str) -> DestinationOptions {
    let mut options = DestinationOptions::fixture();
    options.store.aws.endpoint = Some(endpoint.into());
    options.store.aws.access_key_id = Some("AKIA".into());
    options.store.aws.secret_access_key = Some(String::from("hush").into());
    options.store.aws.secrets_dir = "/nowhere".into();
    options
}

struct Server {
    url: String,
    authority: String,
    heads: tokio::sync::mpsc::UnboundedReceiver<String>,
}

/// Answers every request with 200 and hands out the request heads.
async fn tls_server() -> Server {
    let made = rcgen::generate_simple_self_signed(vec![String::from("localhost")]).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let (sender, heads) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let mut request = String::new();
            let mut buffer = [0; 4096];
            while !request.ends_with("<EVENTS/>") {
                let read = stream.read(&mut buffer).await.unwrap();
                request.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            }
            sender.send(request).unwrap();
            let answer = "HTTP/1.1 200 OK\r\nETag: \"x\"\r\nDate: Tue, 24 Nov 2020 21:00:00 GMT\r\n\
                          Content-Length: 0\r\nConnection: close\r\n\r\n";
            stream.write_all(answer.as_bytes()).await.unwrap();
            let _closed = stream.shutdown().await;
        }
    });
    Server { url, authority: made.cert.pem(), heads }
}

async fn put_one(destination: &Destination) -> Result<Stored, PutError> {
    let mark =
        Mark { segment: "s".into(), checksum: Crc::of(b""), files: Vec::new(), own_name: false };
    let bytes = bytes::Bytes::from_static(b"<EVENTS/>");
    let object = Object { payload: bytes.into(), attributes: Attributes::new(), mark };
    let place = destination.place(Lane::Events);
    let pace = Pace { cut_off: Duration::from_secs(10), ..Pace::default() };
    put(place, &Path::from("events/x.xml"), &object, Way::Conditional, &pace).await
}

#[tokio::test]
async fn over_https_the_store_checks_the_sum_and_nothing_is_signed_twice() {
    let mut server = tls_server().await;
    let mut options = options(&server.url);
    options.store.extra_roots = Some(server.authority.clone().into_bytes());
    let destination = Destination::new(options).unwrap();
    assert!(!put_one(&destination).await.unwrap().before);

    let request = server.heads.recv().await.unwrap();
    let (head, _) = request.split_once("\r\n\r\n").unwrap();
    let mut lines = head.lines();
    assert_eq!(lines.next(), Some("PUT /bucket/events/x.xml HTTP/1.1"));
    let headers: BTreeMap<_, _> = lines.filter_map(|line| line.split_once(": ")).collect();
    assert_eq!(headers["if-none-match"], "*");
    assert_eq!(headers["x-amz-content-sha256"], "UNSIGNED-PAYLOAD");
    assert!(headers.contains_key("x-amz-checksum-crc64nvme"));
    assert!(headers["authorization"].contains("/us-east-1/s3/"));
    assert_eq!(headers["user-agent"], PRODUCER);
    assert!(!request.contains("hush"));
    assert!(destination.clock_skew().unwrap() > 86_400, "the server's clock is years behind");
    assert_eq!(destination.credentials(), Some(Origin::Settings));
}

#[tokio::test]
async fn a_server_with_an_unknown_certificate_is_refused_with_words() {
    let server = tls_server().await;
    let destination = Destination::new(options(&server.url)).unwrap();
    let error = put_one(&destination).await.unwrap_err();
    let PutError::Misconfigured(words) = error else { panic!("{error:?}") };
    assert!(words.contains("certificate is not trusted"), "{words}");
}

#[tokio::test]
async fn nobody_listening_is_no_misconfiguration() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let destination = Destination::new(options(&format!("http://{address}"))).unwrap();
    let Err(PutError::Retry(words)) = put_one(&destination).await else { panic!("not a retry") };
    assert!(words.contains("refused"), "{words}");
}

#[test]
fn the_same_bucket_elsewhere_is_another_place_and_each_is_found_again() {
    let here = Destination::new(options("http://127.0.0.1:9000/")).unwrap();
    let url = here.place(Lane::Quarantine).url.clone();
    assert_eq!(url, "s3://bucket/events-quarantine/?endpoint=http://127.0.0.1:9000");
    let place = here.reopen(&url).unwrap();
    assert_eq!((place.url.as_str(), place.prefix.as_str()), (url.as_str(), "events-quarantine/"));

    let amazon = here.reopen("s3://other-bucket/p/").unwrap();
    assert_eq!(amazon.url, "s3://other-bucket/p/");
    let folder = here.reopen("file:///srv/with%20space/").unwrap();
    assert_eq!(folder.prefix, "srv/with space/");
    assert_eq!(folder.url, "file:///srv/with%20space/");
    assert!(here.reopen("ftp://x/").is_err());
}

#[test]
fn without_keys_the_last_place_is_the_instance_and_nothing_is_asked_at_start() {
    let mut options = DestinationOptions::fixture();
    options.store.aws.secrets_dir = "/nowhere".into();
    let destination = Destination::new(options).unwrap();
    assert_eq!(destination.credentials(), None);
    assert!(destination.is_known_to_condition());
    assert!(!probe::NAME.ends_with(".ndjson"));
}

#[test]
fn a_wrong_kind_of_encryption_is_a_problem_of_the_settings() {
    let mut options = options("http://127.0.0.1:9000");
    options.store.aws.sse = Some("rot13".into());
    assert!(Destination::new(options.clone()).is_err());
    options.store.aws.sse = Some("aws:kms".into());
    options.store.aws.sse_kms_key_id = Some("arn:aws:kms:eu-west-1:1:key/x".into());
    assert!(Destination::new(options).is_ok());
}
