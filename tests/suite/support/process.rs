//! The program as its operator meets it: a process with an environment, a folder, a log and
//! signals.
//!
//! A [`Site`] is what stays when the process dies: settings, `DATA_DIR`, the port. Waiting is
//! waiting for a condition, with a deadline that fails the test and shows the log.

use super::store::{self, Store};
use rustix::process::{Pid, Signal, kill_process};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// How long anything may take that takes a moment on an idle machine.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Waits for a condition.
pub fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !done() {
        assert!(Instant::now() < deadline, "waited {PATIENCE:?} in vain until {what}");
        std::thread::sleep(Duration::from_millis(10)); // between two looks; the deadline fails above
    }
}

/// The installation: settings, folder and port.
pub struct Site {
    folder: tempfile::TempDir,
    settings: BTreeMap<String, String>,
    address: SocketAddr,
    _port: socket2::Socket,
}

impl Site {
    /// A site that delivers to a store and seals every second.
    pub fn new(store: &Store) -> Self {
        let mut site = Self::bare();
        site.set("BUCKET_NAME", store::BUCKET)
            .set("AWS_ENDPOINT_URL", &store.url())
            .set("AWS_REGION", "us-east-1")
            .set("AWS_ACCESS_KEY_ID", store::ACCESS_KEY)
            .set("AWS_SECRET_ACCESS_KEY", store::SECRET_KEY);
        site
    }

    /// A site without a destination.
    pub fn bare() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (port, address) = store::reserve_port();
        let mut site = Self { folder, settings: BTreeMap::new(), address, _port: port };
        let data = site.data().to_str().unwrap().to_owned();
        site.set("DATA_DIR", &data)
            .set("BIND_HOST", "127.0.0.1")
            .set("PORT", &address.port().to_string())
            .set("ADMIN_ADDR", "127.0.0.1:0")
            .set("ROTATION_INTERVAL", "1")
            .set("INSTANCE_ID", "site-1");
        site
    }

    /// Changes a setting for the processes started from now on.
    pub fn set(&mut self, name: &str, value: &str) -> &mut Self {
        self.settings.insert(name.to_owned(), value.to_owned());
        self
    }

    /// `DATA_DIR`.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A path beside `DATA_DIR`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Where the program takes events.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Starts the program and waits until it listens.
    pub fn start(&self) -> Daemon {
        let daemon = self.launch();
        daemon.wait_for(&format!("listening on {}", self.address));
        daemon
    }

    /// Starts the program and waits for nothing.
    pub fn launch(&self) -> Daemon {
        Daemon::spawn(&mut self.command(&[]))
    }

    /// Runs the program with arguments until it ends by itself.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        Daemon::spawn(&mut self.command(arguments)).ended()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xml-stream-aggregator"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.folder.path())
            .envs(&self.settings)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Files of a lane in the spool that end so, oldest first.
    pub fn spooled(&self, lane: &str, extension: &str) -> Vec<PathBuf> {
        let mut found = store::files(&self.data().join(lane));
        found.retain(|path| path.extension().is_some_and(|e| e == extension));
        found.sort();
        found
    }

    /// Whether nothing waits for the store: no sealed segment, and no event in an open one.
    pub fn drained(&self) -> bool {
        let lanes = ["events", "quarantine"];
        lanes.iter().all(|lane| {
            self.spooled(lane, "sealed").is_empty()
                && self.spooled(lane, "open").iter().all(|path| is_empty(lane, path))
        })
    }

    /// Waits until [`Site::drained`].
    pub fn wait_until_drained(&self) {
        wait_until("the spool is drained", || self.drained());
    }
}

/// An open segment without an event in it. A file that vanished was renamed: not empty.
fn is_empty(lane: &str, path: &Path) -> bool {
    let header = if lane == "events" { xml_stream_aggregator::event::HEADER.len() } else { 0 };
    std::fs::metadata(path).is_ok_and(|facts| facts.len() <= header as u64)
}

/// A disk of its own for a folder, so small that it runs full.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// Needs root.
    pub fn mount(folder: &Path, mebibytes: u32) -> Self {
        std::fs::create_dir_all(folder).unwrap();
        mount(folder, mebibytes);
        Self(folder.to_owned())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        unmount(&self.0);
    }
}

#[cfg(target_os = "linux")]
fn mount(folder: &Path, mebibytes: u32) {
    let size = std::ffi::CString::new(format!("size={mebibytes}m")).unwrap();
    let flags = rustix::mount::MountFlags::empty();
    rustix::mount::mount("tmpfs", folder, "tmpfs", flags, size.as_c_str())
        .expect("mounting a small disk needs root; leave these out with --skip full_disk");
}

#[cfg(target_os = "linux")]
fn unmount(folder: &Path) {
    let _ = rustix::mount::unmount(folder, rustix::mount::UnmountFlags::DETACH);
}

/// The tests that mount are ignored there, with the reason.
#[cfg(not(target_os = "linux"))]
fn mount(_: &Path, _: u32) {
    panic!("a small disk is mounted on Linux only");
}

#[cfg(not(target_os = "linux"))]
fn unmount(_: &Path) {}

/// How a process ended.
#[derive(Debug)]
pub struct Ended {
    /// Its exit status.
    pub status: ExitStatus,
    /// All it wrote to standard error.
    pub log: String,
    /// All it wrote to standard output.
    pub output: String,
}

impl Ended {
    /// Its exit code; a signal has none.
    pub fn code(&self) -> Option<i32> {
        self.status.code()
    }
}

/// A running process.
pub struct Daemon {
    child: Child,
    log: Lines,
    output: Lines,
    readers: Vec<std::thread::JoinHandle<()>>,
}

type Lines = Arc<Mutex<String>>;

impl Daemon {
    /// Starts a process and collects what it writes.
    pub fn spawn(command: &mut Command) -> Self {
        let mut child = command.spawn().unwrap();
        let (log, output) = (Lines::default(), Lines::default());
        let readers = vec![
            collect(child.stderr.take().unwrap(), log.clone()),
            collect(child.stdout.take().unwrap(), output.clone()),
        ];
        Self { child, log, output, readers }
    }

    /// What it wrote to standard error so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// What it wrote to standard output so far.
    pub fn output(&self) -> String {
        self.output.lock().unwrap().clone()
    }

    /// Waits for a text in the log.
    pub fn wait_for(&self, text: &str) {
        wait_until(&format!("the log says '{text}'"), || self.log().contains(text));
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// `kill -9`.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGTERM, and its end.
    pub fn terminate(self) -> Ended {
        self.signal(Signal::TERM);
        self.ended()
    }

    /// Waits for its end.
    pub fn ended(mut self) -> Ended {
        let mut status = None;
        wait_until("the process ends", || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        for reader in self.readers.drain(..) {
            reader.join().unwrap();
        }
        let output = self.output.lock().unwrap().clone();
        Ended { status: status.unwrap(), log: self.log(), output }
    }

    /// Waits until its ledger has counted so many events and pieces, over all its lives.
    pub fn wait_until_received(&self, count: usize) {
        let mut last = None;
        wait_until("everything is counted as received", || {
            let now = self.received();
            if now != last {
                println!("received {now:?} of {count}");
            }
            last = now;
            assert!(last.is_none_or(|last| last <= count as u64), "{last:?} of {count} received");
            last == Some(count as u64)
        });
    }

    /// `received` of the ledger on the status page; None while nobody answers there.
    fn received(&self) -> Option<u64> {
        let log = self.log();
        let (_, rest) = log.split_once("status page on http://")?;
        let mut socket = TcpStream::connect(rest.split('/').next()?).ok()?;
        socket
            .write_all(b"GET /api/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .ok()?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        let status: serde_json::Value = serde_json::from_str(body).unwrap();
        status["ledger"]["received"].as_u64()
    }

    /// Whether it still runs.
    pub fn lives(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Peak resident memory in bytes (`VmHWM`).
    pub fn peak_memory(&self) -> u64 {
        peak_kib(self.id()) * 1024
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("--- log of process {} ---\n{}", self.id(), self.log());
        }
    }
}

fn collect(from: impl std::io::Read + Send + 'static, to: Lines) -> std::thread::JoinHandle<()> {
    std::thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n') {
            let Ok(line) = line else { return };
            let mut text = to.lock().unwrap();
            text.push_str(&String::from_utf8_lossy(&line));
            text.push('\n');
        }
    })
}

#[cfg(target_os = "linux")]
fn peak_kib(process: impl std::fmt::Display) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Without `/proc`: what is resident now, which is less strict than the peak.
#[cfg(not(target_os = "linux"))]
fn peak_kib(process: impl std::fmt::Display) -> u64 {
    let asked = Command::new("ps").args(["-o", "rss=", "-p", &process.to_string()]).output();
    String::from_utf8(asked.unwrap().stdout).unwrap().trim().parse().unwrap()
}
