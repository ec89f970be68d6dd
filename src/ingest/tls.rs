//! TLS in front of a connection: certificates from files, read again when the files change.
//!
//! Trusted: nothing a client says before its handshake is over. Cases: with a client CA every client
//! must show a certificate of it. Refused at start: files that cannot be read or do not belong
//! together. The same at a later change: the last good files stay in use, and a warning says why.

use crate::base::clock::Clock;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;
use rustls::{RootCertStore, ServerConfig};
use std::fmt::Display;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_rustls::TlsAcceptor;

/// A handshake that takes longer is given up.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
/// At most one line about misused TLS in this time.
const REPEAT: Duration = Duration::from_secs(10);

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

/// The files cannot be used.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{variable} {path}: {what}")]
pub struct Unusable {
    variable: &'static str,
    path: String,
    what: String,
}

/// Gives every new connection the settings of the day.
#[derive(Debug)]
pub struct Gate {
    files: Files,
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
    /// One of them cannot be used; the text says which and what to do.
    pub fn open(files: Files) -> Result<Self, Unusable> {
        let stamp = stamp(&files);
        let config = load(&files)?;
        Ok(Self { files, state: Mutex::new(State { config, stamp }) })
    }

    /// The acceptor for a new connection, from the files as they are now.
    pub fn acceptor(&self) -> TlsAcceptor {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let now = stamp(&self.files);
        if now != state.stamp {
            state.stamp = now;
            match load(&self.files) {
                Ok(config) => {
                    state.config = config;
                    tracing::info!("the TLS files have changed and are in use");
                }
                Err(error) => {
                    tracing::warn!(%error, "the changed TLS files cannot be used; the former stay in use");
                }
            }
        }
        TlsAcceptor::from(Arc::clone(&state.config))
    }
}

/// Lets one line through in a while, for what a stranger can repeat at will.
#[derive(Debug, Default)]
pub(super) struct Seldom(Mutex<Option<Duration>>);

impl Seldom {
    /// Whether to speak now.
    pub(super) fn is_due(&self, clock: &dyn Clock) -> bool {
        let now = clock.monotonic();
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = last.is_none_or(|last| now.saturating_sub(last) >= REPEAT);
        if due {
            *last = Some(now);
        }
        due
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

fn load(files: &Files) -> Result<Arc<ServerConfig>, Unusable> {
    let chain = certificates("TLS_CERT_FILE", &files.cert)?;
    let key = PrivateKeyDer::from_pem_file(&files.key).map_err(unusable(
        "TLS_KEY_FILE",
        &files.key,
        "give a PEM file with one private key",
    ))?;
    let builder = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(unusable("TLS_CERT_FILE", &files.cert, "please report this"))?;
    let builder = match &files.client_ca {
        Some(path) => builder.with_client_cert_verifier(verifier(path)?),
        None => builder.with_no_client_auth(),
    };
    let remedy = "give the key that belongs to the certificate of TLS_CERT_FILE";
    let config = builder.with_single_cert(chain, key).map_err(unusable(
        "TLS_KEY_FILE",
        &files.key,
        remedy,
    ))?;
    Ok(Arc::new(config))
}

fn verifier(path: &Path) -> Result<Arc<dyn ClientCertVerifier>, Unusable> {
    const VARIABLE: &str = "TLS_CLIENT_CA_FILE";
    let remedy = "give a PEM file with the certificates of your client CA";
    let mut roots = RootCertStore::empty();
    for certificate in certificates(VARIABLE, path)? {
        roots.add(certificate).map_err(unusable(VARIABLE, path, remedy))?;
    }
    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider())
        .build()
        .map_err(unusable(VARIABLE, path, remedy))
}

fn certificates(
    variable: &'static str,
    path: &Path,
) -> Result<Vec<CertificateDer<'static>>, Unusable> {
    let remedy = "give a readable PEM file with at least one certificate";
    let all: Result<Vec<_>, _> =
        CertificateDer::pem_file_iter(path).and_then(|certificates| certificates.collect());
    let all = all.map_err(unusable(variable, path, remedy))?;
    if all.is_empty() {
        return Err(unusable(variable, path, remedy)("no certificate in it"));
    }
    Ok(all)
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
    move |error| Unusable { variable, path, what: format!("{error}: {remedy}") }
}
