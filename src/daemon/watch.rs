//! What is looked at once a second: who fell silent, and what of our own messages is to be written.
//!
//! On a thread of its own, because writing may wait for the disk.

use super::logbook::Logbook;
use crate::ingest::House;
use crate::spool::Lane;
use metrics_exporter_prometheus::PrometheusHandle;
use std::net::IpAddr;
use std::sync::Arc;

/// What the looking needs.
pub(super) struct Watch {
    pub(super) house: Arc<House>,
    pub(super) logbook: Option<Arc<Logbook>>,
    pub(super) instance: String,
    pub(super) metrics: Option<PrometheusHandle>,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Watch")
    }
}

impl Watch {
    /// One look.
    pub(super) fn look(&self) {
        self.look_for_silence();
        self.write_logs();
        if let Some(metrics) = &self.metrics {
            metrics.run_upkeep(); // samples of histograms would pile up while nobody scrapes
        }
    }

    /// Into the spool with what was said since the last look.
    pub(super) fn write_logs(&self) {
        if let Some(logbook) = &self.logbook {
            logbook.write(&self.house.spool, &self.instance);
        }
    }

    /// The last look of the process.
    pub(super) fn end(&self) {
        if let Some(silence) = &self.house.options.silence {
            silence.save();
        }
        self.write_logs();
    }

    fn look_for_silence(&self) {
        let Some(silence) = &self.house.options.silence else { return };
        let is_paused = self.house.spool.pause_changes().borrow().blocks(Lane::Events);
        silence.look(is_paused, &|peer| is_connected(&self.house, peer));
    }
}

/// Whether a peer has a connection at this moment.
pub(super) fn is_connected(house: &House, peer: IpAddr) -> bool {
    house.registry.links().iter().any(|link| link.peer() == peer)
}
