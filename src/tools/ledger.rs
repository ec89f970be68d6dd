//! `ledger`: received = delivered + quarantined + spooled, from the running program, else from the
//! files of its spool.

use super::ask;
use crate::admin::status::Ledger;
use crate::base::disk::OsDisk;
use crate::config::Settings;
use crate::spool::read_ledger;
use anyhow::{Context, Result};
use std::process::ExitCode;

/// How to show it.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// As JSON
    #[arg(long)]
    json: bool,
}

/// Exit code 0 if the sum is right, 1 if not or if nobody knows.
#[must_use]
pub fn run(args: &Args, settings: &Settings) -> ExitCode {
    match read(settings) {
        Ok((ledger, from)) => {
            if args.json {
                println!("{}", serde_json::to_string(&ledger).unwrap_or_default());
            } else {
                show(&ledger, from);
            }
            if ledger.balanced { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn read(settings: &Settings) -> Result<(Ledger, &'static str)> {
    if let Ok(status) = ask::status(settings) {
        return Ok((status.ledger, "the running program"));
    }
    let dir = &settings.spool.data_dir;
    let reading = read_ledger(dir, &OsDisk)
        .with_context(|| format!("no program answers, and {} holds no ledger", dir.display()))?;
    Ok((reading.ledger.into(), "the files (no program answers)"))
}

fn show(ledger: &Ledger, from: &str) {
    println!("from {from}");
    let rows = [
        ("received", ledger.received),
        ("delivered", ledger.delivered),
        ("quarantined", ledger.quarantined),
        ("spooled", ledger.spooled),
        ("damaged", ledger.damaged),
    ];
    rows.iter().for_each(|(name, value)| println!("  {name:<12} {value:>14}"));
    println!(
        "  {}",
        if ledger.balanced { "it balances" } else { "IT DOES NOT BALANCE: please report this" }
    );
}
