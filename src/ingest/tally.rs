//! The intake's counters, each increased in the code path that moves the bytes.
//!
//! A repair is also said in the log, by the name of its rule, once in a while.
//! Labels come from closed sets (reasons, rules), so their number is bounded.

use super::seldom::Seldom;
use crate::base::clock::Clock;
use crate::event::{Reason, Repair};
use metrics::{Counter, counter};
use std::net::IpAddr;

/// Handles to the intake's counters.
#[derive(Debug)]
pub(super) struct Tally {
    pub(super) bytes_read: Counter,
    pub(super) bytes_skipped: Counter,
    pub(super) events: Counter,
    pub(super) rescued: Counter,
    pub(super) copies_dropped: Counter,
    rejected: Vec<(Reason, Counter)>,
    repaired: Vec<(Repair, Counter, Seldom)>,
}

impl Default for Tally {
    fn default() -> Self {
        let rejected = |r: Reason| (r, counter!("xsa_pieces_rejected_total", "reason" => r.name()));
        let repaired = |r: Repair| {
            (r, counter!("xsa_events_repaired_total", "rule" => r.name()), Seldom::default())
        };
        Self {
            bytes_read: counter!("xsa_socket_bytes_total"),
            bytes_skipped: counter!("xsa_skipped_bytes_total"),
            events: counter!("xsa_events_framed_total"),
            rescued: counter!("xsa_events_rescued_total"),
            copies_dropped: counter!("xsa_repair_copies_dropped_total"),
            rejected: Reason::ALL.into_iter().map(rejected).collect(),
            repaired: Repair::ALL.into_iter().map(repaired).collect(),
        }
    }
}

impl Tally {
    /// Counts a rejected piece.
    pub(super) fn rejected(&self, reason: Reason) {
        if let Some((_, counter)) = self.rejected.iter().find(|(r, _)| *r == reason) {
            counter.increment(1);
        }
    }

    /// Counts a repaired event, once for each rule that mended it, and says so once in a while.
    pub(super) fn repaired(&self, rules: &[Repair], peer: IpAddr, clock: &dyn Clock) {
        for (rule, counter, seldom) in self.repaired.iter().filter(|(r, ..)| rules.contains(r)) {
            counter.increment(1);
            if let Some(unsaid) = seldom.due(clock) {
                let rule = rule.name();
                tracing::info!(%peer, rule, unsaid, "an event was mended and delivered");
            }
        }
    }
}
