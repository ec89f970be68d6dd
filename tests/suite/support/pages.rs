//! The admin pages, asked over a plain socket so that a test decides every byte of the request.

use super::process::Daemon;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// An answer may take so long.
pub const LIMIT: Duration = Duration::from_secs(30);

/// Where the admin listener is.
pub fn address(daemon: &Daemon) -> SocketAddr {
    daemon.wait_for("status page on http://");
    let log = daemon.log();
    let (_, rest) = log.split_once("status page on http://").unwrap();
    rest.split_once('/').unwrap().0.parse().unwrap()
}

/// Status code and body of a GET.
pub fn get(daemon: &Daemon, path: &str) -> (u16, String) {
    let host = address(daemon).to_string();
    ask(daemon, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
}

/// The answer to these bytes; code 0: closed without one.
pub fn ask(daemon: &Daemon, request: &str) -> (u16, String) {
    let mut socket = TcpStream::connect(address(daemon)).unwrap();
    socket.set_read_timeout(Some(LIMIT)).unwrap();
    // A request that is refused early may be cut off while it is written.
    let _ = socket.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    let text = String::from_utf8_lossy(&answer).into_owned();
    let code = text.get(9..12).and_then(|code| code.parse().ok()).unwrap_or(0);
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (code, body.to_owned())
}

/// The sum of all samples of a metric whose line contains `label`.
pub fn metric(daemon: &Daemon, name: &str, label: &str) -> u64 {
    let (code, text) = get(daemon, "/metrics");
    assert_eq!(code, 200, "{text}");
    let lines = text.lines().filter(|line| {
        let rest = line.strip_prefix(name);
        rest.is_some_and(|rest| rest.starts_with(['{', ' ']) && rest.contains(label))
    });
    let value = |line: &str| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap();
    lines.map(value).sum::<f64>() as u64
}
