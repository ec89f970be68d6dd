//! Who is connected: the caps, who makes room for a newcomer, and what the status page shows.
//!
//! At `MAX_CONNECTIONS_PER_PEER` a newcomer replaces its own peer's longest-idle connection; at
//! `MAX_CONNECTIONS` the same, or that of the peer with most. A half-open connection can therefore
//! never lock an appliance out.

use super::seldom::Seldom;
use crate::base::clock::SystemClock;
use metrics::{Counter, counter};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// One connection as everybody but its own task sees it.
#[derive(Debug)]
pub struct Link {
    /// Number of the connection since the process began.
    pub id: u64,
    /// The other end.
    pub remote: SocketAddr,
    /// When it was admitted.
    pub since: Instant,
    /// Asked to close, to make room for another.
    pub close: Notify,
    last_read: AtomicU64,
    bytes: AtomicU64,
    events: AtomicU64,
    rejects: AtomicU64,
}

/// What one connection has brought so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Brought {
    /// Bytes read.
    pub bytes: u64,
    /// Events accepted.
    pub events: u64,
    /// Rejected pieces, as the ledger counts them: copies of repaired events are none.
    pub rejects: u64,
}

impl Link {
    /// The peer: its address without the port.
    #[must_use]
    pub fn peer(&self) -> IpAddr {
        self.remote.ip().to_canonical()
    }

    /// Notes that something was read.
    pub fn note(&self, bytes: u64, events: u64, rejects: u64) {
        let age = u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.last_read.store(age, Ordering::Relaxed);
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.events.fetch_add(events, Ordering::Relaxed);
        self.rejects.fetch_add(rejects, Ordering::Relaxed);
    }

    /// How long nothing was read.
    #[must_use]
    pub fn idle(&self) -> Duration {
        let last = Duration::from_millis(self.last_read.load(Ordering::Relaxed));
        self.since.elapsed().saturating_sub(last)
    }

    /// What came so far.
    #[must_use]
    pub fn brought(&self) -> Brought {
        Brought {
            bytes: self.bytes.load(Ordering::Relaxed),
            events: self.events.load(Ordering::Relaxed),
            rejects: self.rejects.load(Ordering::Relaxed),
        }
    }
}

/// All connections.
#[derive(Debug)]
pub struct Registry {
    max: usize,
    max_per_peer: usize,
    state: Mutex<State>,
    replaced: Counter,
    said: Seldom,
    clock: SystemClock,
}

#[derive(Debug, Default)]
struct State {
    next_id: u64,
    links: HashMap<u64, Arc<Link>>,
}

/// A connection's place; given back when dropped, also by a panic.
#[derive(Debug)]
pub struct Place<'a> {
    registry: &'a Registry,
    link: Arc<Link>,
}

impl Place<'_> {
    /// The connection.
    #[must_use]
    pub fn link(&self) -> &Arc<Link> {
        &self.link
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.registry.lock().links.remove(&self.link.id);
    }
}

impl Registry {
    /// An empty registry with its caps.
    #[must_use]
    pub fn new(max: usize, max_per_peer: usize) -> Self {
        let replaced = counter!("xsa_connections_replaced_total");
        let (said, clock) = (Seldom::default(), SystemClock::default());
        Self { max, max_per_peer, state: Mutex::default(), replaced, said, clock }
    }

    /// Gives a newcomer a place, asking another connection to go if there is none.
    pub fn admit(&self, remote: SocketAddr) -> Place<'_> {
        let mut state = self.lock();
        if let Some(leaver) = self.leaver(&state, remote.ip().to_canonical()) {
            self.say(&leaver);
            leaver.close.notify_one();
            state.links.remove(&leaver.id);
        }
        let link = state.add(remote);
        Place { registry: self, link }
    }

    /// Everybody who is connected, oldest first.
    #[must_use]
    pub fn links(&self) -> Vec<Arc<Link>> {
        let mut links: Vec<_> = self.lock().links.values().cloned().collect();
        links.sort_by_key(|link| link.id);
        links
    }

    /// How many are connected.
    #[must_use]
    pub fn len(&self) -> usize {
        self.lock().links.len()
    }

    /// Whether nobody is connected.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Counts it always, and says it unless it was said a moment ago.
    fn say(&self, leaver: &Link) {
        self.replaced.increment(1);
        if let Some(unsaid) = self.said.due(&self.clock) {
            tracing::warn!(
                peer = %leaver.peer(), idle_s = leaver.idle().as_secs(), unsaid,
                "connection cap reached: the longest-idle connection makes room for a new one; raise MAX_CONNECTIONS or MAX_CONNECTIONS_PER_PEER if they are all yours"
            );
        }
    }

    fn leaver(&self, state: &State, newcomer: IpAddr) -> Option<Arc<Link>> {
        let own = state.links.values().filter(|link| link.peer() == newcomer).count();
        if own >= self.max_per_peer {
            return state.longest_idle(newcomer);
        }
        if state.links.len() < self.max {
            return None;
        }
        let peer = if own > 0 { newcomer } else { state.largest_peer()? };
        state.longest_idle(peer)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, remote: SocketAddr) -> Arc<Link> {
        self.next_id += 1;
        let link = Arc::new(Link {
            id: self.next_id,
            remote,
            since: Instant::now(),
            close: Notify::new(),
            last_read: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            events: AtomicU64::new(0),
            rejects: AtomicU64::new(0),
        });
        self.links.insert(link.id, Arc::clone(&link));
        link
    }

    fn longest_idle(&self, peer: IpAddr) -> Option<Arc<Link>> {
        let of_peer = self.links.values().filter(|link| link.peer() == peer);
        of_peer.max_by_key(|link| link.idle()).cloned()
    }

    fn largest_peer(&self) -> Option<IpAddr> {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for link in self.links.values() {
            *counts.entry(link.peer()).or_default() += 1;
        }
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(peer, _)| peer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addr(last: u8, port: u16) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, last], port))
    }

    #[test]
    fn a_place_is_given_back_when_dropped() {
        let registry = Registry::new(2, 2);
        let place = registry.admit(addr(1, 1));
        assert_eq!(registry.len(), 1);
        drop(place);
        assert!(registry.is_empty());
    }

    #[test]
    fn at_the_peers_cap_its_own_longest_idle_connection_goes() {
        let registry = Registry::new(10, 2);
        let (first, other, second) =
            (registry.admit(addr(1, 1)), registry.admit(addr(2, 1)), registry.admit(addr(1, 2)));
        std::thread::sleep(Duration::from_millis(2)); // the idle time is what is compared
        first.link().note(1, 0, 0);
        other.link().note(1, 0, 0);
        let third = registry.admit(addr(1, 3));
        let ids: Vec<u64> = registry.links().iter().map(|link| link.id).collect();
        assert_eq!(ids, [first.link().id, other.link().id, third.link().id]);
        drop(second); // already replaced; gives nothing back twice
        assert_eq!(registry.len(), 3);
    }

    #[test]
    fn at_the_overall_cap_a_stranger_replaces_one_of_the_peer_with_most() {
        let registry = Registry::new(3, 3);
        let _places =
            [registry.admit(addr(1, 1)), registry.admit(addr(1, 2)), registry.admit(addr(2, 1))];
        let _newcomer = registry.admit(addr(3, 1));
        let peers: Vec<IpAddr> = registry.links().iter().map(|link| link.peer()).collect();
        assert_eq!(peers.iter().filter(|p| **p == addr(1, 0).ip()).count(), 1);
        assert_eq!(registry.len(), 3);
    }
}
