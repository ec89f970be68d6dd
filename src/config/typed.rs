//! What was typed: every setting as an environment variable and as a flag, as text.
//!
//! Nothing is judged here, so that all problems can be reported at once. `None` is "not typed";
//! an empty value means the same (Compose hands over `NAME=` for what is not set).
//! The first paragraph of a comment is the setting's meaning in `-h` and in the README, the rest is
//! shown by `--help` only. Defaults: [`super::defaults`].

use clap::Args;

/// A text as typed.
pub type Text = Option<String>;

/// Everything that can be typed, except secrets.
#[derive(Debug, Clone, Default, Args)]
pub struct Typed {
    /// Where objects go.
    #[command(flatten)]
    pub destination: Destination,
    /// What an object looks like.
    #[command(flatten)]
    pub files: Files,
    /// S3 beside the bucket.
    #[command(flatten)]
    pub aws: Aws,
    /// Who may send, and how.
    #[command(flatten)]
    pub listener: Listener,
    /// What an event is.
    #[command(flatten)]
    pub events: Events,
    /// What is kept here until it is stored.
    #[command(flatten)]
    pub spool: Spool,
    /// How it is brought to the store.
    #[command(flatten)]
    pub uploads: Uploads,
    /// Watching it work.
    #[command(flatten)]
    pub watching: Watching,
}

/// Where objects go.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Where events go (BUCKET_NAME or DESTINATION is required)")]
pub struct Destination {
    /// S3 bucket for the event objects
    #[arg(long, env = "BUCKET_NAME", value_name = "NAME")]
    pub bucket_name: Option<String>,
    /// Instead of BUCKET_NAME: s3://bucket/prefix, gs://…, az://container/…, or a folder
    ///
    /// A folder is file:///srv/events or a plain path; its quarantine lies beside it (events-quarantine/).
    /// A URL without a prefix takes the one of PREFIX.
    #[arg(long, env = "DESTINATION", value_name = "URL|PATH")]
    pub destination: Option<String>,
    /// Start of every event object's name
    ///
    /// Ends in '/'. Load everything below it, and nothing else, into the table.
    #[arg(long, env = "PREFIX", value_name = "PREFIX/")]
    pub prefix: Option<String>,
    /// Put YYYY/MM/DD/ (UTC) behind the prefix
    #[arg(long, env = "USE_DATE_FOLDERS", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_short_help = true)]
    pub use_date_folders: Option<String>,
    /// Start of the names of quarantine objects (rejected bytes with the reason)
    ///
    /// Outside of PREFIX, so that no load ever meets them. For xml-events/ it is xml-events-quarantine/.
    #[arg(long, env = "QUARANTINE_PREFIX", value_name = "PREFIX/", hide_short_help = true)]
    pub quarantine_prefix: Option<String>,
    /// Write a small JSON object per event object: counts, first and last receipt, checksum
    ///
    /// Under PREFIX with -manifests, outside of what is loaded.
    #[arg(long, env = "MANIFEST", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_short_help = true)]
    pub manifest: Option<String>,
}

/// What an object looks like.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Objects")]
pub struct Files {
    /// Finish a file this long after its first event
    ///
    /// An interval without events writes nothing.
    #[arg(long, env = "ROTATION_INTERVAL", value_name = "DURATION")]
    pub rotation_interval: Option<String>,
    /// Finish a file before it would grow past this many bytes
    ///
    /// At most half of UPLOAD_MEMORY.
    #[arg(long, env = "MAX_FILE_SIZE", value_name = "SIZE")]
    pub max_file_size: Option<String>,
    /// xml, json (an array), ndjson (an object a line) or parquet
    #[arg(long, env = "OUTPUT_FORMAT", value_name = "FORMAT")]
    pub output_format: Option<String>,
    /// none, gzip or zstd
    ///
    /// Parquet is always compressed inside: zstd, or gzip with COMPRESSION=gzip.
    #[arg(long, env = "COMPRESSION", value_name = "KIND")]
    pub compression: Option<String>,
    /// Indent JSON objects for people
    #[arg(long, env = "PRETTY_PRINT_JSON", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_short_help = true)]
    pub pretty_print_json: Option<String>,
}

/// S3 beside the bucket.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "S3")]
pub struct Aws {
    /// Region of the bucket (AWS_DEFAULT_REGION is read too)
    #[arg(long, env = "AWS_REGION", value_name = "REGION")]
    pub aws_region: Option<String>,
    /// Another S3 server: http://host:port or https://…
    #[arg(long, env = "AWS_ENDPOINT_URL", value_name = "URL")]
    pub aws_endpoint_url: Option<String>,
    /// Profile of the shared credentials and config files
    #[arg(long, env = "AWS_PROFILE", value_name = "NAME", hide_short_help = true)]
    pub aws_profile: Option<String>,
    /// Encryption at rest: AES256, aws:kms or aws:kms:dsse
    #[arg(long, env = "AWS_SSE", value_name = "KIND", hide_short_help = true)]
    pub aws_sse: Option<String>,
    /// The KMS key for AWS_SSE=aws:kms: an id, an ARN or an alias
    #[arg(long, env = "AWS_SSE_KMS_KEY_ID", value_name = "KEY", hide_short_help = true)]
    pub aws_sse_kms_key_id: Option<String>,
}

/// Who may send, and how.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Listener")]
pub struct Listener {
    /// TCP port that the appliance sends to; 0: any free one
    #[arg(long, env = "PORT", value_name = "PORT")]
    pub port: Option<String>,
    /// Address to listen on
    #[arg(long, env = "BIND_HOST", value_name = "IP")]
    pub bind_host: Option<String>,
    /// UDP port too, for appliances with 'Require TCP' unticked
    ///
    /// Nothing can be pushed back over UDP: what arrives while reading is stopped is lost.
    #[arg(long, env = "UDP_PORT", value_name = "PORT", hide_short_help = true)]
    pub udp_port: Option<String>,
    /// Networks that may connect, e.g. 10.1.0.0/16,192.168.7.20
    #[arg(long, env = "ALLOW_FROM", value_name = "CIDR,…", hide_short_help = true)]
    pub allow_from: Option<String>,
    /// Connections at once; beyond it a newcomer replaces the longest idle one
    #[arg(long, env = "MAX_CONNECTIONS", value_name = "N", hide_short_help = true)]
    pub max_connections: Option<String>,
    /// The same for one address
    #[arg(long, env = "MAX_CONNECTIONS_PER_PEER", value_name = "N", hide_short_help = true)]
    pub max_connections_per_peer: Option<String>,
    /// Close a connection that is silent this long; 0: never
    ///
    /// Appliances are silent at night, and TCP keepalive finds the dead ones.
    #[arg(long, env = "IDLE_TIMEOUT", value_name = "DURATION", hide_short_help = true)]
    pub idle_timeout: Option<String>,
    /// Raise the alarm when an address that sent events sends none for this long, or nobody ever did; 0: off
    #[arg(long, env = "SILENCE_ALARM", value_name = "DURATION", hide_short_help = true)]
    pub silence_alarm: Option<String>,
    /// Slow down the reading of an address that sends too fast; nothing is dropped
    #[arg(long, env = "RATE_LIMIT_ENABLED", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_short_help = true)]
    pub rate_limit_enabled: Option<String>,
    /// The time over which RATE_LIMIT_MAX_EVENTS is counted
    #[arg(long, env = "RATE_LIMIT_WINDOW", value_name = "DURATION", hide_short_help = true)]
    pub rate_limit_window: Option<String>,
    /// Events that one address may send within RATE_LIMIT_WINDOW at full speed
    #[arg(long, env = "RATE_LIMIT_MAX_EVENTS", value_name = "N", hide_short_help = true)]
    pub rate_limit_max_events: Option<String>,
    /// TLS: file with the certificate chain (PEM)
    #[arg(long, env = "TLS_CERT_FILE", value_name = "FILE", hide_short_help = true)]
    pub tls_cert_file: Option<String>,
    /// TLS: file with the private key (PEM)
    #[arg(long, env = "TLS_KEY_FILE", value_name = "FILE", hide_short_help = true)]
    pub tls_key_file: Option<String>,
    /// TLS: senders need a certificate signed by one of these (PEM)
    #[arg(long, env = "TLS_CLIENT_CA_FILE", value_name = "FILE", hide_short_help = true)]
    pub tls_client_ca_file: Option<String>,
}

/// What an event is.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Events")]
pub struct Events {
    /// Name of the event's element
    #[arg(long, env = "EVENT_ELEMENT", value_name = "NAME", hide_short_help = true)]
    pub event_element: Option<String>,
    /// What is not well-formed: repair (what can be) or quarantine
    ///
    /// A repaired event is delivered, its original bytes go to the quarantine as a copy.
    #[arg(long, env = "ON_MALFORMED", value_name = "WHAT", hide_short_help = true)]
    pub on_malformed: Option<String>,
    /// Give up an event that is not finished this long after its first byte
    #[arg(long, env = "EVENT_TIMEOUT", value_name = "DURATION", hide_short_help = true)]
    pub event_timeout: Option<String>,
    /// Largest event; larger ones go to the quarantine in parts
    #[arg(long, env = "MAX_MESSAGE_SIZE", value_name = "SIZE", hide_short_help = true)]
    pub max_message_size: Option<String>,
    /// Memory for all unfinished events together
    #[arg(long, env = "MAX_BUFFER_MEMORY", value_name = "SIZE", hide_short_help = true)]
    pub max_buffer_memory: Option<String>,
}

/// What is kept here until it is stored.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Spool (what is received and not stored yet)")]
pub struct Spool {
    /// Folder of the spool; one process, one folder, on a real disk
    #[arg(long, env = "DATA_DIR", value_name = "DIR")]
    pub data_dir: Option<String>,
    /// How much a power cut may cost at most
    #[arg(long, env = "SYNC_INTERVAL", value_name = "DURATION", hide_short_help = true)]
    pub sync_interval: Option<String>,
    /// Stop reading when the spool holds this much; goes on by itself below 90 %
    #[arg(long, env = "MAX_SPOOL_SIZE", value_name = "SIZE")]
    pub max_spool_size: Option<String>,
}

/// How it is brought to the store.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Uploads")]
pub struct Uploads {
    /// Uploads side by side when there is a backlog
    #[arg(long, env = "UPLOAD_CONCURRENCY", value_name = "N", hide_short_help = true)]
    pub upload_concurrency: Option<String>,
    /// Memory for all uploads together
    #[arg(long, env = "UPLOAD_MEMORY", value_name = "SIZE", hide_short_help = true)]
    pub upload_memory: Option<String>,
    /// At SIGTERM, upload for this long; the rest stays in the spool
    ///
    /// docker stop kills after 10 s unless told otherwise.
    #[arg(long, env = "SHUTDOWN_TIMEOUT", value_name = "DURATION", hide_short_help = true)]
    pub shutdown_timeout: Option<String>,
}

/// Watching it work.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Watching")]
pub struct Watching {
    /// Address of status page, health and metrics; off: none
    #[arg(long, env = "ADMIN_ADDR", value_name = "IP:PORT")]
    pub admin_addr: Option<String>,
    /// error, warn, info, debug or trace
    #[arg(long, env = "LOG_LEVEL", value_name = "LEVEL")]
    pub log_level: Option<String>,
    /// text or json
    #[arg(long, env = "LOG_FORMAT", value_name = "FORMAT", hide_short_help = true)]
    pub log_format: Option<String>,
    /// Write warnings and errors as objects too (under PREFIX with -logs), at most 300 a minute
    #[arg(long, env = "LOG_TO_STORE", value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true", hide_short_help = true)]
    pub log_to_store: Option<String>,
    /// Name of this instance in metadata and metrics
    #[arg(long, env = "INSTANCE_ID", value_name = "NAME", hide_short_help = true)]
    pub instance_id: Option<String>,
}
