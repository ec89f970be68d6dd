//! What the program costs: the simulated stream through a real socket, the spool and an S3 protocol
//! server, beside a floor measured in the same run.
//!
//! The program runs as a process of its own, as does the floor (this binary again, with an
//! argument), so that neither the appliances nor the store are counted. The floor receives, writes,
//! fdatasyncs and sends the same bytes over HTTP, and does nothing else: no framing, no checks, no
//! signatures. Prints CPU seconds per GB, events a second and peak resident memory, and the ratio.
//!
//! `BENCH_MB` (default 256) says how much is sent, `BENCH_CONNECTIONS` (8) over how many sockets.
//! Ends with code 1 if the program is above `BENCH_MAX_RATIO` (4) or `BENCH_MAX_MIB` (64), or if the
//! store does not hold each event.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a measurement that cannot be made ends by panicking"
)]
#![allow(clippy::disallowed_methods, reason = "stands outside of the program")]

#[path = "../tests/suite/support/mod.rs"]
#[allow(dead_code, unused_imports, reason = "the drills use more of it")]
mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};
use support::appliance::Factory;
use support::process::{Daemon, Site, wait_until};
use support::store::Store;

/// As much as `MAX_FILE_SIZE` is by default.
const FILE_SIZE: u64 = 10 * 1024 * 1024;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [mode, folder, sink] = arguments.as_slice()
        && mode == "floor"
    {
        return floor::run(PathBuf::from(folder), sink.parse().unwrap());
    }
    let load = Load::new(setting("BENCH_MB", 256), setting("BENCH_CONNECTIONS", 8) as usize);
    println!(
        "{:.0} MB, {} events, {} sockets",
        load.bytes() as f64 / 1e6,
        load.events(),
        load.sockets
    );
    let floor = measure_floor(&load);
    println!("floor    {floor}");
    let program = measure_program(&load);
    println!("program  {program}");
    let ratio = program.cpu_per_gb / floor.cpu_per_gb;
    println!("ratio    {ratio:.2} × the floor");
    let (most, memory) = (setting("BENCH_MAX_RATIO", 4), setting("BENCH_MAX_MIB", 64));
    let within = ratio <= most as f64 && program.peak_memory <= memory << 20;
    if !within {
        println!("above the limit of {most} × the floor and {memory} MiB");
        std::process::exit(1);
    }
}

fn setting(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

/// What is sent: each socket sends the same block of events so many times.
struct Load {
    block: Arc<Vec<u8>>,
    in_block: usize,
    rounds: usize,
    sockets: usize,
}

impl Load {
    fn new(megabytes: u64, sockets: usize) -> Self {
        let mut factory = Factory::new(1);
        let (mut block, mut in_block) = (Vec::new(), 0);
        while block.len() < 4_000_000 {
            block.extend_from_slice(b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
            block.extend_from_slice(&factory.event().sent);
            block.push(b'\n');
            in_block += 1;
        }
        let wanted = megabytes as usize * 1_000_000;
        let rounds = wanted.div_ceil(block.len() * sockets);
        Self { block: Arc::new(block), in_block, rounds, sockets }
    }

    fn bytes(&self) -> u64 {
        (self.block.len() * self.rounds * self.sockets) as u64
    }

    fn events(&self) -> usize {
        self.in_block * self.rounds * self.sockets
    }

    /// Sends all of it and waits until the other side has read it.
    fn push(&self, to: SocketAddr) {
        let send = || {
            let (block, rounds) = (self.block.clone(), self.rounds);
            std::thread::spawn(move || {
                let mut socket = TcpStream::connect(to).unwrap();
                (0..rounds).for_each(|_| socket.write_all(&block).unwrap());
                socket.shutdown(Shutdown::Write).unwrap();
                assert_eq!(socket.read(&mut [0]).unwrap(), 0);
            })
        };
        let threads: Vec<_> = (0..self.sockets).map(|_| send()).collect();
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }
}

/// What a run cost.
struct Cost {
    cpu_per_gb: f64,
    events_per_second: f64,
    peak_memory: u64,
}

impl std::fmt::Display for Cost {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { cpu_per_gb, events_per_second, peak_memory } = self;
        let memory = *peak_memory as f64 / f64::from(1 << 20);
        write!(f, "{cpu_per_gb:6.2} CPU s/GB {events_per_second:9.0} events/s {memory:6.1} MiB")
    }
}

fn cost(load: &Load, process: &Daemon, took: Duration) -> Cost {
    Cost {
        cpu_per_gb: cpu_seconds(process.id()) / (load.bytes() as f64 / 1e9),
        events_per_second: load.events() as f64 / took.as_secs_f64(),
        peak_memory: process.peak_memory(),
    }
}

/// Processor time of a process, user and system, in seconds.
fn cpu_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: f64 = [11, 12].iter().map(|at| fields[*at].parse::<f64>().unwrap()).sum();
    ticks / rustix::param::clock_ticks_per_second() as f64
}

fn measure_program(load: &Load) -> Cost {
    let store = Store::start();
    let mut site = Site::new(&store);
    site.set("ROTATION_INTERVAL", "1h");
    let daemon = site.start();
    let start = Instant::now();
    load.push(site.address());
    daemon.signal(rustix::process::Signal::HUP);
    site.wait_until_drained();
    let cost = cost(load, &daemon, start.elapsed());
    let ended = daemon.terminate();
    assert_eq!(ended.code(), Some(0), "{}", ended.log);
    let end = memchr::memmem::Finder::new("</EVENT>");
    let objects = store.objects("xml-events/");
    let stored: usize = objects.iter().map(|object| end.find_iter(&object.bytes).count()).sum();
    assert_eq!(stored, load.events(), "events in the store");
    cost
}

fn measure_floor(load: &Load) -> Cost {
    let folder = tempfile::tempdir().unwrap();
    let (sink, received) = floor::sink();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["floor", folder.path().to_str().unwrap(), &sink.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let process = Daemon::spawn(&mut command);
    process.wait_for("listening on ");
    let to = process.log().trim().rsplit_once(' ').unwrap().1.parse().unwrap();
    let start = Instant::now();
    load.push(to);
    // What is left is less than one file, and stays.
    let whole = load.bytes() - load.bytes() % FILE_SIZE - FILE_SIZE;
    wait_until("the floor has sent", || received.load(Ordering::Relaxed) >= whole);
    let cost = cost(load, &process, start.elapsed());
    process.kill();
    cost
}

/// The least that has to be done: receive, write, fdatasync, send.
mod floor {
    use super::*;

    /// The measured process.
    pub fn run(folder: PathBuf, sink: SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (sealed, uploads) = mpsc::channel();
        let open = Arc::new(Mutex::new(Open::new(folder, sealed)));
        let syncing = open.clone();
        std::thread::spawn(move || sync(&syncing));
        std::thread::spawn(move || send(&uploads, sink));
        eprintln!("listening on {}", listener.local_addr().unwrap());
        for socket in listener.incoming() {
            let (socket, open) = (socket.unwrap(), open.clone());
            std::thread::spawn(move || receive(socket, &open));
        }
    }

    struct Open {
        file: Arc<File>,
        path: PathBuf,
        length: u64,
        number: u64,
        folder: PathBuf,
        sealed: mpsc::Sender<PathBuf>,
    }

    impl Open {
        fn new(folder: PathBuf, sealed: mpsc::Sender<PathBuf>) -> Self {
            let path = folder.join("0");
            let file = Arc::new(File::create(&path).unwrap());
            Self { file, path, length: 0, number: 0, folder, sealed }
        }

        fn append(&mut self, bytes: &[u8]) {
            (&*self.file).write_all(bytes).unwrap();
            self.length += bytes.len() as u64;
            if self.length >= FILE_SIZE {
                self.rotate();
            }
        }

        fn rotate(&mut self) {
            self.file.sync_data().unwrap();
            self.number += 1;
            let next = self.folder.join(self.number.to_string());
            self.file = Arc::new(File::create(&next).unwrap());
            self.sealed.send(std::mem::replace(&mut self.path, next)).unwrap();
            self.length = 0;
        }
    }

    fn receive(mut socket: TcpStream, open: &Mutex<Open>) {
        let mut buffer = vec![0; 256 * 1024];
        loop {
            match socket.read(&mut buffer).unwrap() {
                0 => return,
                read => open.lock().unwrap().append(&buffer[..read]),
            }
        }
    }

    fn sync(open: &Mutex<Open>) {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let file = open.lock().unwrap().file.clone();
            file.sync_data().unwrap();
        }
    }

    fn send(uploads: &mpsc::Receiver<PathBuf>, sink: SocketAddr) {
        let mut socket = TcpStream::connect(sink).unwrap();
        for path in uploads {
            let bytes = std::fs::read(&path).unwrap();
            write!(socket, "PUT /x HTTP/1.1\r\ncontent-length: {}\r\n\r\n", bytes.len()).unwrap();
            socket.write_all(&bytes).unwrap();
            let mut answer = [0; 2];
            socket.read_exact(&mut answer).unwrap();
            std::fs::remove_file(&path).unwrap();
        }
    }

    /// Takes what the floor sends and answers two bytes to each; counts them.
    pub fn sink() -> (SocketAddr, Arc<AtomicU64>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let received = Arc::new(AtomicU64::new(0));
        let count = received.clone();
        std::thread::spawn(move || {
            let (socket, _) = listener.accept().unwrap();
            take(socket, &count);
        });
        (address, received)
    }

    fn take(mut socket: TcpStream, received: &AtomicU64) {
        let mut buffer = vec![0; 256 * 1024];
        loop {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                match socket.read(&mut byte) {
                    Ok(1) => {}
                    _ended => return,
                }
                head.push(byte[0]);
            }
            let head = String::from_utf8(head).unwrap();
            let length = head.split_once("content-length: ").unwrap().1.trim();
            let mut left: usize = length.parse().unwrap();
            while left > 0 {
                let most = left.min(buffer.len());
                let read = match socket.read(&mut buffer[..most]) {
                    Ok(0) | Err(_) => return, // it was ended in the middle of its last file
                    Ok(read) => read,
                };
                left -= read;
                received.fetch_add(read as u64, Ordering::Relaxed);
            }
            socket.write_all(b"OK").unwrap();
        }
    }
}
