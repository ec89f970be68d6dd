//! The only place where the parts meet: build, start, wait, drain in order.
//!
//! The intake has a runtime of its own, so that a disk that stalls stops the reading and nothing
//! else. The end has an order too: stop accepting, take what is whole from the sockets, seal, upload
//! within `SHUTDOWN_TIMEOUT`; what is left stays in the spool and goes first next time.

mod facts;
mod logbook;
mod logging;
pub(crate) mod options;
pub mod recoverer;
mod signals;
mod source;
mod stages;
mod watch;

use crate::admin;
use crate::base::clock::{Clock, SystemClock};
use crate::base::disk::OsDisk;
use crate::config::{Settings, surroundings};
use crate::ingest::House;
use crate::ingest::silence::Silence;
use crate::spool::manifest::SealedBy;
use crate::spool::{OpenError, Spool};
use crate::upload::{Destination, Uploader};
use facts::LiveFacts;
pub use signals::ECHO;
use signals::{Asked, Signals};
use stages::Stages;
use std::io;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{broadcast, watch as channel};
use watch::Watch;

pub use crate::upload::Landed;

/// Beyond the last reads, connections have this long to hand over what they hold.
const HANDING_OVER: Duration = Duration::from_secs(2);

/// The whole program.
#[derive(Debug)]
pub struct Daemon;

/// Why it could not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The spool cannot be used.
    #[error(transparent)]
    Spool(#[from] OpenError),
    /// An address cannot be listened at.
    #[error("{variable}: cannot listen at {address}: {source}. {remedy}")]
    Listen {
        /// The setting.
        variable: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
        /// What to do.
        remedy: &'static str,
    },
    /// The destination's settings contradict each other.
    #[error("{0}")]
    Destination(String),
    /// The files for TLS cannot be used.
    #[error(transparent)]
    Tls(#[from] crate::ingest::tls::AllUnusable),
    /// The operating system gave no thread or signal handler.
    #[error("cannot start: {0}")]
    System(#[from] io::Error),
}

impl StartError {
    /// What the process ends with: 2 settings, 3 spool, 1 everything else.
    #[must_use]
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Listen { .. } | Self::Destination(_) | Self::Tls(_) => 2,
            Self::Spool(_) => 3,
            Self::System(_) => 1,
        }
    }
}

/// The program at work.
#[derive(Debug)]
pub struct Running {
    /// Where it listens.
    pub listen_addr: SocketAddr,
    /// Where the admin listener is, if it is on.
    pub admin_addr: Option<SocketAddr>,
    spool: Arc<Spool>,
    uploader: Arc<Uploader>,
    watch: Arc<Watch>,
    stages: Stages,
    stop: channel::Sender<bool>,
    shutdown_timeout: Duration,
}

/// What came of it, since the spool was made.
#[derive(Debug, Clone, Copy, Default)]
pub struct Summary {
    /// Events received.
    pub received_events: u64,
    /// Events in stored objects.
    pub delivered_events: u64,
    /// Rejected pieces received.
    pub received_pieces: u64,
    /// Rejected pieces in stored objects.
    pub delivered_pieces: u64,
    /// Events and pieces that wait in the spool.
    pub spooled: u64,
}

impl Daemon {
    /// Builds and starts every part; returns as soon as events are taken.
    ///
    /// # Errors
    /// A port or the spool cannot be used, or the settings do not fit together.
    pub async fn start(settings: Settings) -> Result<Running, StartError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
        let metrics = facts::recorder();
        let destination = Destination::new(options::destination(&settings))
            .map_err(|problem| StartError::Destination(problem.to_string()))?;
        let mut intake = options::ingest(&settings)?;
        let (listener, listen_addr) = listen(&settings).await?;
        let udp = udp(&settings).await?;
        let admin = admin_listener(&settings).await?;
        let spool = Spool::open(options::spool(&settings), Arc::new(OsDisk), Arc::clone(&clock))?;

        let (stop, stopping) = channel::channel(false);
        intake.silence = options::silence(&settings)
            .map(|own| Silence::open(own, Arc::new(OsDisk), Arc::clone(&clock)));
        let house = House::new(intake, Arc::clone(&spool), clock, stopping.clone());
        let uploader =
            Uploader::new(options::upload(&settings), Arc::clone(&spool) as _, destination);
        let watch = Arc::new(Watch {
            house: Arc::clone(&house),
            logbook: logging::logbook(),
            instance: settings.instance_id.clone(),
            metrics: metrics.clone(),
        });
        let mut stages = Stages::default();
        stages.keep(Arc::clone(&spool))?;
        stages.watch(Arc::clone(&watch))?;
        stages.recover(Arc::clone(&spool))?;
        stages.upload(Arc::clone(&uploader));
        stages.take_in(listener, udp, Arc::clone(&house))?;
        let admin_addr = admin.as_ref().and_then(|listener| listener.local_addr().ok());
        if let Some(listener) = admin {
            let facts = LiveFacts::new(&settings, listen_addr, &house, &uploader, metrics);
            let guard = options::guard(&settings);
            stages.answer(admin::serve(listener, guard, Arc::new(facts), stopping));
        }
        tracing::info!(instance = settings.instance_id, "listening on {listen_addr}");
        if let Some(addr) = admin_addr {
            tracing::info!("status page on http://{addr}/");
        }
        let shutdown_timeout = settings.shutdown_timeout;
        Ok(Running {
            listen_addr,
            admin_addr,
            spool,
            uploader,
            watch,
            stages,
            stop,
            shutdown_timeout,
        })
    }
}

impl Running {
    /// What lands from now on.
    #[must_use]
    pub fn landed(&self) -> broadcast::Receiver<Landed> {
        self.uploader.landed()
    }

    /// Seals what is open, now.
    pub async fn seal(&self, by: SealedBy) {
        let spool = Arc::clone(&self.spool);
        if let Err(error) = tokio::task::spawn_blocking(move || spool.seal(by)).await {
            tracing::error!(%error, "sealing failed");
        }
    }

    /// SIGHUP: seals what is open, and tries again at once whatever waits after a failed upload.
    async fn seal_and_retry(&self) {
        self.seal(SealedBy::Request).await;
        self.uploader.hurry();
    }

    /// Our own messages so far belong into the files that are sealed last.
    async fn write_logs(&self) {
        let watch = Arc::clone(&self.watch);
        if let Err(error) = tokio::task::spawn_blocking(move || watch.write_logs()).await {
            tracing::error!(%error, "log records could not be written");
        }
    }

    /// Ends in order.
    pub async fn stop(mut self, reason: &'static str) -> Summary {
        tracing::info!(reason, "stopping: taking what is whole, sealing, uploading");
        let deadline = Instant::now() + self.shutdown_timeout;
        self.stop.send_replace(true);
        self.stages.intake_ended(crate::ingest::LAST_READS + HANDING_OVER).await;
        self.write_logs().await;
        self.seal(SealedBy::Shutdown).await;
        let left = deadline.saturating_duration_since(Instant::now());
        if !self.uploader.drain(left).await {
            tracing::warn!(
                "not everything could be uploaded in time: the rest is in the spool and goes first next time"
            );
        }
        self.stages.end().await;
        let summary = self.summary();
        tracing::info!(
            received = summary.received_events + summary.received_pieces,
            delivered = summary.delivered_events,
            quarantined = summary.delivered_pieces,
            spooled = summary.spooled,
            "stopped"
        );
        summary
    }

    fn summary(&self) -> Summary {
        let status = self.spool.status();
        let (events, pieces) = (&status.lanes.events, &status.lanes.quarantine);
        Summary {
            received_events: events.received,
            delivered_events: events.confirmed,
            received_pieces: pieces.received,
            delivered_pieces: pieces.confirmed,
            spooled: status.ledger.spooled,
        }
    }

    /// Completes when a stage has failed, with its name.
    async fn failed(&mut self) -> &'static str {
        self.stages.failed().await
    }
}

/// The `run` command: runtime, signals, logging.
#[must_use]
pub fn run(settings: Settings) -> ExitCode {
    logging::start(settings.log);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("main")
        .enable_all()
        .build();
    let code = match runtime {
        Ok(runtime) => {
            let code = runtime.block_on(serve(settings));
            // A blocked call (a store's name that does not resolve) must not hold up the end.
            runtime.shutdown_timeout(Duration::from_millis(200));
            code
        }
        Err(error) => refuse(&error.into()),
    };
    ExitCode::from(code)
}

async fn serve(settings: Settings) -> u8 {
    let (mut signals, running) = match (Signals::new(), Daemon::start(settings).await) {
        (Ok(signals), Ok(running)) => (signals, running),
        (Err(error), _) => return refuse(&error.into()),
        (_, Err(error)) => return refuse(&error),
    };
    let (code, reason, running) = wait(&mut signals, running).await;
    tokio::select! {
        _summary = running.stop(reason) => code,
        () = signals.stop_again() => {
            tracing::warn!("second signal: ending at once; what is not uploaded is in the spool");
            code
        }
    }
}

/// Waits for a reason to end: a signal, or a stage that failed.
async fn wait(signals: &mut Signals, mut running: Running) -> (u8, &'static str, Running) {
    loop {
        tokio::select! {
            asked = signals.next() => match asked {
                Asked::Stop(reason) => return (0, reason, running),
                Asked::Seal => running.seal_and_retry().await,
            },
            stage = running.failed() => {
                tracing::error!(stage, "a part of the program failed: ending in order, what was received is in the spool; please report this");
                return (1, "a part of the program failed", running);
            }
        }
    }
}

fn refuse(error: &StartError) -> u8 {
    eprintln!("error: {error}");
    error.exit_code()
}

async fn listen(settings: &Settings) -> Result<(TcpListener, SocketAddr), StartError> {
    let address = SocketAddr::new(settings.listen.host, settings.listen.port);
    let wrong = unusable("PORT", address);
    let listener = TcpListener::bind(address).await.map_err(wrong)?;
    let bound = listener.local_addr()?;
    Ok((listener, bound))
}

async fn udp(settings: &Settings) -> Result<Option<UdpSocket>, StartError> {
    let Some(port) = settings.listen.udp_port else { return Ok(None) };
    let address = SocketAddr::new(settings.listen.host, port);
    let socket = UdpSocket::bind(address).await.map_err(unusable("UDP_PORT", address))?;
    tracing::info!("listening for datagrams on {}", socket.local_addr()?);
    Ok(Some(socket))
}

async fn admin_listener(settings: &Settings) -> Result<Option<TcpListener>, StartError> {
    let Some(admin) = &settings.admin else { return Ok(None) };
    let listener = TcpListener::bind(admin.addr).await;
    Ok(Some(listener.map_err(unusable("ADMIN_ADDR", admin.addr))?))
}

fn unusable(variable: &'static str, address: SocketAddr) -> impl FnOnce(io::Error) -> StartError {
    move |source| {
        let remedy = surroundings::remedy(&source);
        StartError::Listen { variable, address, source, remedy }
    }
}
