//! How fast one peer may send (`RATE_LIMIT_…`): reading it waits, nothing is ever dropped.
//!
//! A peer has `RATE_LIMIT_MAX_EVENTS` in hand and gets as many back per `RATE_LIMIT_WINDOW`. Events
//! and rejected pieces count alike, all connections of a peer together, also across reconnects. One
//! read may overdraw; the peer then waits until that is paid off, and TCP holds it back meanwhile.
//! What is remembered of a peer is one point in time, of at most `MOST_PEERS` peers: the one that
//! owes least is forgotten first. Datagrams cannot be held back and are not slowed.

use super::House;
use super::registry::Link;
use super::seldom::Seldom;
use metrics::{Counter, counter};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// Peers that are remembered at once.
const MOST_PEERS: usize = 4096;
/// While it waits, a connection says this often that it is not idle.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// The limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// `RATE_LIMIT_WINDOW`.
    pub window: Duration,
    /// `RATE_LIMIT_MAX_EVENTS`, at least 1.
    pub max_events: u64,
}

/// Who has sent how much.
#[derive(Debug)]
pub(super) struct Pace {
    limit: Limit,
    /// When each peer has everything in hand again, on the monotonic clock.
    whole_at: Mutex<HashMap<IpAddr, Duration>>,
    waits: Counter,
    said: Seldom,
}

impl Pace {
    pub(super) fn new(limit: Limit) -> Self {
        let waits = counter!("xsa_rate_limit_waits_total");
        Self { limit, whole_at: Mutex::default(), waits, said: Seldom::default() }
    }

    /// Notes what a peer has brought.
    pub(super) fn spend(&self, peer: IpAddr, events: u64, now: Duration) {
        if events == 0 {
            return;
        }
        let mut peers = self.lock();
        if peers.len() >= MOST_PEERS && !peers.contains_key(&peer) {
            make_room(&mut peers, now);
        }
        let whole_at = peers.entry(peer).or_default();
        *whole_at = (*whole_at).max(now) + self.time_for(events);
    }

    /// How long a peer must not be read; `None`: it may be.
    pub(super) fn wait(&self, peer: IpAddr, now: Duration) -> Option<Duration> {
        let whole_at = self.lock().get(&peer).copied()?;
        let wait = whole_at.saturating_sub(now + self.limit.window);
        (wait > Duration::ZERO).then_some(wait)
    }

    fn time_for(&self, events: u64) -> Duration {
        let nanos = self.limit.window.as_nanos().saturating_mul(events.into());
        let nanos = nanos / u128::from(self.limit.max_events.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<IpAddr, Duration>> {
        self.whole_at.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Forgets who owes nothing, or else who owes least.
fn make_room(peers: &mut HashMap<IpAddr, Duration>, now: Duration) {
    peers.retain(|_, whole_at| *whole_at > now);
    let least = peers.iter().min_by_key(|(_, whole_at)| **whole_at).map(|(peer, _)| *peer);
    if let Some(peer) = least.filter(|_| peers.len() >= MOST_PEERS) {
        peers.remove(&peer);
    }
}

/// Waits until the peer of a connection may be read again, the process has to end, or the
/// connection has to go; true: it has to go.
pub(super) async fn hold(house: &House, link: &Link, stop: &mut watch::Receiver<bool>) -> bool {
    let Some(pace) = &house.pace else { return false };
    let mut first = true;
    while let Some(wait) = pace.wait(link.peer(), house.clock.monotonic()) {
        if std::mem::take(&mut first) {
            note(pace, house, link, wait);
        }
        tokio::select! {
            () = tokio::time::sleep(wait.min(SIGN_OF_LIFE)) => link.note(0, 0, 0),
            () = link.close.notified() => return true,
            _ = stop.wait_for(|stop| *stop) => return false,
        }
    }
    false
}

fn note(pace: &Pace, house: &House, link: &Link, wait: Duration) {
    pace.waits.increment(1);
    if let Some(unsaid) = pace.said.due(&*house.clock) {
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(
            peer = %link.peer(), wait_ms, unsaid,
            "slowed down: this peer sends more than RATE_LIMIT_MAX_EVENTS in RATE_LIMIT_WINDOW; nothing is dropped, raise the limit if it should be faster"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn pace(max_events: u64) -> Pace {
        Pace::new(Limit { window: SECOND * 10, max_events })
    }

    fn peer(n: u32) -> IpAddr {
        std::net::Ipv4Addr::from(n).into()
    }

    #[test]
    fn what_is_in_hand_goes_at_full_speed_and_the_rest_at_the_rate() {
        let pace = pace(100);
        pace.spend(peer(1), 100, SECOND);
        assert_eq!(pace.wait(peer(1), SECOND), None);
        pace.spend(peer(1), 50, SECOND);
        assert_eq!(pace.wait(peer(1), SECOND), Some(SECOND * 5));
        assert_eq!(pace.wait(peer(1), SECOND * 5), Some(SECOND));
        assert_eq!(pace.wait(peer(1), SECOND * 6), None);
    }

    #[test]
    fn a_peer_does_not_save_up_more_than_a_window() {
        let pace = pace(100);
        pace.spend(peer(1), 1, Duration::ZERO);
        pace.spend(peer(1), 110, SECOND * 1000);
        assert_eq!(pace.wait(peer(1), SECOND * 1000), Some(SECOND));
    }

    #[test]
    fn another_peer_is_not_slowed() {
        let pace = pace(1);
        pace.spend(peer(1), 1000, Duration::ZERO);
        assert!(pace.wait(peer(1), Duration::ZERO).is_some());
        assert_eq!(pace.wait(peer(2), Duration::ZERO), None);
    }

    #[test]
    fn so_many_peers_are_remembered_and_who_owes_least_is_forgotten_first() {
        let pace = pace(100);
        for n in 0..5000 {
            pace.spend(peer(n), if n == 0 { 10_000 } else { 200 }, Duration::ZERO);
        }
        assert_eq!(pace.lock().len(), MOST_PEERS);
        assert!(pace.wait(peer(0), Duration::ZERO).is_some());
        assert!(pace.wait(peer(4999), Duration::ZERO).is_some());
        pace.spend(peer(6000), 1, SECOND * 100);
        assert_eq!(pace.lock().len(), 2, "who owes nothing is forgotten");
    }

    #[test]
    fn a_limit_beyond_all_reason_does_not_overflow() {
        let pace = Pace::new(Limit { window: SECOND * 86_400, max_events: 1 });
        pace.spend(peer(1), u64::MAX, SECOND);
        assert!(pace.wait(peer(1), SECOND).is_some());
    }
}
