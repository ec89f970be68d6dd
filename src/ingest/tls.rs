//! TLS in front of a connection: certificates from files, read again when the files change.
//!
//! Trusted: nothing a client says before its handshake is over. Cases: with a client CA every client
//! must show a certificate of it. Refused at start: files that cannot be read or do not belong
//! together, all of them named at once. The same at a later change: the last good files stay in use,
//! and an ERROR says why. An expired certificate is used, and told: not every sender looks at it.

use metrics::{Gauge, gauge};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{RootCertStore, ServerConfig};
use std::fmt::Display;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_rustls::TlsAcceptor;

/// A handshake that takes longer is given up.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

const CERT: &str = "TLS_CERT_FILE";
const KEY: &str = "TLS_KEY_FILE";
const CLIENT_CA: &str = "TLS_CLIENT_CA_FILE";

/// The PEM files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// `TLS_CERT_FILE`: the certificate, and behind it those that lead to its root.
    pub cert: PathBuf,
    /// `TLS_KEY_FILE`.
    pub key: PathBuf,
    /// `TLS_CLIENT_CA_FILE`; `None`: clients show no certificate.
    pub client_ca: Option<PathBuf>,
}

/// A file that cannot be used.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("{variable}=\"{path}\" {wrong}. {remedy}")]
pub struct Unusable {
    /// The setting.
    pub variable: &'static str,
    /// The file's name.
    pub path: String,
    /// What is wrong, as the end of a sentence that began with the variable.
    pub wrong: String,
    /// What to do.
    pub remedy: &'static str,
}

/// Everything that is wrong with the files; never empty.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct AllUnusable(pub Vec<Unusable>);

/// Gives every new connection the settings of the day.
#[derive(Debug)]
pub struct Gate {
    files: Files,
    broken: Gauge,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    config: Arc<ServerConfig>,
    stamp: Vec<Stamp>,
}

/// What changes when a file does: modification time (s, ns), size, inode.
type Stamp = Option<(i64, i64, u64, u64)>;

impl Gate {
    /// Reads the files.
    ///
    /// # Errors
    /// Everything that is wrong with them, and what to do.
    pub fn open(files: Files) -> Result<Self, AllUnusable> {
        let stamp = stamp(&files);
        let config = load(&files)?;
        let broken = gauge!("xsa_tls_files_broken");
        broken.set(0);
        Ok(Self { files, broken, state: Mutex::new(State { config, stamp }) })
    }

    /// The acceptor for a new connection, from the files as they are now.
    pub fn acceptor(&self) -> TlsAcceptor {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp(&self.files);
        if now != state.stamp {
            state.stamp = now;
            self.renew(&mut state);
        }
        TlsAcceptor::from(Arc::clone(&state.config))
    }

    fn renew(&self, state: &mut State) {
        match load(&self.files) {
            Ok(config) => {
                state.config = config;
                self.broken.set(0);
                tracing::info!("the TLS files have changed and are in use for new connections");
            }
            Err(error) => {
                self.broken.set(1);
                tracing::error!(
                    %error,
                    "the changed TLS files cannot be used; the former stay in use until the next start: put usable ones in their place, no restart is needed"
                );
            }
        }
    }
}

/// Whether a stream begins like a TLS handshake.
#[must_use]
pub fn is_handshake(start: &[u8]) -> bool {
    start.starts_with(&[0x16, 0x03])
}

fn stamp(files: &Files) -> Vec<Stamp> {
    let paths = [Some(&files.cert), Some(&files.key), files.client_ca.as_ref()];
    let of = |path: &PathBuf| {
        let facts = std::fs::metadata(path).ok()?;
        Some((facts.mtime(), facts.mtime_nsec(), facts.size(), facts.ino()))
    };
    paths.into_iter().flatten().map(of).collect()
}

/// Everything that is wrong with the files; those that are not given are not missed.
#[must_use]
pub fn examine(cert: Option<&Path>, key: Option<&Path>, client_ca: Option<&Path>) -> Vec<Unusable> {
    read(cert, key, client_ca).problems
}

/// What the files hold.
#[derive(Default)]
struct Found {
    certified: Option<CertifiedKey>,
    verifier: Option<Arc<dyn ClientCertVerifier>>,
    problems: Vec<Unusable>,
}

impl Found {
    fn keep<T>(&mut self, found: Result<T, Unusable>) -> Option<T> {
        found.map_err(|problem| self.problems.push(problem)).ok()
    }
}

fn read(cert: Option<&Path>, key: Option<&Path>, client_ca: Option<&Path>) -> Found {
    let mut found = Found::default();
    let chain = cert.and_then(|path| found.keep(certificates(CERT, path)));
    let secret = key.and_then(|path| found.keep(private_key(path)));
    if let (Some(chain), Some(secret), Some(key)) = (chain, secret, key) {
        found.certified = found.keep(certify(chain, secret, key));
    }
    found.verifier = client_ca.and_then(|path| found.keep(verifier(path)));
    found
}

fn load(files: &Files) -> Result<Arc<ServerConfig>, AllUnusable> {
    let found = read(Some(&files.cert), Some(&files.key), files.client_ca.as_deref());
    let Some(certified) = found.certified.filter(|_| found.problems.is_empty()) else {
        return Err(AllUnusable(found.problems));
    };
    warn_if_expired(&certified, &files.cert);
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(unusable(CERT, &files.cert, "Please report this."))
        .map_err(|problem| AllUnusable(vec![problem]))?;
    let builder = match found.verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    Ok(Arc::new(builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))))
}

fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Unusable> {
    const REMEDY: &str = "Give a PEM file with one private key that this user may read.";
    PrivateKeyDer::from_pem_file(path).map_err(unusable(KEY, path, REMEDY))
}

fn certify(
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    path: &Path,
) -> Result<CertifiedKey, Unusable> {
    const REMEDY: &str = "Give the key that belongs to the first certificate of TLS_CERT_FILE.";
    CertifiedKey::from_der(chain, key, &provider()).map_err(unusable(KEY, path, REMEDY))
}

fn verifier(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, Unusable> {
    const REMEDY: &str = "Give a PEM file with the certificates of your client CA.";
    let mut roots = RootCertStore::empty();
    for certificate in certificates(CLIENT_CA, path)? {
        roots.add(certificate).map_err(unusable(CLIENT_CA, path, REMEDY))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(unusable(CLIENT_CA, path, REMEDY))
}

fn certificates(
    variable: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    const REMEDY: &str = "Give a PEM file with at least one certificate that this user may read.";
    let all: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).and_then(|certificates| certificates.collect());
    let all = all.map_err(unusable(variable, path, REMEDY))?;
    if all.is_empty() {
        return Err(unusable(variable, path, REMEDY)("no certificate in it"));
    }
    Ok(all)
}

/// A sender that looks at the date refuses us; one that does not goes on.
fn warn_if_expired(certified: &CertifiedKey, path: &Path) {
    if is_expired(certified, UnixTime::now()) {
        tracing::warn!(
            path = %path.display(),
            "the certificate of TLS_CERT_FILE is not valid at this time: senders that look at it refuse to connect; replace the file, no restart is needed"
        );
    }
}

/// Asks for the date only: a certificate's own dates are looked at before who signed it.
fn is_expired(certified: &CertifiedKey, now: UnixTime) -> bool {
    let Some(own) = certified.cert.first() else { return false };
    let Ok(parsed) = ParsedCertificate::try_from(own) else { return false };
    let algorithms = provider().signature_verification_algorithms.all;
    let judged = verify_server_cert_signed_by_trust_anchor(
        &parsed,
        &RootCertStore::empty(),
        &[],
        now,
        algorithms,
    );
    use rustls::CertificateError as E;
    matches!(
        judged,
        Err(rustls::Error::InvalidCertificate(
            E::Expired | E::ExpiredContext { .. } | E::NotValidYet | E::NotValidYetContext { .. }
        ))
    )
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn unusable<E: Display>(
    variable: &'static str,
    path: &Path,
    remedy: &'static str,
) -> impl FnOnce(E) -> Unusable {
    let path = path.display().to_string();
    move |error| Unusable { variable, path, wrong: format!("cannot be used ({error})"), remedy }
}

#[cfg(test)]
mod tests;
