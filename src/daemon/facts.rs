//! The facts that the admin listener shows, gathered from the running parts at the moment of asking.

use super::watch::is_connected;
use crate::admin::Facts;
use crate::admin::status::{Connection, Silence, Spool, Status, Uploads};
use crate::config::Settings;
use crate::ingest::House;
use crate::spool;
use crate::upload::Uploader;
use metrics::gauge;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use std::fmt::Write;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// Every counter of the process; there is one recorder for its whole life.
pub(super) fn recorder() -> Option<PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let install = || match with_histograms().and_then(PrometheusBuilder::install_recorder) {
        Ok(handle) => Some(handle),
        Err(error) => {
            tracing::warn!(%error, "metrics are off");
            None
        }
    };
    RECORDER.get_or_init(install).clone()
}

/// Bounds in seconds: from a moment to what a night without a store makes of it.
const FRESHNESS: [f64; 12] =
    [1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 1800.0, 3600.0, 7200.0, 14_400.0, 43_200.0, 86_400.0];
/// Bounds in seconds: from a good disk to one that hangs.
const SYNC: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

fn with_histograms() -> Result<PrometheusBuilder, BuildError> {
    PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Full("xsa_freshness_seconds".into()), &FRESHNESS)?
        .set_buckets_for_metric(Matcher::Full("xsa_sync_seconds".into()), &SYNC)
}

/// The running parts, as the admin listener may see them.
pub(super) struct LiveFacts {
    began: Instant,
    instance: String,
    listening: Vec<String>,
    destination: String,
    house: Arc<House>,
    uploader: Arc<Uploader>,
    metrics: Option<PrometheusHandle>,
}

impl LiveFacts {
    pub(super) fn new(
        settings: &Settings,
        listen_addr: SocketAddr,
        house: &Arc<House>,
        uploader: &Arc<Uploader>,
        metrics: Option<PrometheusHandle>,
    ) -> Self {
        Self {
            began: Instant::now(),
            instance: settings.instance_id.clone(),
            listening: vec![format!("{listen_addr} (TCP)")],
            destination: settings.destination.url(),
            house: Arc::clone(house),
            uploader: Arc::clone(uploader),
            metrics,
        }
    }
}

impl Facts for LiveFacts {
    fn status(&self) -> Status {
        Status {
            version: env!("CARGO_PKG_VERSION").into(),
            instance: self.instance.clone(),
            uptime_s: self.began.elapsed().as_secs(),
            listening: self.listening.clone(),
            destination: self.destination.clone(),
            ledger: self.house.spool.ledger().into(),
            spool: spool_facts(self.house.spool.status()),
            uploads: uploads(&self.uploader),
            connections: connections(&self.house),
            silence: silence(&self.house),
        }
    }

    fn metrics(&self) -> String {
        let Some(handle) = &self.metrics else { return String::new() };
        gauges(&self.status());
        handle.run_upkeep();
        handle.render() + &peers(&self.house)
    }
}

/// The known peers of `SILENCE_ALARM`, written by hand: a gauge of the recorder would stay for ever.
fn peers(house: &House) -> String {
    let Some(silence) = &house.options.silence else { return String::new() };
    let (is_silent, last) = ("xsa_peer_silent", "xsa_peer_last_event_timestamp_seconds");
    let (mut flags, mut times) =
        (format!("# TYPE {is_silent} gauge\n"), format!("# TYPE {last} gauge\n"));
    for known in silence.known() {
        let (Some(peer), Some(at)) = (known.peer, known.last_event_at) else { continue };
        let flag = u8::from(known.silent);
        let _infallible = writeln!(flags, "{is_silent}{{peer=\"{peer}\"}} {flag}");
        let _infallible = writeln!(times, "{last}{{peer=\"{peer}\"}} {}", at.as_second());
    }
    flags + &times
}

#[allow(clippy::cast_precision_loss, reason = "a gauge is a float; 2^53 bytes are enough")]
fn gauges(status: &Status) {
    let (ledger, spool, uploads) = (status.ledger, &status.spool, &status.uploads);
    let values = [
        ("xsa_ledger_received", ledger.received),
        ("xsa_ledger_delivered", ledger.delivered),
        ("xsa_ledger_quarantined", ledger.quarantined),
        ("xsa_ledger_spooled", ledger.spooled),
        ("xsa_ledger_damaged", ledger.damaged),
        ("xsa_spool_bytes", spool.bytes),
        ("xsa_spool_segments", spool.segments),
        ("xsa_spool_oldest_age_seconds", spool.oldest_age_s.unwrap_or(0)),
        ("xsa_spool_paused", u64::from(spool.paused)),
        ("xsa_uploads_in_flight", uploads.in_flight),
        ("xsa_store_failing", u64::from(uploads.since.is_some())),
        ("xsa_silences", status.silence.len() as u64),
        ("xsa_connections", status.connections.len() as u64),
    ];
    for (name, value) in values {
        gauge!(name).set(value as f64);
    }
}

fn spool_facts(status: spool::Status) -> Spool {
    let lanes = [&status.lanes.events, &status.lanes.quarantine, &status.lanes.logs];
    Spool {
        bytes: status.used,
        max_bytes: status.max_spool_size,
        segments: lanes.iter().map(|lane| lane.segments).sum(),
        oldest_age_s: lanes
            .iter()
            .filter_map(|lane| lane.oldest_age)
            .max()
            .map(|age| age.as_secs()),
        paused: status.paused.is_some(),
        reason: status.paused.as_ref().map(|pause| pause.reason.clone()),
        since: status.paused.as_ref().map(|pause| pause.since),
        last_sync_ms: status.last_sync.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX)),
    }
}

fn uploads(uploader: &Uploader) -> Uploads {
    let status = uploader.status();
    Uploads {
        clock_skew_s: uploader.destination().clock_skew(),
        in_flight: status.in_flight as u64,
        last_object: status.last_object,
        last_object_at: status.last_object_at,
        last_error: status.last_error,
        last_error_at: status.last_error_at,
        since: status.since,
    }
}

fn connections(house: &House) -> Vec<Connection> {
    let show = |link: Arc<crate::ingest::registry::Link>| {
        let brought = link.brought();
        Connection {
            id: link.id,
            peer: link.peer().to_string(),
            age_s: link.since.elapsed().as_secs(),
            idle_s: link.idle().as_secs(),
            bytes: brought.bytes,
            events: brought.events,
            rejected: brought.rejects,
        }
    };
    house.registry.links().into_iter().map(show).collect()
}

fn silence(house: &House) -> Vec<Silence> {
    let Some(silence) = &house.options.silence else { return Vec::new() };
    let show = |known: crate::ingest::silence::Known| Silence {
        peer: known.peer.map(|peer| peer.to_string()),
        last_event_at: known.last_event_at,
        connected: match known.peer {
            Some(peer) => is_connected(house, peer),
            None => !house.registry.is_empty(),
        },
    };
    silence.silent().into_iter().map(show).collect()
}
