//! Datagrams (`UDP_PORT`): each is a connection of its own, one or more whole events.
//!
//! Nothing can be pushed back: what comes while reading is stopped, or while the process is down,
//! is dropped by the kernel, whose count of that is a metric. The promise begins at the read. An
//! unfinished end is `truncated`.

use super::sieve::{GiveUp, Sieve};
use super::worker::{Origin, Sifted, Sorted};
use super::{House, LAST_READS};
use metrics::counter;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep};

/// The largest datagram there can be, in bytes.
const LARGEST: usize = 65_535;

/// How often the kernel is asked what it dropped.
const ASK: Duration = Duration::from_secs(1);

/// Receives until the order to stop; the last datagram received is in the spool by then.
pub async fn receive(socket: UdpSocket, house: Arc<House>) {
    let inode = rustix::fs::fstat(&socket).map(|facts| facts.st_ino).ok();
    tokio::select! {
        () = take_all(&socket, &house) => {}
        () = count_dropped(inode) => {}
    }
}

/// For as long as it is polled, also while reading is stopped.
async fn count_dropped(inode: Option<u64>) {
    let total = counter!("xsa_datagrams_dropped_total");
    loop {
        if let Some(dropped) = inode.and_then(dropped) {
            total.absolute(dropped);
        }
        sleep(ASK).await;
    }
}

/// What the kernel has dropped at a socket; `None` where it does not say.
fn dropped(inode: u64) -> Option<u64> {
    ["/proc/net/udp", "/proc/net/udp6"].iter().find_map(|table| {
        let table = std::fs::read_to_string(table).ok()?;
        table.lines().find_map(|line| dropped_in(line, inode))
    })
}

/// `sl local remote st queues timer retransmits uid timeout inode refs pointer drops`.
fn dropped_in(line: &str, inode: u64) -> Option<u64> {
    let mut columns = line.split_whitespace().skip(9);
    let is_it = columns.next()?.parse() == Ok(inode);
    columns.nth(2).filter(|_| is_it)?.parse().ok()
}

async fn take_all(socket: &UdpSocket, house: &Arc<House>) {
    let mut stop = house.stop.clone();
    let mut buffer = vec![0; LARGEST];
    let mut sorted = Sorted::default();
    let mut end = None;
    loop {
        // Whoever never stops sending does not hold up the end.
        if *stop.borrow()
            && Instant::now() >= *end.get_or_insert_with(|| Instant::now() + LAST_READS)
        {
            return;
        }
        let received = tokio::select! {
            biased;
            received = socket.recv_from(&mut buffer) => received,
            _ = stop.changed() => return,
        };
        match received {
            Ok((length, from)) => {
                take(house, buffer.get(..length).unwrap_or_default(), from, &mut sorted).await;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_count_is_found_by_the_sockets_inode() {
        let line = "  453: 0100007F:1F90 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 22911 2 0000000000000000 17";
        assert_eq!(dropped_in(line, 22911), Some(17));
        assert_eq!(dropped_in(line, 2291), None);
        assert_eq!(dropped_in("   sl  local_address rem_address   st", 22911), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_finds_no_room_in_the_socket_is_counted() {
        let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        let inode = rustix::fs::fstat(&socket).unwrap().st_ino;
        assert_eq!(dropped(inode), Some(0));
        let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
        for _ in 0..1000 {
            sender.send_to(&[b'x'; 60_000], socket.local_addr().unwrap()).unwrap();
        }
        assert!(dropped(inode).unwrap() > 0);
    }
}
