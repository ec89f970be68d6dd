//! `ledger`: received = delivered + quarantined + spooled, from the running program, else from the
//! files of its spool.

mod audit;

use super::ask;
use crate::admin::status::Ledger;
use crate::base::disk::OsDisk;
use crate::config::Settings;
use crate::spool::read_ledger;
use anyhow::{Context, Result};
use serde::Serialize;
use std::process::ExitCode;

/// How to show it.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// As JSON
    #[arg(long)]
    json: bool,
    /// Ask the store too: one HEAD for every object
    #[arg(long)]
    audit: bool,
}

/// Exit code 0 if the sum is right, 1 if not or if nobody knows.
#[must_use]
pub fn run(args: &Args, settings: &Settings) -> ExitCode {
    match answer(args, settings) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all is right.
fn answer(args: &Args, settings: &Settings) -> Result<bool> {
    let audited = args.audit.then(|| audit::audit(settings)).transpose()?;
    let (ledger, from) = read(settings)?;
    if args.json {
        let audit = audited.as_ref().map(|audited| audited.compared(&ledger));
        let report = Report { ledger: &ledger, audit };
        println!("{}", serde_json::to_string(&report)?);
    } else {
        show(&ledger, from);
        audited.iter().for_each(|audited| audited.show(&ledger));
    }
    Ok(ledger.balanced && audited.is_none_or(|audited| audited.faults(&ledger).is_empty()))
}

/// The ledger's own fields, and what the store says.
#[derive(Serialize)]
struct Report<'a> {
    #[serde(flatten)]
    ledger: &'a Ledger,
    #[serde(skip_serializing_if = "Option::is_none")]
    audit: Option<audit::Compared<'a>>,
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
