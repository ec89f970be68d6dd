//! Our own messages: one line each on standard error, as text or as JSON, and with `LOG_TO_STORE`
//! the warnings and errors among them as objects too.

use super::logbook::{Listener, Logbook};
use crate::config::settings::{Log, LogFormat};
use std::io::{IsTerminal, stderr};
use std::sync::{Arc, OnceLock};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt};

/// Libraries speak only when something is wrong with them.
const LIBRARIES: &str = "warn";

/// There is one log for the whole process, and so one book.
static LOGBOOK: OnceLock<Arc<Logbook>> = OnceLock::new();

/// Starts logging for the whole process; a second call changes nothing.
pub fn start(log: Log) {
    let filter = format!("{LIBRARIES},xml_stream_aggregator={}", log.level.as_str().to_lowercase());
    let ansi = stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let lines = fmt::layer().with_writer(stderr).with_target(false).with_ansi(ansi);
    let lines = match log.format {
        LogFormat::Text => lines.boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let book = log.to_store.then(|| Listener(Arc::clone(LOGBOOK.get_or_init(Arc::default))));
    let log = tracing_subscriber::registry().with(EnvFilter::new(filter)).with(lines).with(book);
    // A failure means that somebody (a test, the demo) has set up logging already.
    let _already_started = log.try_init().is_err();
}

/// What waits to be written into the spool; none without `LOG_TO_STORE`.
pub(super) fn logbook() -> Option<Arc<Logbook>> {
    LOGBOOK.get().cloned()
}
