//! Our own messages: one line each on standard error, as text or as JSON.

use crate::config::settings::{Log, LogFormat};
use std::io::{IsTerminal, stderr};
use tracing_subscriber::EnvFilter;

/// Libraries speak only when something is wrong with them.
const LIBRARIES: &str = "warn";

/// Starts logging for the whole process; a second call changes nothing.
pub fn start(log: Log) {
    let filter = format!("{LIBRARIES},xml_stream_aggregator={}", log.level.as_str().to_lowercase());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(stderr)
        .with_target(false)
        .with_ansi(stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none());
    // A failure means that somebody (a test, the demo) has set up logging already.
    let _already_started = match log.format {
        LogFormat::Text => builder.try_init().is_err(),
        LogFormat::Json => builder.json().flatten_event(true).try_init().is_err(),
    };
}
