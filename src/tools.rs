//! The command line: which command was meant, and how the program explains itself.
//!
//! Each command has one file below and uses the library like anybody else. Without a command the
//! program runs. To add a command: one variant of [`Command`], one line in [`obey`], one file.

pub mod appliance;
pub mod demo;
pub mod feed;
pub mod send;
pub mod snowflake;

use crate::config::{Env, Problems, Settings, Typed, Warning, settings::LogFormat, table};
use crate::daemon;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use std::process::ExitCode;

const ABOUT: &str = "Catches the XML event stream of an access-control appliance and delivers \
well-formed files to an object store.";

const LONG_ABOUT: &str =
    "Catches the XML event stream of an access-control appliance and delivers \
well-formed files to an object store.

Every event is on disk before it counts as received, and leaves the disk only when the store has \
confirmed it. What is not well-formed goes to a quarantine, with the reason.

Every option is also an environment variable: --max-file-size is MAX_FILE_SIZE. A flag wins over \
the variable, an empty variable counts as not set. Durations: 3600 (seconds), 500ms, 60s, 5m, 1h. \
Sizes: 10485760 (bytes), 10MB, 10MiB. BOOL: true or false; the flag alone means true.";

const USAGE: &str = "xml-stream-aggregator [OPTIONS]
       xml-stream-aggregator <COMMAND>";

const SHORT_END: &str =
    "Every option is also an environment variable (--max-file-size is MAX_FILE_SIZE).
All of them, with more words: --help";

const EXIT_CODES: &str = "\
Exit codes:
  0  ended as asked, nothing lost
  1  a part of the program failed; what was received is in the spool
  2  settings cannot be used; nothing was started
  3  the spool is locked by another process, or its folder cannot be used";

const EXAMPLES: &str = "\
Examples:
  See it work, nothing to configure:
      xml-stream-aggregator demo
  Into a local folder, a file a minute:
      xml-stream-aggregator --destination ./events --rotation-interval 1m
  Into a bucket, compressed, with date folders:
      BUCKET_NAME=site-events AWS_REGION=eu-central-1 COMPRESSION=gzip \\
          xml-stream-aggregator --use-date-folders
  Push 100,000 simulated events into it over 8 connections:
      xml-stream-aggregator send --count 100000 --connections 8";

#[derive(Debug, Parser)]
#[command(
    name = "xml-stream-aggregator",
    version,
    about = ABOUT,
    long_about = LONG_ABOUT,
    args_conflicts_with_subcommands = true,
    max_term_width = 100,
    override_usage = USAGE,
    after_help = SHORT_END
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    settings: Typed,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Listen, keep, deliver (what happens without a command, too)
    Run(Box<Typed>),
    /// See it work with a simulated appliance and a local folder, nothing to configure
    Demo(demo::Demo),
    /// Send simulated events to a listener
    Send(send::Send),
}

/// The whole program, from the arguments to the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let matches = command().get_matches();
    match Cli::from_arg_matches(&matches) {
        Ok(cli) => obey(cli),
        Err(error) => error.exit(),
    }
}

/// The command line as clap sees it, with every setting explained.
#[must_use]
pub fn command() -> clap::Command {
    let end = format!("{}\n\n{EXIT_CODES}\n\n{EXAMPLES}", secrets());
    let explained = table::explain(Cli::command()).after_long_help(end.clone());
    explained.mut_subcommand("run", |run| {
        table::explain(run).max_term_width(100).after_help(SHORT_END).after_long_help(end)
    })
}

fn obey(cli: Cli) -> ExitCode {
    match cli.command {
        None => run(&cli.settings),
        Some(Command::Run(settings)) => run(&settings),
        Some(Command::Demo(asked)) => demo::demo(&asked),
        Some(Command::Send(asked)) => send::send(&asked),
    }
}

fn run(typed: &Typed) -> ExitCode {
    match Settings::from_typed(typed, &Env::of_process()) {
        Ok((settings, warnings)) => {
            warnings.iter().for_each(|warning| show(warning, settings.log.format));
            daemon::run(settings)
        }
        Err(problems) => refuse(&problems),
    }
}

/// Says what is wrong with the settings, and gives the exit code for it.
fn refuse(problems: &Problems) -> ExitCode {
    eprintln!("error: {problems}");
    ExitCode::from(Problems::EXIT_CODE)
}

/// Warnings about settings come before the log is set up, but look like its lines.
fn show(warning: &Warning, format: LogFormat) {
    match format {
        LogFormat::Text => eprintln!("warning: {warning}"),
        LogFormat::Json => {
            let (timestamp, message) = (jiff::Timestamp::now(), &warning.0);
            let line =
                serde_json::json!({"timestamp": timestamp, "level": "WARN", "message": message});
            eprintln!("{line}");
        }
    }
}

fn secrets() -> String {
    let lines = table::SECRETS.map(|(variable, meaning)| format!("  {variable:<23}{meaning}"));
    format!("{}:\n{}", table::SECRETS_TOPIC, lines.join("\n"))
}
