//! Takes connections from the listener, as many as the caps allow, and serves each on a task of its own.

use super::House;
use super::connection::serve;
use super::misuse::Misuse;
use super::registry::{Link, Registry};
use super::tls::{Gate, HANDSHAKE_TIMEOUT};
use ipnet::IpNet;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_rustls::server::TlsStream;

/// A dead peer is noticed after 60 s + 6 × 10 s, also when it was only ever silent.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);
const KEEPALIVE_RETRIES: u32 = 6;
/// Pause after an `accept` that failed for lack of file descriptors or memory.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Accepts until the order to stop, then returns when every connection has handed over what it had.
///
/// Whoever was replaced with rejected bytes in hand, for which there is no room, stays until there
/// is: at twice `MAX_CONNECTIONS` newcomers wait in the kernel, or those that stay would take all
/// memory and file descriptors.
pub async fn accept(listener: TcpListener, house: Arc<House>) {
    let mut stop = house.stop.clone();
    let mut tasks = JoinSet::new();
    let most = house.options.max_connections.saturating_mul(2);
    let mut is_crowded = false;
    while !*stop.borrow() {
        note_crowd(&mut is_crowded, tasks.len() >= most);
        tokio::select! {
            accepted = listener.accept(), if !is_crowded => match accepted {
                Ok((stream, remote)) => admit(stream, remote, &house, &mut tasks),
                Err(error) => refuse(&error).await,
            },
            Some(ended) = tasks.join_next() => note_end(ended),
            _ = stop.changed() => {}
        }
    }
    drop(listener);
    while let Some(ended) = tasks.join_next().await {
        note_end(ended);
    }
}

fn admit(stream: TcpStream, remote: SocketAddr, house: &Arc<House>, tasks: &mut JoinSet<()>) {
    let peer = remote.ip().to_canonical();
    if !is_allowed(&house.options.allow_from, peer) {
        metrics::counter!("xsa_connections_refused_total").increment(1);
        if let Some(unsaid) = house.refused.due(&*house.clock) {
            tracing::warn!(%peer, unsaid, "refused: not in ALLOW_FROM; add it there if it is one of yours");
        }
        return reset(&stream);
    }
    if let Err(error) = prepare(&stream) {
        tracing::warn!(%peer, %error, "TCP keepalive could not be set; a dead peer may go unnoticed");
    }
    metrics::counter!("xsa_connections_total").increment(1);
    tasks.spawn(attend(stream, remote, Arc::clone(house)));
}

async fn attend(stream: TcpStream, remote: SocketAddr, house: Arc<House>) {
    let registry: &Registry = &house.registry;
    let place = registry.admit(remote);
    house.visits.opened(place.link().peer(), registry.len(), &*house.clock);
    let link = Arc::clone(place.link());
    let Some(gate) = &house.options.tls else {
        return serve(stream, link, Arc::clone(&house)).await;
    };
    if let Some(stream) = shake_hands(stream, gate, &link, &house).await {
        serve(stream, link, Arc::clone(&house)).await;
    }
}

/// The TLS handshake; `None`: it failed, took too long, or the connection has to go.
async fn shake_hands(
    stream: TcpStream,
    gate: &Gate,
    link: &Link,
    house: &House,
) -> Option<TlsStream<TcpStream>> {
    let mut stop = house.stop.clone();
    let shaken = tokio::select! {
        shaken = timeout(HANDSHAKE_TIMEOUT, gate.acceptor().accept(stream)) => shaken,
        _ = stop.wait_for(|stop| *stop) => return None,
        () = link.close.notified() => return None,
    };
    let (misuse, detail) = match shaken {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(error)) => (Misuse::of(&error), error.to_string()),
        Err(_) => (Misuse::TooSlow, String::new()),
    };
    house.misuse.note(misuse, link.peer(), &detail, &*house.clock);
    None
}

fn is_allowed(allowed: &[IpNet], peer: IpAddr) -> bool {
    allowed.is_empty() || allowed.iter().any(|net| net.contains(&peer))
}

fn prepare(stream: &TcpStream) -> io::Result<()> {
    let keepalive = TcpKeepalive::new()
        .with_time(KEEPALIVE_IDLE)
        .with_interval(KEEPALIVE_INTERVAL)
        .with_retries(KEEPALIVE_RETRIES);
    SockRef::from(stream).set_tcp_keepalive(&keepalive)
}

/// Closes so that the sender cannot take it for an orderly end after which all was read. Where the
/// option is refused, bytes that are still unread have the same effect.
fn reset(stream: &TcpStream) {
    let _only_less_clear = SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

async fn refuse(error: &io::Error) {
    tracing::warn!(%error, "a connection could not be accepted; trying on (too many open files? raise the limit)");
    tokio::time::sleep(ACCEPT_PAUSE).await; // the condition ends by itself; a tight loop would not help it
}

/// Says once that nobody is let in, and once that it is over.
fn note_crowd(before: &mut bool, now: bool) {
    match (std::mem::replace(before, now), now) {
        (false, true) => tracing::warn!(
            "no more connections are taken: twice MAX_CONNECTIONS wait for room to hand over what they have read; see why reading is stopped"
        ),
        (true, false) => tracing::info!("connections are taken again"),
        _ => {}
    }
}

fn note_end(ended: Result<(), tokio::task::JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a connection's task failed; its unfinished bytes are lost: please report this");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_allows_everybody_and_a_list_only_its_networks() {
        let peer: IpAddr = [10, 1, 2, 3].into();
        assert!(is_allowed(&[], peer));
        let nets: Vec<IpNet> = vec!["10.1.0.0/16".parse().unwrap()];
        assert!(is_allowed(&nets, peer));
        assert!(!is_allowed(&nets, [10, 2, 0, 1].into()));
    }
}
