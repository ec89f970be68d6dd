//! `send`: the simulated appliance on its own, against any receiver.
//!
//! Ends with what was handed over and what a receiver should make of it. Exit code 1 if not all of
//! it was handed over.

use super::appliance::Style;
use super::feed::{FeedError, Plan, Sent, Tally, feed};
use crate::base::units::Size;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

/// A datagram that nobody has read yet is soon dropped, so UDP has a pace unless told otherwise.
const UDP_RATE: f64 = 500.0;
const BAR: &str =
    "{bar:32} {human_pos} of {human_len} events  {per_sec}  {elapsed} elapsed, {eta} remaining";
const SPINNER: &str =
    "{spinner} {human_pos} events  {per_sec}  {elapsed} elapsed  (Ctrl-C ends it)";
const BAR_STEP: Duration = Duration::from_millis(100);
const LINE_STEP: Duration = Duration::from_secs(5);
/// How long a connection in the middle of a write may go on after Ctrl-C.
const PATIENCE: Duration = Duration::from_secs(3);

/// What to send where.
#[derive(Debug, Clone, clap::Args)]
pub struct Send {
    /// The receiver
    #[arg(long, value_name = "HOST:PORT", default_value = "127.0.0.1:8080")]
    to: String,
    /// Events over all connections together; 0: until Ctrl-C
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    count: u64,
    /// Events a second over all connections together [default: as fast as it goes; UDP: 500]
    #[arg(long, value_name = "R", value_parser = rate)]
    rate: Option<f64>,
    /// Connections side by side, each an appliance of its own
    #[arg(long, value_name = "C", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=10_000))]
    connections: u16,
    /// Share of what is sent that is not well-formed
    #[arg(long, value_name = "PERCENT", default_value = "0%", value_parser = share)]
    malformed: f64,
    /// The same seed sends the same bytes; without one, times are now
    #[arg(long, value_name = "S")]
    seed: Option<u64>,
    /// How events are written
    #[arg(long, value_enum, default_value_t)]
    style: Style,
    /// A datagram per event instead of TCP
    #[arg(long)]
    udp: bool,
}

/// The `send` command.
#[must_use]
pub fn send(asked: &Send) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(send_and_report(asked.plan())),
        Err(error) => {
            eprintln!("error: cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Send {
    fn plan(&self) -> Plan {
        Plan {
            to: self.to.clone(),
            udp: self.udp,
            count: Some(self.count).filter(|count| *count > 0),
            rate: self.rate.or(self.udp.then_some(UDP_RATE)),
            connections: self.connections,
            malformed: self.malformed,
            seed: self.seed.unwrap_or_else(|| u64::from(rand::random::<u32>())),
            style: self.style,
            live: self.seed.is_none(),
        }
    }
}

async fn send_and_report(plan: Plan) -> ExitCode {
    let sent = Arc::new(Sent::default());
    let start = Instant::now();
    let (stop, stopped) = watch::channel(false);
    let mut interrupt = match signal(SignalKind::interrupt()) {
        Ok(interrupt) => interrupt,
        Err(error) => {
            eprintln!("error: cannot wait for Ctrl-C: {error}");
            return ExitCode::FAILURE;
        }
    };
    let mut feeding = tokio::spawn(feed(plan.clone(), Arc::clone(&sent), stopped));
    let progress = Progress::new(&plan);
    let outcome = loop {
        tokio::select! {
            ended = &mut feeding => break ended.map_or_else(|panic| Err(panic.to_string()), worded),
            () = progress.wait() => progress.show(&sent.tally()),
            _ = interrupt.recv() => {
                stop.send_replace(true);
                if tokio::time::timeout(PATIENCE, &mut feeding).await.is_err() {
                    feeding.abort();
                }
                break Ok(());
            }
        }
    };
    progress.end();
    if sent.tally().all() > 0 {
        report(&plan, sent.tally(), start.elapsed());
    }
    conclude(&plan, sent.tally(), outcome)
}

fn worded(outcome: Result<(), FeedError>) -> Result<(), String> {
    outcome.map_err(|error| error.to_string())
}

fn report(plan: &Plan, sent: Tally, took: Duration) {
    let seconds = took.as_secs_f64().max(0.001);
    let count = |number: u64| HumanCount(number).to_string();
    let rate = (sent.all() as f64 / seconds) as u64;
    let speed = Size((sent.bytes as f64 / seconds) as u64).about();
    let bytes = Size(sent.bytes).about();
    let (good, mended) = (count(sent.good), count(sent.repairable));
    println!(
        "sent       {} ({bytes}) in {seconds:.1} s: {}/s, {speed}/s",
        count(sent.all()),
        count(rate)
    );
    println!("of these   {good} good, {mended} repairable, {} beyond repair", count(sent.rejected));
    println!(
        "expect     {} delivered, {} quarantined (with ON_MALFORMED=repair)",
        count(sent.good + sent.repairable),
        count(sent.rejected),
    );
    println!("seed       {}", plan.seed);
}

fn conclude(plan: &Plan, sent: Tally, outcome: Result<(), String>) -> ExitCode {
    let missing = plan.count.map_or(0, |count| count.saturating_sub(sent.all()));
    if let Err(error) = &outcome {
        eprintln!("error: {error}");
    }
    if missing > 0 {
        eprintln!("{} were not handed over", HumanCount(missing));
    }
    match outcome.is_ok() && missing == 0 {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// A bar on a terminal, a line now and then elsewhere.
struct Progress {
    bar: Option<ProgressBar>,
    total: Option<u64>,
}

impl Progress {
    fn new(plan: &Plan) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| bar(plan.count));
        Self { bar, total: plan.count }
    }

    async fn wait(&self) {
        tokio::time::sleep(if self.bar.is_some() { BAR_STEP } else { LINE_STEP }).await;
    }

    fn show(&self, sent: &Tally) {
        match (&self.bar, self.total) {
            (Some(bar), _) => bar.set_position(sent.all()),
            (None, Some(total)) => {
                eprintln!("{} of {} sent", HumanCount(sent.all()), HumanCount(total));
            }
            (None, None) => eprintln!("{} sent", HumanCount(sent.all())),
        }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn bar(count: Option<u64>) -> ProgressBar {
    let bar = count.map_or_else(ProgressBar::new_spinner, ProgressBar::new);
    let template = if count.is_some() { BAR } else { SPINNER };
    let style = ProgressStyle::with_template(template);
    bar.with_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()))
}

/// Events a second.
pub(super) fn rate(text: &str) -> Result<f64, &'static str> {
    let rate = text.parse().ok().filter(|rate| (0.001..=1e9).contains(rate));
    rate.ok_or("a number of events a second, from 0.001")
}

/// `1%` or `0.01`.
pub(super) fn share(text: &str) -> Result<f64, &'static str> {
    let share = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse().map(|percent: f64| percent / 100.0),
        None => text.parse(),
    };
    let share = share.ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or("a share from 0% to 100%, as in 1% or 0.01")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_is_a_percentage_or_a_fraction() {
        for (text, expected) in [("1%", 0.01), ("0.5 %", 0.005), ("0.25", 0.25), ("100%", 1.0)] {
            assert_eq!(share(text), Ok(expected), "{text}");
        }
        for text in ["", "%", "101%", "-1%", "2", "NaN", "some"] {
            assert!(share(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_rate_is_a_positive_number() {
        assert_eq!(rate("2.5"), Ok(2.5));
        for text in ["0", "-1", "inf", "NaN", "fast"] {
            assert!(rate(text).is_err(), "{text}");
        }
    }
}
