//! The value that holds where nothing was typed, of every setting that has one.
//!
//! The one place: reading, `--help` and the table in the README take it from here. Written as a
//! person would type it, and read by the same code.

/// Variable and default.
pub const DEFAULTS: &[(&str, &str)] = &[
    ("PREFIX", "xml-events/"),
    ("USE_DATE_FOLDERS", "false"),
    ("MANIFEST", "false"),
    ("ROTATION_INTERVAL", "3600"),
    ("MAX_FILE_SIZE", "10485760"),
    ("OUTPUT_FORMAT", "xml"),
    ("COMPRESSION", "none"),
    ("PRETTY_PRINT_JSON", "false"),
    ("PORT", "8080"),
    ("BIND_HOST", "0.0.0.0"),
    ("MAX_CONNECTIONS", "1000"),
    ("MAX_CONNECTIONS_PER_PEER", "100"),
    ("ALLOW_FROM", "any"),
    ("IDLE_TIMEOUT", "0"),
    ("SILENCE_ALARM", "0"),
    ("RATE_LIMIT_ENABLED", "false"),
    ("RATE_LIMIT_WINDOW", "60"),
    ("RATE_LIMIT_MAX_EVENTS", "10000"),
    ("EVENT_ELEMENT", "EVENT"),
    ("ON_MALFORMED", "repair"),
    ("EVENT_TIMEOUT", "60s"),
    ("MAX_MESSAGE_SIZE", "1048576"),
    ("MAX_BUFFER_MEMORY", "16MiB"),
    ("DATA_DIR", "./data"),
    ("SYNC_INTERVAL", "1s"),
    ("MAX_SPOOL_SIZE", "10GiB"),
    ("UPLOAD_CONCURRENCY", "4"),
    ("UPLOAD_MEMORY", "24MiB"),
    ("SHUTDOWN_TIMEOUT", "8s"),
    ("ADMIN_ADDR", "127.0.0.1:8081"),
    ("LOG_LEVEL", "info"),
    ("LOG_FORMAT", "text"),
    ("LOG_TO_STORE", "false"),
];

/// What `--help` says for settings whose default depends on others.
pub const DERIVED: &[(&str, &str)] =
    &[("QUARANTINE_PREFIX", "PREFIX with -quarantine"), ("INSTANCE_ID", "host name")];

/// The default of a variable, as one would type it.
#[must_use]
pub fn default_of(variable: &str) -> Option<&'static str> {
    DEFAULTS.iter().find(|(name, _)| *name == variable).map(|&(_, default)| default)
}
