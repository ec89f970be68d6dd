//! The clients of the admin listener: at most so many, and nobody has to wait for a place.
//!
//! A newcomer that finds no place takes that of the oldest client of the address with most. Silent
//! clients can therefore not keep a health check from its answer.

use super::MOST_CLIENTS;
use std::collections::HashMap;
use std::net::IpAddr;
use tokio::task::{AbortHandle, JoinSet};

/// Everybody who is being served, oldest first.
#[derive(Debug, Default)]
pub(super) struct Clients {
    tasks: JoinSet<()>,
    open: Vec<(IpAddr, AbortHandle)>,
}

impl Clients {
    /// Serves a newcomer.
    pub(super) fn admit(
        &mut self,
        peer: IpAddr,
        serving: impl Future<Output = ()> + Send + 'static,
    ) {
        self.open.retain(|(_, task)| !task.is_finished());
        if self.open.len() >= MOST_CLIENTS {
            self.make_room();
        }
        let task = self.tasks.spawn(serving);
        self.open.push((peer.to_canonical(), task));
    }

    /// Completes when one of them has ended; never while there is none.
    pub(super) async fn ended(&mut self) {
        match self.tasks.join_next().await {
            Some(Err(error)) if error.is_panic() => {
                tracing::warn!(%error, "a request to the admin listener failed; please report it");
            }
            Some(_) => {}
            None => std::future::pending().await,
        }
    }

    /// Lets those who are being served go on by themselves.
    pub(super) fn leave(mut self) {
        self.tasks.detach_all();
    }

    fn make_room(&mut self) {
        let mut counts: HashMap<IpAddr, usize> = HashMap::new();
        for (peer, _) in &self.open {
            *counts.entry(*peer).or_default() += 1;
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count).map(|(peer, _)| peer);
        if let Some(at) = self.open.iter().position(|(peer, _)| Some(*peer) == most) {
            self.open.remove(at).1.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::future::pending;

    #[tokio::test]
    async fn the_oldest_of_the_address_with_most_makes_room() {
        let (many, one): (IpAddr, IpAddr) = ([10, 0, 0, 1].into(), [10, 0, 0, 2].into());
        let mut clients = Clients::default();
        clients.admit(one, pending());
        for _ in 1..MOST_CLIENTS {
            clients.admit(many, pending());
        }
        let first_of_many = clients.open[1].1.clone();
        clients.admit(one, pending());
        clients.ended().await;
        assert!(first_of_many.is_finished());
        assert_eq!(clients.open.len(), MOST_CLIENTS);
        assert_eq!(clients.open.iter().filter(|(peer, _)| *peer == one).count(), 2);
    }

    #[tokio::test]
    async fn who_was_served_holds_no_place() {
        let mut clients = Clients::default();
        for _ in 0..3 * MOST_CLIENTS {
            clients.admit([10, 0, 0, 1].into(), std::future::ready(()));
            clients.ended().await;
        }
        clients.admit([10, 0, 0, 1].into(), std::future::ready(()));
        assert_eq!(clients.open.len(), 1);
    }
}
