//! The command line: which command was meant, and how the program explains itself.
//!
//! Each command has one file below and uses the library like anybody else. Without a command the
//! program runs. To add a command: one variant of `Command`, one line in `obey`, one file.

pub mod appliance;
mod ask;
pub mod check;
pub mod demo;
pub mod door;
pub mod feed;
pub mod healthcheck;
pub mod import;
pub mod inspect;
pub mod ledger;
pub mod replay;
pub mod send;
pub mod snowflake;
pub mod status;
pub mod stored;

use crate::config::{
    Env, Problems, Settings, Typed, Warning,
    settings::{LogFormat, Place},
    table,
};
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
    /// How the running program is, in words
    Status(WithSettings<status::Args>),
    /// Exit code 0 if the running program takes events
    Healthcheck(WithSettings<healthcheck::Args>),
    /// What was received, and where it is: delivered, quarantined, spooled
    Ledger(WithSettings<ledger::Args>),
    /// What is in an event file, a quarantine file or a spool segment
    Inspect(inspect::Args),
    /// Try settings, spool, clock, credentials and store, and say what to do
    Check(Box<Typed>),
    /// Send quarantined records back through the front door
    Replay(replay::Args),
    /// Send a file of events (a leftover current.xml) through the front door
    Import(import::Args),
    /// Print the SQL that loads the objects into Snowflake
    Snowflake(Box<WithSettings<snowflake::Args>>),
}

/// A command's own arguments, and the settings of the program it is about.
#[derive(Debug, clap::Args)]
struct WithSettings<T: clap::Args> {
    #[command(flatten)]
    own: T,
    #[command(flatten)]
    settings: Box<Typed>,
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
    let mut explained = table::explain(Cli::command()).after_long_help(end.clone());
    for name in ["status", "healthcheck", "ledger", "check", "snowflake"] {
        explained = explained.mut_subcommand(name, without_settings);
    }
    explained.mut_subcommand("run", |run| {
        table::explain(run).max_term_width(100).after_help(SHORT_END).after_long_help(end)
    })
}

/// A command that takes the settings too explains only its own arguments.
fn without_settings(command: clap::Command) -> clap::Command {
    let own = ["json", "audit"];
    let is_setting =
        |arg: &clap::Arg| arg.get_env().is_some() && !own.contains(&arg.get_id().as_str());
    command
        .max_term_width(100)
        .mut_args(|arg| if is_setting(&arg) { arg.hide(true) } else { arg })
        .after_help("It reads the same variables and flags as 'run': see the settings in --help of the program.")
}

fn obey(cli: Cli) -> ExitCode {
    match cli.command {
        None => run(&cli.settings),
        Some(Command::Run(settings)) => run(&settings),
        Some(Command::Demo(asked)) => demo::demo(&asked),
        Some(Command::Send(asked)) => send::send(&asked),
        Some(Command::Status(asked)) => about(&asked, status::run),
        Some(Command::Healthcheck(asked)) => about(&asked, healthcheck::run),
        Some(Command::Ledger(asked)) => about(&asked, ledger::run),
        Some(Command::Inspect(asked)) => inspect::run(&asked).unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }),
        Some(Command::Check(settings)) => {
            end_with_the_reader();
            check::run(&settings)
        }
        Some(Command::Replay(asked)) => replay::run(&asked),
        Some(Command::Import(asked)) => import::run(&asked),
        Some(Command::Snowflake(asked)) => {
            about(&asked, |args, settings| snowflake::run(args, &snowflake_target(settings)))
        }
    }
}

fn run(typed: &Typed) -> ExitCode {
    match Settings::for_start(typed, &Env::of_process()) {
        Ok((settings, warnings)) => {
            warnings.iter().for_each(|warning| show(warning, settings.log.format));
            daemon::run(settings)
        }
        Err(problems) => refuse(&problems),
    }
}

/// A command about the program with these settings.
fn about<T: clap::Args>(
    asked: &WithSettings<T>,
    work: impl Fn(&T, &Settings) -> ExitCode,
) -> ExitCode {
    end_with_the_reader();
    match Settings::from_typed(&asked.settings, &Env::of_process()) {
        Ok((settings, _said_by_run)) => work(&asked.own, &settings),
        Err(problems) => refuse(&problems),
    }
}

/// What a process reports that a closed pipe ended.
const CLOSED_PIPE: i32 = 128 + 13;

/// A reader that has seen enough (`… | head`) is no fault, but `println!` panics for it, and only the
/// words of that panic tell.
fn end_with_the_reader() {
    let usual = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let words = panic.payload_as_str().unwrap_or_default();
        if words.starts_with("failed printing to stdout") && words.contains("Broken pipe") {
            std::process::exit(CLOSED_PIPE);
        }
        usual(panic);
    }));
}

fn snowflake_target(settings: &Settings) -> snowflake::Target {
    let own = &settings.destination;
    let (store, bucket) = match &own.place {
        Place::S3 { bucket } => (snowflake::Store::S3, bucket.clone()),
        Place::Gcs { bucket } => (snowflake::Store::Gcs, bucket.clone()),
        Place::Azure { container } => {
            let account = std::env::var("AZURE_STORAGE_ACCOUNT_NAME").unwrap_or_default();
            (snowflake::Store::Azure { account }, container.clone())
        }
        Place::Folder { .. } => (snowflake::Store::Local, String::new()),
    };
    snowflake::Target {
        store,
        bucket,
        prefix: own.events.clone(),
        form: settings.spool.form,
        manifest_prefix: own.manifests.clone(),
        quarantine_prefix: own.quarantine.clone(),
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
