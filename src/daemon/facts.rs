//! The facts that the admin listener shows, gathered from the running parts at the moment of asking.

use crate::admin::Facts;
use crate::admin::status::{Connection, Spool, Status, Uploads};
use crate::config::Settings;
use crate::ingest::House;
use crate::spool;
use crate::upload::{UploadStatus, Uploader};
use metrics::gauge;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Instant;

/// Every counter of the process; there is one recorder for its whole life.
pub(super) fn recorder() -> Option<PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    let install = || match PrometheusBuilder::new().install_recorder() {
        Ok(handle) => Some(handle),
        Err(error) => {
            tracing::warn!(%error, "metrics are off");
            None
        }
    };
    RECORDER.get_or_init(install).clone()
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
            uploads: uploads(self.uploader.status()),
            connections: connections(&self.house),
            silence: Vec::new(),
        }
    }

    fn metrics(&self) -> String {
        let Some(handle) = &self.metrics else { return String::new() };
        gauges(&self.status());
        handle.run_upkeep();
        handle.render()
    }
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

fn uploads(status: UploadStatus) -> Uploads {
    Uploads {
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
