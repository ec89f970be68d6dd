//! `import`: a file of events, such as the `current.xml` that the Python script left, through the
//! front door.
//!
//! The file is streamed as it is: what is well-formed becomes events, what is not goes to the
//! quarantine, by the rules for everything that arrives. Nothing is renamed or deleted, so a second
//! `import` of the same file sends its events a second time. Refused: what cannot be opened.

use super::door::{Door, bytes};
use anyhow::{Context, Result, ensure};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What to send where.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// The file; it stays as it is, and a second import sends it a second time
    #[arg(value_name = "PATH")]
    path: PathBuf,
    #[command(flatten)]
    door: Door,
}

/// Exit code 0 if the listener has read the file to its end.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    match import(&args.path, &args.door) {
        Ok(sent) => {
            println!("sent       {} to {}", bytes(sent), args.door.address());
            println!(
                "next       see 'status' or 'ledger' for what became of it; then move the file away,"
            );
            println!("           because a second import would send its events again");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            eprintln!(
                "A part of it may have been taken: compare 'ledger' before it is sent again."
            );
            ExitCode::FAILURE
        }
    }
}

fn import(path: &Path, door: &Door) -> Result<u64> {
    let file = File::open(path).with_context(|| path.display().to_string())?;
    let is_file = file.metadata().is_ok_and(|facts| facts.is_file());
    ensure!(is_file, "{}: not a file", path.display());
    door.send(file).with_context(|| path.display().to_string())
}
