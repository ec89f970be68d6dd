//! Datagrams (`UDP_PORT`): each is a connection of its own, one or more whole events.
//!
//! Nothing can be pushed back: what comes while reading is stopped, or while the process is down,
//! is dropped by the kernel. The promise begins at the read. An unfinished end is `truncated`.

use super::House;
use super::sieve::{GiveUp, Sieve};
use super::worker::{Origin, Sifted, Sorted};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::UdpSocket;

/// The largest datagram there can be, in bytes.
const LARGEST: usize = 65_535;

/// Receives until the order to stop; the last datagram received is in the spool by then.
pub async fn receive(socket: UdpSocket, house: Arc<House>) {
    let mut stop = house.stop.clone();
    let mut buffer = vec![0; LARGEST];
    let mut sorted = Sorted::default();
    loop {
        let received = tokio::select! {
            biased;
            received = socket.recv_from(&mut buffer) => received,
            _ = stop.changed() => return,
        };
        match received {
            Ok((length, from)) => {
                take(&house, buffer.get(..length).unwrap_or_default(), from, &mut sorted).await;
            }
            Err(error) => tracing::warn!(%error, "a datagram could not be received"),
        }
    }
}

async fn take(house: &House, datagram: &[u8], from: SocketAddr, sorted: &mut Sorted) {
    let mut sieve = Sieve::new(Arc::clone(&house.sieve));
    let peer = from.ip().to_canonical();
    let text = peer.to_string();
    let origin = Origin { peer, peer_text: &text, received_at: house.clock.wall() };
    house.tally.bytes_read.increment(datagram.len() as u64);
    let consumed = match sorted.sift(house, origin, &mut sieve, datagram, 0, None) {
        Sifted::Consumed(consumed) => consumed,
        Sifted::Panicked => datagram.len(),
    };
    append(house, sorted).await;
    let rest = datagram.get(consumed..).unwrap_or_default();
    sorted.sift(house, origin, &mut sieve, rest, consumed as u64, Some(GiveUp::End));
    append(house, sorted).await;
}

async fn append(house: &House, sorted: &mut Sorted) {
    let mut changes = house.spool.pause_changes();
    let mut stop = house.stop.clone();
    while !sorted.append(house) {
        if *stop.borrow() {
            let lane = sorted.waiting_lane().name();
            tracing::error!(
                lane,
                "the spool has no room and the process must end: the last datagram is lost"
            );
            return;
        }
        if house.spool.has_room(sorted.waiting_lane()) {
            continue;
        }
        tokio::select! {
            _ = changes.changed() => {}
            _ = stop.changed() => {}
        }
    }
}
