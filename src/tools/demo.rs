//! `demo`: the whole thing at work, nothing to configure.
//!
//! The real daemon with a local folder as its store, fed by a simulated appliance; what lands is
//! shown as it lands. Each demo has a folder of its own below `demo-data`, named after the time;
//! nothing that was there before is touched. Variables and `.env` files have no say: a demo never
//! writes into somebody's bucket. At the end sent, delivered and quarantined have to add up, or the
//! exit code is 1.

mod screen;

use super::appliance::Style;
use super::feed::{Plan, Sent, feed};
use crate::base::units::Span;
use crate::config::{Env, Settings, Typed};
use crate::daemon::{Daemon, ECHO, Landed, Running};
use anyhow::{Context, Result, anyhow};
use jiff::Timestamp;
use screen::Screen;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::broadcast::{Receiver, error::RecvError};
use tokio::sync::{oneshot, watch};
use tokio::time::Instant;

/// Where the status page is, if the port is free.
const ADMIN_PORT: u16 = 8081;

/// What may be different.
#[derive(Debug, Clone, clap::Args)]
pub struct Demo {
    /// Where to listen; any free port if it is taken
    #[arg(long, value_name = "PORT", default_value_t = 8080)]
    port: u16,
    /// Events a second
    #[arg(long, value_name = "R", default_value_t = 4.0, value_parser = super::send::rate)]
    rate: f64,
    /// Share of what is sent that is not well-formed
    #[arg(long, value_name = "PERCENT", default_value = "8%", value_parser = super::send::share)]
    malformed: f64,
    /// Finish a file this long after its first event
    #[arg(long, value_name = "DURATION", default_value = "3s")]
    rotation: Span,
    /// The folder in which the demo makes one of its own
    #[arg(long, value_name = "DIR", default_value = "./demo-data")]
    dir: PathBuf,
    /// End by itself after this time
    #[arg(long = "for", value_name = "DURATION")]
    lasting: Option<Span>,
}

/// The `demo` command.
#[must_use]
pub fn demo(asked: &Demo) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let outcome = runtime.context("cannot start").and_then(|runtime| runtime.block_on(show(asked)));
    outcome.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

async fn show(asked: &Demo) -> Result<ExitCode> {
    let mut ends = Ends::watched()?;
    let folder = own_folder(&asked.dir)?;
    let settings = settings(asked, &folder)?;
    let running = match Daemon::start(settings).await {
        Ok(running) => running,
        Err(error) => {
            eprintln!("error: {error}");
            return Ok(ExitCode::from(error.exit_code()));
        }
    };
    let screen = Screen::new(&folder);
    screen.welcome(&running, asked.port, asked.rotation);
    perform(asked, running, &mut ends, &screen).await
}

/// Feeds the daemon until somebody ends it; a second Ctrl-C does not wait for the end.
async fn perform(
    asked: &Demo,
    running: Running,
    ends: &mut Ends,
    screen: &Screen,
) -> Result<ExitCode> {
    let sent = Arc::new(Sent::default());
    let (stop, stopped) = watch::channel(false);
    let (close, closed) = oneshot::channel();
    let display = tokio::spawn(show_landed(running.landed(), closed, screen.clone()));
    let plan = plan(asked, running.listen_addr.port());
    let mut feeding = tokio::spawn(feed(plan, Arc::clone(&sent), stopped));
    let broken = tokio::select! {
        ended = &mut feeding => Some(ended),
        () = ends.first(asked.lasting) => None
    };
    screen.ending();
    stop.send_replace(true);
    let in_order = async {
        let fed = match broken {
            Some(ended) => ended,
            None => feeding.await,
        };
        let summary = running.stop("the demo ends").await;
        drop(close);
        (fed, summary, display.await)
    };
    tokio::select! {
        (fed, summary, records) = in_order => {
            if let Err(error) = fed.context("the simulated appliance failed")? {
                screen.note(&error.to_string());
            }
            let records = records.context("the display failed")?;
            let balanced = screen.summary(sent.tally(), summary, records);
            Ok(if balanced { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        () = ends.second_interrupt() => Ok(ExitCode::FAILURE),
    }
}

/// Shows every object until it is closed and nothing is left to show; gives the number of
/// quarantine records.
async fn show_landed(
    mut landed: Receiver<Landed>,
    mut closed: oneshot::Receiver<()>,
    screen: Screen,
) -> u64 {
    let mut records = 0;
    let mut closing = false;
    loop {
        let object = tokio::select! {
            biased;
            object = landed.recv() => object,
            _ = &mut closed, if !closing => { closing = true; continue }
            () = std::future::ready(()), if closing => return records,
        };
        match object {
            Ok(object) => records += screen.landed(&object),
            Err(RecvError::Lagged(missed)) => screen.note(&format!("{missed} more landed")),
            Err(RecvError::Closed) => return records,
        }
    }
}

/// What ends a demo; watched from before the first line is shown.
struct Ends {
    interrupt: Signal,
    terminate: Signal,
}

impl Ends {
    fn watched() -> Result<Self> {
        let watch = |kind| signal(kind).context("cannot wait for signals");
        let interrupt = watch(SignalKind::interrupt())?;
        Ok(Self { interrupt, terminate: watch(SignalKind::terminate())? })
    }

    /// Another Ctrl-C, behind the echo of the first.
    async fn second_interrupt(&mut self) {
        let first = Instant::now();
        while self.interrupt.recv().await.is_some() && first.elapsed() <= ECHO {}
    }

    /// Ctrl-C, SIGTERM, or the time that was asked for.
    async fn first(&mut self, lasting: Option<Span>) {
        let time = async {
            match lasting {
                Some(Span(time)) => tokio::time::sleep(time).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = time => {}
        }
    }
}

fn plan(asked: &Demo, port: u16) -> Plan {
    Plan {
        to: format!("{}:{port}", Ipv4Addr::LOCALHOST),
        udp: false,
        count: None,
        rate: Some(asked.rate),
        connections: 1,
        malformed: asked.malformed,
        seed: u64::from(rand::random::<u32>()),
        style: Style::Acm,
        live: true,
    }
}

/// The demo's own settings, through the same door as everybody's.
fn settings(asked: &Demo, folder: &Path) -> Result<Settings> {
    let text = |path: &Path| path.to_str().map(str::to_owned);
    let mut typed = Typed::default();
    typed.destination.destination = text(&folder.join("events"));
    typed.spool.data_dir = text(&folder.join("spool"));
    typed.files.rotation_interval = Some(asked.rotation.to_string());
    typed.listener.bind_host = Some(Ipv4Addr::LOCALHOST.to_string());
    typed.listener.port = Some(free_port(asked.port).to_string());
    typed.watching.admin_addr = Some(format!("{}:{}", Ipv4Addr::LOCALHOST, free_port(ADMIN_PORT)));
    let (settings, _) = Settings::from_typed(&typed, &Env::of(&[]))?;
    Ok(settings)
}

/// The port, or 0 (any) if somebody has it.
fn free_port(port: u16) -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_or(0, |_| port)
}

/// Makes a new folder below `dir`, named after the time.
fn own_folder(dir: &Path) -> Result<PathBuf> {
    let dir = std::path::absolute(dir).context("--dir is no path")?;
    std::fs::create_dir_all(&dir).with_context(|| format!("cannot make {}", dir.display()))?;
    let now = Timestamp::now().strftime("%Y%m%d_%H%M%S").to_string();
    for attempt in 0..100 {
        let name = if attempt == 0 { now.clone() } else { format!("{now}_{attempt:03}") };
        let folder = dir.join(name);
        match std::fs::create_dir(&folder) {
            Ok(()) => return Ok(folder),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => {
                return Err(error).with_context(|| format!("cannot make {}", folder.display()));
            }
        }
    }
    Err(anyhow!("{} has no name left for this second", dir.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::settings::Place;
    use std::time::Duration;

    fn asked(dir: &Path) -> Demo {
        Demo {
            port: 8080,
            rate: 4.0,
            malformed: 0.08,
            rotation: Span(Duration::from_secs(3)),
            dir: dir.to_path_buf(),
            lasting: None,
        }
    }

    #[test]
    fn a_demo_has_a_new_folder_each_time_and_touches_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let first = own_folder(dir.path()).unwrap();
        std::fs::write(first.join("mine"), "1").unwrap();
        let second = own_folder(dir.path()).unwrap();
        assert_ne!(first, second);
        assert_eq!(std::fs::read_to_string(first.join("mine")).unwrap(), "1");
    }

    #[test]
    fn a_demo_writes_into_its_own_folder_only() {
        let dir = tempfile::tempdir().unwrap();
        let settings = settings(&asked(dir.path()), dir.path()).unwrap();
        assert_eq!(settings.destination.place, Place::Folder { root: dir.path().to_path_buf() });
        assert_eq!(settings.spool.data_dir, dir.path().join("spool"));
        assert_eq!(settings.listen.host, Ipv4Addr::LOCALHOST);
    }

    #[test]
    fn a_port_that_is_taken_is_not_insisted_upon() {
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        assert_eq!(free_port(holder.local_addr().unwrap().port()), 0);
    }
}
