//! The running parts, each on its own thread or task, and the news when one of them fails.
//!
//! A part that panics ends the process in order with exit code 1 (connections are not parts: theirs
//! is contained in `ingest`).

use super::watch::Watch;
use crate::ingest::{House, accept, datagram};
use crate::spool::Spool;
use crate::upload::Uploader;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc as thread_channel;
use std::thread::{Builder, JoinHandle, available_parallelism};
use std::time::Duration;
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::{mpsc, oneshot, watch as channel};

/// How often the keeper looks at time and room.
const TICK: Duration = Duration::from_millis(50);
/// How often silence and log records are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Threads that read sockets: more would not be faster than one disk.
const MOST_READERS: usize = 4;

/// What ends a thread that works at intervals: dropping the sender.
type Ticker = (thread_channel::Sender<()>, JoinHandle<()>);

/// Everything that runs.
#[derive(Debug)]
pub(super) struct Stages {
    failures: mpsc::UnboundedReceiver<&'static str>,
    fail: mpsc::UnboundedSender<&'static str>,
    keeper: Option<Ticker>,
    watch: Option<Ticker>,
    intake: Option<oneshot::Receiver<()>>,
    end_uploads: channel::Sender<bool>,
    uploads: Option<tokio::task::JoinHandle<()>>,
}

impl Default for Stages {
    fn default() -> Self {
        let (fail, failures) = mpsc::unbounded_channel();
        let end_uploads = channel::Sender::new(false);
        Self { failures, fail, keeper: None, watch: None, intake: None, end_uploads, uploads: None }
    }
}

impl Stages {
    /// Starts the thread that syncs, seals by age and watches the room.
    pub(super) fn keep(&mut self, spool: Arc<Spool>) -> io::Result<()> {
        let last = Arc::clone(&spool);
        self.keeper =
            Some(self.every("keeper", TICK, move || spool.tick(), move || last.tick())?);
        Ok(())
    }

    /// Starts the thread that looks for silence and writes log records.
    pub(super) fn watch(&mut self, watch: Arc<Watch>) -> io::Result<()> {
        let last = Arc::clone(&watch);
        self.watch = Some(self.every("watch", LOOK, move || watch.look(), move || last.end())?);
        Ok(())
    }

    /// A thread that does `each` at intervals, and `last` when its sender is dropped.
    fn every(
        &self,
        name: &'static str,
        interval: Duration,
        each: impl Fn() + Send + 'static,
        last: impl FnOnce() + Send + 'static,
    ) -> io::Result<Ticker> {
        let (end, ended) = thread_channel::channel();
        let work = move || {
            while ended.recv_timeout(interval) == Err(thread_channel::RecvTimeoutError::Timeout) {
                each();
            }
            last();
        };
        Ok((end, self.thread(name, work)?))
    }

    /// Looks at what earlier processes left, behind the intake.
    pub(super) fn recover(&mut self, spool: Arc<Spool>) -> io::Result<()> {
        self.thread("recovery", move || spool.recover()).map(drop)
    }

    /// Starts the uploads on the current runtime.
    pub(super) fn upload(&mut self, uploader: Arc<Uploader>) {
        let (stop, fail) = (self.end_uploads.subscribe(), self.fail.clone());
        let task = tokio::spawn(uploader.run(stop));
        self.uploads = Some(tokio::spawn(async move {
            let error = match task.await {
                Ok(Ok(())) => return,
                Ok(Err(error)) => error.to_string(),
                Err(panic) => panic.to_string(),
            };
            tracing::error!(error, "the uploads ended");
            let _nobody_waits = fail.send("uploads");
        }));
    }

    /// Starts the intake on a runtime of its own.
    pub(super) fn take_in(
        &mut self,
        listener: TcpListener,
        udp: Option<UdpSocket>,
        house: Arc<House>,
    ) -> io::Result<()> {
        // A socket belongs to the runtime in which it was made: hand it over as the plain thing.
        let listener = listener.into_std()?;
        let udp = udp.map(UdpSocket::into_std).transpose()?;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(available_parallelism().map_or(2, usize::from).min(MOST_READERS))
            .thread_name("intake")
            .enable_all()
            .build()?;
        let (done, ended) = oneshot::channel();
        self.thread("intake", move || {
            runtime.block_on(read_all(listener, udp, house));
            let _nobody_waits = done.send(());
        })?;
        self.intake = Some(ended);
        Ok(())
    }

    /// Starts the admin listener on the current runtime.
    pub(super) fn answer(&mut self, serving: impl Future<Output = ()> + Send + 'static) {
        let fail = self.fail.clone();
        tokio::spawn(async move {
            if let Err(panic) = tokio::spawn(serving).await {
                tracing::error!(%panic, "the admin listener ended");
                let _nobody_waits = fail.send("admin");
            }
        });
    }

    /// Completes when a stage fails.
    pub(super) async fn failed(&mut self) -> &'static str {
        match self.failures.recv().await {
            Some(stage) => stage,
            None => std::future::pending().await,
        }
    }

    /// Waits until every connection has handed over what it had.
    pub(super) async fn intake_ended(&mut self, limit: Duration) {
        let Some(ended) = self.intake.take() else { return };
        if tokio::time::timeout(limit, ended).await.is_err() {
            tracing::error!("a connection did not end in time; what it had in hand is lost");
        }
    }

    /// Ends the uploads, then the watch, then the keeper, which syncs what was written last.
    pub(super) async fn end(&mut self) {
        self.end_uploads.send_replace(true);
        if let Some(uploads) = self.uploads.take()
            && let Err(error) = uploads.await
        {
            tracing::error!(%error, "the uploads did not end in order");
        }
        for (name, ticker) in [("watch", self.watch.take()), ("keeper", self.keeper.take())] {
            let Some((end, thread)) = ticker else { continue };
            drop(end);
            let joined = tokio::task::spawn_blocking(move || thread.join()).await;
            if !matches!(joined, Ok(Ok(()))) {
                tracing::error!("the {name} did not end in order");
            }
        }
    }

    fn thread(
        &self,
        name: &'static str,
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<JoinHandle<()>> {
        let fail = self.fail.clone();
        Builder::new().name(name.into()).spawn(move || {
            if catch_unwind(AssertUnwindSafe(work)).is_err() {
                let _nobody_waits = fail.send(name);
            }
        })
    }
}

async fn read_all(
    listener: std::net::TcpListener,
    udp: Option<std::net::UdpSocket>,
    house: Arc<House>,
) {
    let datagrams = async {
        match udp.map(UdpSocket::from_std) {
            Some(Ok(socket)) => datagram::receive(socket, Arc::clone(&house)).await,
            Some(Err(error)) => tracing::error!(%error, "the UDP socket cannot be read"),
            None => {}
        }
    };
    let connections = async {
        match TcpListener::from_std(listener) {
            Ok(listener) => accept::accept(listener, Arc::clone(&house)).await,
            Err(error) => tracing::error!(%error, "the TCP socket cannot be read"),
        }
    };
    tokio::join!(datagrams, connections);
}
