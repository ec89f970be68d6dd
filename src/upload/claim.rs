//! Which segment of a lane is taken up next: decided without I/O.
//!
//! Oldest first. A segment that failed waits without a slot; the others go on. While a lane's store
//! fails, no more than `UPLOAD_CONCURRENCY` of its segments are tried in turn, plus one fresh one a
//! minute, so that a few segments that nobody ever takes (too large for a proxy, waiting for an old
//! destination) cannot hold back the rest. What waits for a reason of its own (the disk, an old
//! destination) comes after what is fresh and has at most half of the slots: an old store that
//! swallows every question would otherwise keep all of them for ever. At most [`LIMIT`] claims, and
//! [`MOST`] with those: memory does not grow with the backlog.

use std::collections::BTreeMap;
use std::time::Duration;
use tokio::time::Instant;

/// Claims of one lane at most, in the air and waiting for the store together.
pub const LIMIT: usize = 64;
/// Claims of one lane at most, with those that wait for reasons of their own: more than an outage
/// leaves behind that have been tried, or they would stand in front of all others for ever.
pub const MOST: usize = 4096;

/// A lane's claims.
#[derive(Debug, Default)]
pub struct Queue {
    claims: BTreeMap<u64, Claim>,
    next_fresh: Option<Instant>,
}

#[derive(Debug, Clone, Copy)]
struct Claim {
    /// `None`: in the air.
    due: Option<Instant>,
    tries: u32,
    is_stored: bool,
    is_own_fault: bool,
}

/// What to take up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pick {
    /// This one again; true if the store has it already and only the disk was in the way.
    Again(u64, bool),
    /// The oldest segment that is not claimed.
    Fresh,
    /// Nothing for now.
    Nothing,
}

/// How a segment is put off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PutOff {
    /// How long.
    pub wait: Duration,
    /// The store has it already.
    pub is_stored: bool,
    /// The reason is the segment's own; others may do better.
    pub is_own_fault: bool,
}

impl Queue {
    /// What to take up now, of a lane that may have `width` uploads in the air. Where nothing fresh
    /// is found, [`Queue::pick_hindered`] says what else there is to do.
    #[must_use]
    pub fn pick(&self, now: Instant, width: usize) -> Pick {
        match self.due(now, false) {
            Some(again) => again,
            None if self.takes_fresh(now, width) => Pick::Fresh,
            None => self.pick_hindered(now, width),
        }
    }

    /// A segment that waited for a reason of its own.
    #[must_use]
    pub fn pick_hindered(&self, now: Instant, width: usize) -> Pick {
        let in_flight = self.claims.values().filter(|c| c.is_own_fault && c.due.is_none()).count();
        let again = self.due(now, true).filter(|_| in_flight < (width / 2).max(1));
        again.unwrap_or(Pick::Nothing)
    }

    /// The oldest claim that is due, of those that wait for reasons of their own or of the others.
    fn due(&self, now: Instant, is_own_fault: bool) -> Option<Pick> {
        let is_due = |claim: &Claim| claim.due.is_some_and(|due| due <= now);
        let mut claims = self.claims.iter().filter(|(_, claim)| claim.is_own_fault == is_own_fault);
        let (number, claim) = claims.find(|(_, claim)| is_due(claim))?;
        Some(Pick::Again(*number, claim.is_stored))
    }

    fn takes_fresh(&self, now: Instant, width: usize) -> bool {
        let waits = |claim: &&Claim| !claim.is_own_fault || claim.due.is_none();
        let count = self.claims.values().filter(waits).count();
        match self.next_fresh {
            _ if count >= LIMIT || self.claims.len() >= MOST => false,
            None => true,
            Some(next) => count < width || next <= now,
        }
    }

    /// Whether a segment is claimed.
    #[must_use]
    pub fn holds(&self, number: u64) -> bool {
        self.claims.contains_key(&number)
    }

    /// The claimed numbers, ascending.
    #[must_use]
    pub fn numbers(&self) -> Vec<u64> {
        self.claims.keys().copied().collect()
    }

    /// A segment is in the air.
    pub fn start(&mut self, number: u64, now: Instant, spacing: Duration) {
        let claim = Claim { due: None, tries: 0, is_stored: false, is_own_fault: false };
        let claim = self.claims.entry(number).or_insert_with(|| {
            self.next_fresh = self.next_fresh.map(|_| now + spacing);
            claim
        });
        claim.due = None;
    }

    /// A try has failed; gives the number of tries so far.
    pub fn fail(&mut self, number: u64) -> u32 {
        self.claims.get_mut(&number).map_or(0, |claim| {
            claim.tries = claim.tries.saturating_add(1);
            claim.tries
        })
    }

    /// A segment waits.
    pub fn put_off(&mut self, number: u64, now: Instant, how: PutOff) {
        if let Some(claim) = self.claims.get_mut(&number) {
            claim.due = Some(now + how.wait);
            claim.is_stored |= how.is_stored;
            claim.is_own_fault = how.is_own_fault;
        }
    }

    /// A segment needs us no more.
    pub fn finish(&mut self, number: u64) {
        self.claims.remove(&number);
    }

    /// The store fails: fresh segments come one at a time.
    pub fn slow_down(&mut self, now: Instant, spacing: Duration) {
        self.next_fresh.get_or_insert(now + spacing);
    }

    /// The store is back: whatever waited for it is due, fresh segments come as slots are free.
    pub fn speed_up(&mut self, now: Instant) {
        if self.next_fresh.take().is_some() {
            self.wake(now, |claim| !claim.is_own_fault);
        }
    }

    /// Everything that waits is due.
    pub fn wake_all(&mut self, now: Instant) {
        self.wake(now, |_| true);
    }

    fn wake(&mut self, now: Instant, which: impl Fn(&Claim) -> bool) {
        for claim in self.claims.values_mut().filter(|claim| which(claim)) {
            claim.due = claim.due.map(|due| due.min(now));
        }
    }

    /// When [`Queue::pick`] may have another answer, if nothing else happens.
    #[must_use]
    pub fn next_change(&self, now: Instant) -> Option<Instant> {
        let dues = self.claims.values().filter_map(|claim| claim.due);
        dues.chain(self.next_fresh).filter(|at| *at > now).min()
    }

    /// Segments in the air.
    #[must_use]
    pub fn in_flight(&self) -> usize {
        self.claims.values().filter(|claim| claim.due.is_none()).count()
    }

    /// Segments that wait.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.claims.len() - self.in_flight()
    }
}

#[cfg(test)]
#[path = "claim/tests.rs"]
mod tests;
