//! What is true: every value checked, in the type its user needs, grouped by part of the program.

use super::{Env, Problems, Typed, Warning};
use super::{aws, destination, legacy, network, reader::Reader, storage, surroundings};
use crate::base::secret::Secret;
use crate::ingest::pace::Limit;
use crate::ingest::sieve;
use crate::spool::manifest::Form;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;
use url::Url;

/// All settings.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who may send, and how.
    pub listen: Listen,
    /// What an event is; also the memory bound of one.
    pub sieve: sieve::Options,
    /// What is kept here until it is stored.
    pub spool: Spool,
    /// Where objects go.
    pub destination: Destination,
    /// How they are brought there.
    pub upload: Upload,
    /// Status page, health and metrics; `None`: off.
    pub admin: Option<Admin>,
    /// Our own messages.
    pub log: Log,
    /// Name of this instance: printable ASCII, 1 to 128 characters.
    pub instance_id: String,
    /// Longest upload at SIGTERM.
    pub shutdown_timeout: Duration,
}

/// Who may send, and how.
#[derive(Debug, Clone)]
pub struct Listen {
    /// `BIND_HOST`.
    pub host: IpAddr,
    /// `PORT`; 0: any free one.
    pub port: u16,
    /// `UDP_PORT`.
    pub udp_port: Option<u16>,
    /// `ALLOW_FROM`; empty: everybody.
    pub allow_from: Vec<IpNet>,
    /// `MAX_CONNECTIONS`, at least 1.
    pub max_connections: usize,
    /// `MAX_CONNECTIONS_PER_PEER`, from 1 to `max_connections`.
    pub max_connections_per_peer: usize,
    /// `MAX_BUFFER_MEMORY` in bytes, at least one event's.
    pub max_buffer_memory: usize,
    /// `EVENT_TIMEOUT`, more than 0.
    pub event_timeout: Duration,
    /// `IDLE_TIMEOUT`; `None`: never.
    pub idle_timeout: Option<Duration>,
    /// `SILENCE_ALARM`; `None`: off.
    pub silence_alarm: Option<Duration>,
    /// `RATE_LIMIT_…`; `None`: off.
    pub rate_limit: Option<Limit>,
    /// `TLS_…`; `None`: plain TCP.
    pub tls: Option<Tls>,
}

/// Files for TLS; only [`Settings::for_check`] and [`Settings::for_start`] look into them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// `TLS_CERT_FILE`.
    pub cert_file: PathBuf,
    /// `TLS_KEY_FILE`.
    pub key_file: PathBuf,
    /// `TLS_CLIENT_CA_FILE`.
    pub client_ca_file: Option<PathBuf>,
}

/// What is kept here until it is stored.
#[derive(Debug, Clone)]
pub struct Spool {
    /// `DATA_DIR`.
    pub data_dir: PathBuf,
    /// `SYNC_INTERVAL`.
    pub sync_interval: Duration,
    /// `MAX_SPOOL_SIZE` in bytes, at least twice `max_file_size`.
    pub max_spool_size: u64,
    /// `ROTATION_INTERVAL`.
    pub rotation_interval: Duration,
    /// `MAX_FILE_SIZE` in bytes, header and footer included.
    pub max_file_size: u64,
    /// Format, compression and the rest that is fixed at sealing.
    pub form: Form,
}

/// Where objects go. The four prefixes end in `/`, none lies inside another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Destination {
    /// The store.
    pub place: Place,
    /// Start of event objects' names.
    pub events: String,
    /// Start of quarantine objects' names.
    pub quarantine: String,
    /// Start of log objects' names (`LOG_TO_STORE`).
    pub logs: String,
    /// Start of manifest objects' names (`MANIFEST`).
    pub manifests: String,
}

/// A store that holds objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// An S3 bucket.
    S3 {
        /// Its name.
        bucket: String,
    },
    /// A Google Cloud Storage bucket.
    Gcs {
        /// Its name.
        bucket: String,
    },
    /// An Azure Blob container.
    Azure {
        /// Its name.
        container: String,
    },
    /// A folder; the prefixes are folders in it, so that quarantine and events lie side by side.
    Folder {
        /// Absolute path of the parent of the folder that was asked for.
        root: PathBuf,
    },
}

impl Destination {
    /// Where event objects go, as a URL without secrets: what a manifest remembers.
    #[must_use]
    pub fn url(&self) -> String {
        self.url_of(&self.events)
    }

    /// The URL of a key or prefix in this place.
    #[must_use]
    pub fn url_of(&self, key: &str) -> String {
        match &self.place {
            Place::S3 { bucket } => format!("s3://{bucket}/{key}"),
            Place::Gcs { bucket } => format!("gs://{bucket}/{key}"),
            Place::Azure { container } => format!("az://{container}/{key}"),
            Place::Folder { root } => format!("file://{}", root.join(key).display()),
        }
    }
}

/// How objects are brought to the store.
#[derive(Debug, Clone)]
pub struct Upload {
    /// `UPLOAD_CONCURRENCY`, at least 1.
    pub concurrency: usize,
    /// `UPLOAD_MEMORY` in bytes, at least twice the largest object.
    pub memory: u64,
    /// What S3 needs beside the bucket.
    pub aws: Aws,
}

/// What S3 needs beside the bucket; whatever is `None` is left to the usual chain.
#[derive(Debug, Clone, Default)]
pub struct Aws {
    /// `AWS_ACCESS_KEY_ID`.
    pub access_key_id: Option<String>,
    /// `AWS_SECRET_ACCESS_KEY`.
    pub secret_access_key: Option<Secret>,
    /// `AWS_SESSION_TOKEN`.
    pub session_token: Option<Secret>,
    /// `AWS_REGION`, else `AWS_DEFAULT_REGION`.
    pub region: Option<String>,
    /// `AWS_PROFILE`.
    pub profile: Option<String>,
    /// `AWS_ENDPOINT_URL`: http or https, no user, no query.
    pub endpoint: Option<Url>,
    /// `AWS_SSE` with its key.
    pub encryption: Option<Encryption>,
}

/// Server-side encryption.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encryption {
    /// `AES256`.
    Aes256,
    /// `aws:kms` with a key, or the account's own.
    Kms(Option<String>),
    /// `aws:kms:dsse` with a key, or the account's own.
    KmsDsse(Option<String>),
}

/// Status page, health and metrics.
#[derive(Debug, Clone)]
pub struct Admin {
    /// `ADMIN_ADDR`.
    pub addr: SocketAddr,
    /// `ADMIN_TOKEN`.
    pub token: Option<Secret>,
}

/// Our own messages.
#[derive(Debug, Clone, Copy)]
pub struct Log {
    /// `LOG_LEVEL`.
    pub level: tracing::Level,
    /// `LOG_FORMAT`.
    pub format: LogFormat,
    /// `LOG_TO_STORE`.
    pub to_store: bool,
}

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For machines: one JSON object a line.
    Json,
}

impl Settings {
    /// Reads what was typed.
    ///
    /// # Errors
    /// Every problem there is, not only the first.
    pub fn from_typed(typed: &Typed, env: &Env) -> Result<(Self, Vec<Warning>), Problems> {
        let mut reader = Reader::default();
        let settings = Self::read(&mut reader, typed, env);
        reader.finish(settings)
    }

    /// The same for `check`: what the files for TLS hold is judged too.
    ///
    /// # Errors
    /// Every problem there is, not only the first.
    pub fn for_check(typed: &Typed, env: &Env) -> Result<(Self, Vec<Warning>), Problems> {
        let mut reader = Reader::default();
        let settings = Self::read(&mut reader, typed, env);
        surroundings::files(&mut reader, &typed.listener);
        reader.finish(settings)
    }

    /// The same for the program itself: the addresses are tried too.
    ///
    /// # Errors
    /// Every problem there is, not only the first.
    pub fn for_start(typed: &Typed, env: &Env) -> Result<(Self, Vec<Warning>), Problems> {
        let mut reader = Reader::default();
        let settings = Self::read(&mut reader, typed, env);
        surroundings::files(&mut reader, &typed.listener);
        surroundings::addresses(&mut reader, &settings);
        reader.finish(settings)
    }

    fn read(reader: &mut Reader, typed: &Typed, env: &Env) -> Self {
        let destination = destination::read(reader, &typed.destination);
        let spool = storage::spool(reader, typed);
        let upload = storage::upload(reader, typed, env);
        let listen = network::listen(reader, typed);
        let sieve = network::sieve(reader, &typed.events);
        let settings = Self {
            admin: network::admin(reader, &typed.watching, env),
            log: network::log(reader, &typed.watching),
            instance_id: network::instance_id(reader, &typed.watching, env),
            shutdown_timeout: storage::shutdown_timeout(reader, &typed.uploads),
            destination,
            spool,
            upload,
            listen,
            sieve,
        };
        storage::fit(reader, &settings);
        network::fit(reader, &settings);
        destination::fit(reader, &settings);
        aws::fit(reader, &settings, env);
        legacy::warn(reader, env);
        settings
    }
}
