//! `status`: the facts of the status page, in a terminal.

use super::ask;
use crate::admin::status::Status;
use crate::base::units::Size;
use crate::config::Settings;
use console::style;
use std::process::ExitCode;

/// How to show it.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// As JSON, like /api/status
    #[arg(long)]
    json: bool,
}

/// Exit code 0 if all is well, 1 if somebody must look at something.
#[must_use]
pub fn run(args: &Args, settings: &Settings) -> ExitCode {
    let status = match ask::status(settings) {
        Ok(status) => status,
        Err(error) => {
            eprintln!("error: {error:#}");
            return ExitCode::FAILURE;
        }
    };
    if args.json {
        println!("{}", serde_json::to_string_pretty(&status).unwrap_or_default());
    } else {
        show(&status);
    }
    if status.troubles().is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn show(status: &Status) {
    let Status { ledger, spool, uploads, .. } = status;
    println!("{} {} on {}", env!("CARGO_PKG_NAME"), status.version, status.instance);
    match status.troubles().as_slice() {
        [] => println!("{}", style("✓ all is well: events are taken and delivered").green()),
        troubles => troubles.iter().for_each(|t| println!("{}", style(format!("✗ {t}")).red())),
    }
    println!();
    line("received", &ledger.received.to_string());
    line("delivered", &ledger.delivered.to_string());
    line("quarantined", &ledger.quarantined.to_string());
    line("spooled", &ledger.spooled.to_string());
    let (bytes, segments) = (Size(spool.bytes).about(), spool.segments);
    line(
        "on disk",
        &format!("{bytes} of {}, waiting segments: {segments}", Size(spool.max_bytes).about()),
    );
    line("destination", &status.destination);
    line("last object", uploads.last_object.as_deref().unwrap_or("none yet"));
    line("connections", &status.connections.len().to_string());
    for connection in &status.connections {
        let (peer, events, rejected) = (&connection.peer, connection.events, connection.rejected);
        println!(
            "    {peer:<39} {events:>10} events {rejected:>6} rejected, silent for {} s",
            connection.idle_s
        );
    }
}

fn line(name: &str, value: &str) {
    println!("  {name:<12} {value}");
}
