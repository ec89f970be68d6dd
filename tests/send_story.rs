//! `send` against plain sockets: what it says it handed over is what arrived.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::collections::HashSet;
use std::io::Read;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::process::{Command, Output, Stdio};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

fn send(to: SocketAddr, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xml-stream-aggregator"));
    command.args(["send", "--to", &to.to_string()]).args(arguments).output().unwrap()
}

fn shown(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Reads this many connections to their end; gives each one's bytes.
fn receiver(connections: usize) -> (SocketAddr, JoinHandle<Vec<Vec<u8>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let read = |listener: &TcpListener| {
        let (mut stream, _) = listener.accept().unwrap();
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            stream.read_to_end(&mut bytes).unwrap();
            bytes
        })
    };
    let to = listener.local_addr().unwrap();
    let all = std::thread::spawn(move || {
        let readers: Vec<_> = (0..connections).map(|_| read(&listener)).collect();
        readers.into_iter().map(|reader| reader.join().unwrap()).collect()
    });
    (to, all)
}

fn row_ids(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    let rows =
        text.split("<cn>").skip(1).map(|rest| rest.split("</cn>").next().unwrap().to_owned());
    rows.collect()
}

#[test]
fn the_count_is_shared_by_all_connections_and_every_event_arrives_once() {
    let (to, received) = receiver(3);
    let output = send(to, &["--count", "1000", "--connections", "3", "--seed", "4"]);
    assert_eq!(output.status.code(), Some(0));
    let received = received.join().unwrap();
    let rows: Vec<String> = received.iter().flat_map(|bytes| row_ids(bytes)).collect();
    assert_eq!(rows.len(), 1_000);
    assert_eq!(rows.iter().collect::<HashSet<_>>().len(), 1_000);
    assert!(received.iter().all(|bytes| (333..=334).contains(&row_ids(bytes).len())));
    let text = shown(&output);
    assert!(text.contains("1,000 good, 0 repairable, 0 beyond repair"), "{text}");
    assert!(text.contains("expect     1,000 delivered, 0 quarantined"), "{text}");
}

#[test]
fn the_same_seed_sends_the_same_bytes() {
    let once = || {
        let (to, received) = receiver(1);
        send(to, &["--count", "200", "--seed", "9", "--malformed", "20%", "--style", "oneline"]);
        received.join().unwrap()
    };
    assert_eq!(once(), once());
}

#[test]
fn a_rate_is_kept() {
    let (to, received) = receiver(2);
    let start = Instant::now();
    send(to, &["--count", "41", "--rate", "40", "--connections", "2"]);
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(900), "{took:?}");
    assert_eq!(received.join().unwrap().concat().iter().filter(|byte| **byte == b'?').count(), 82);
}

#[test]
fn nobody_listening_is_an_error_that_says_what_to_do() {
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let output = send(unused, &["--count", "10"]);
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("cannot connect") && text.contains("--to"), "{text}");
    assert!(text.contains("10 were not handed over"), "{text}");
}

#[test]
fn a_receiver_that_goes_away_is_an_error_with_the_number_of_events() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let gone = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 1_000]).unwrap();
    });
    let output = send(to, &["--count", "500000"]);
    gone.join().unwrap();
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("broke") && text.contains("were not handed over"), "{text}");
    assert!(shown(&output).starts_with("sent "), "{}", shown(&output));
}

#[test]
fn over_udp_every_event_is_a_datagram() {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let output = send(socket.local_addr().unwrap(), &["--udp", "--count", "20"]);
    assert_eq!(output.status.code(), Some(0));
    let mut buffer = [0; 65_535];
    for _ in 0..20 {
        let length = socket.recv(&mut buffer).unwrap();
        let text = std::str::from_utf8(&buffer[..length]).unwrap();
        assert!(text.starts_with("<?xml") && text.trim_end().ends_with("</EVENT>"));
    }
}

#[test]
fn a_receiver_that_takes_the_connection_but_never_reads_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let to = listener.local_addr().unwrap();
    let deaf = std::thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        stream.peek(&mut [0]).unwrap();
    });
    let output = send(to, &["--count", "5"]);
    deaf.join().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn ctrl_c_ends_it_with_what_was_handed_over_so_far() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_xml-stream-aggregator"));
    command.args(["send", "--to", &listener.local_addr().unwrap().to_string()]);
    command.args(["--count", "1000", "--rate", "100"]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut received = vec![0; 5_000];
    let (mut stream, _) = listener.accept().unwrap();
    stream.read_exact(&mut received).unwrap();
    let interrupt = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupt.unwrap().success());
    stream.read_to_end(&mut received).unwrap();
    drop(stream);
    let output = child.wait_with_output().unwrap();
    let arrived = row_ids(&received).len();
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stderr.clone()).unwrap();
    assert!(text.contains(&format!("{} were not handed over", 1_000 - arrived)), "{text}");
    assert!(shown(&output).starts_with(&format!("sent       {arrived} (")), "{}", shown(&output));
}
