//! Loading and reloading of the PEM files.

use super::*;
use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use std::fs;

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    /// A self-signed certificate and its key, as `NAME.pem` and `NAME.key`.
    fn pair(&self, name: &str, last_year: i32) -> (PathBuf, PathBuf) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_after = date_time_ymd(last_year, 1, 1);
        let cert = params.self_signed(&key).unwrap();
        let paths = (format!("{name}.pem"), format!("{name}.key"));
        (self.write(&paths.0, &cert.pem()), self.write(&paths.1, &key.serialize_pem()))
    }
}

fn variables(problems: &[Unusable]) -> Vec<&str> {
    problems.iter().map(|problem| problem.variable).collect()
}

#[test]
fn files_that_belong_together_are_taken() {
    let folder = Folder::new();
    let (cert, key) = folder.pair("a", 2100);
    assert_eq!(examine(Some(&cert), Some(&key), Some(&cert)), []);
    let files = Files { client_ca: Some(cert.clone()), cert, key };
    Gate::open(files).unwrap();
}

#[test]
fn a_key_of_another_certificate_is_refused() {
    let folder = Folder::new();
    let ((cert, _), (_, key)) = (folder.pair("a", 2100), folder.pair("b", 2100));
    let problems = examine(Some(&cert), Some(&key), None);
    assert_eq!(variables(&problems), ["TLS_KEY_FILE"]);
    let text = problems[0].to_string();
    assert!(text.contains("b.key") && text.contains("belongs to the first certificate"), "{text}");
}

#[test]
fn everything_wrong_is_named_at_once() {
    let folder = Folder::new();
    let (cert, _) = folder.pair("a", 2100);
    let (_, key) = folder.pair("b", 2100);
    let broken = folder
        .write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let problems = examine(Some(&cert), Some(&key), Some(&broken));
    assert_eq!(variables(&problems), ["TLS_KEY_FILE", "TLS_CLIENT_CA_FILE"]);
    let empty = folder.write("empty.pem", "");
    let problems = examine(Some(&empty), Some(&empty), Some(&folder.path("nowhere")));
    assert_eq!(variables(&problems), ["TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CLIENT_CA_FILE"]);
    let files = Files { cert: empty.clone(), key: empty, client_ca: None };
    let text = Gate::open(files).unwrap_err().to_string();
    assert!(text.contains("TLS_CERT_FILE") && text.contains("TLS_KEY_FILE"), "{text}");
}

#[test]
fn a_certificate_is_no_key_and_a_key_no_certificate() {
    let folder = Folder::new();
    let (cert, key) = folder.pair("a", 2100);
    let problems = examine(Some(&key), Some(&cert), Some(&key));
    assert_eq!(variables(&problems), ["TLS_CERT_FILE", "TLS_KEY_FILE", "TLS_CLIENT_CA_FILE"]);
}

#[test]
fn no_problem_shows_what_a_key_file_holds() {
    let folder = Folder::new();
    let text = "-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n";
    let (cert, _) = folder.pair("a", 2100);
    let problems = examine(Some(&cert), Some(&folder.write("odd.key", text)), None);
    assert_eq!(variables(&problems), ["TLS_KEY_FILE"]);
    let said = format!("{:?}{}", problems[0], problems[0]);
    assert!(!said.contains("c2VjcmV0") && !said.contains("secret"), "{said}");
}

#[test]
fn an_expired_certificate_is_recognized_whoever_signed_it() {
    let folder = Folder::new();
    for (last_year, expired) in [(2001, true), (2100, false)] {
        let (cert, key) = folder.pair("a", last_year);
        let found = read(Some(&cert), Some(&key), None);
        assert_eq!(is_expired(&found.certified.unwrap(), UnixTime::now()), expired);
    }
}

#[test]
fn changed_files_are_used_and_broken_ones_are_not() {
    let folder = Folder::new();
    let (cert, key) = folder.pair("a", 2100);
    let files = Files { cert, key, client_ca: None };
    let gate = Gate::open(files).unwrap();
    let config = || Arc::clone(gate.acceptor().config());
    let first = config();
    assert!(Arc::ptr_eq(&first, &config()), "nothing has changed");
    folder.pair("a", 2101);
    let second = config();
    assert!(!Arc::ptr_eq(&first, &second));
    folder.write("a.key", "no key at all");
    assert!(Arc::ptr_eq(&second, &config()), "the former stay in use");
    folder.write("a.pem", "");
    assert!(Arc::ptr_eq(&second, &config()), "the former stay in use");
    folder.pair("a", 2102);
    assert!(!Arc::ptr_eq(&second, &config()));
}

#[test]
fn a_handshake_is_recognized_by_its_first_bytes() {
    assert!(is_handshake(&[0x16, 0x03, 0x01, 0x02]));
    assert!(!is_handshake(b"<EVENT>") && !is_handshake(&[0x16]) && !is_handshake(b""));
}
