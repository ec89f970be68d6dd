//! The table of settings: `--help`, the README and `.env.example` all show it.

use super::defaults::{DERIVED, default_of};
use super::typed::Typed;
use clap::{Arg, Args, Command};

/// What a setting without default shows in that column.
pub const NO_DEFAULT: &str = "–";

/// One setting as people see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The topic it stands under.
    pub topic: String,
    /// The environment variable.
    pub variable: String,
    /// The flag with its two hyphens; secrets have none.
    pub flag: Option<String>,
    /// The default as one would type it, or [`NO_DEFAULT`].
    pub default: String,
    /// What it means, in one line.
    pub meaning: String,
}

/// Settings that only the environment can give: the process list shows flags to everybody.
pub const SECRETS: [(&str, &str); 4] = [
    ("AWS_ACCESS_KEY_ID", "Key id, where none of the other sources of credentials is used"),
    ("AWS_SECRET_ACCESS_KEY", "Secret of that key (or Docker secret aws_secret_access_key)"),
    ("AWS_SESSION_TOKEN", "Session token of a temporary key"),
    ("ADMIN_TOKEN", "Token that the admin pages ask for"),
];

/// The topic of [`SECRETS`].
pub const SECRETS_TOPIC: &str = "Secrets (environment only: flags show in the process list)";

/// Every setting, topic by topic.
#[must_use]
pub fn rows() -> Vec<Row> {
    let command = Typed::augment_args(Command::new("settings"));
    let flags = command.get_arguments().filter_map(row_of);
    flags.chain(SECRETS.iter().map(secret_row)).collect()
}

/// Adds to every setting's help its variable and its default.
#[must_use]
pub fn explain(command: Command) -> Command {
    command.mut_args(|arg| match row_of(&arg) {
        Some(row) => explained(arg, &row),
        None => arg,
    })
}

fn explained(arg: Arg, row: &Row) -> Arg {
    let long = arg.get_long_help().or_else(|| arg.get_help()).map(ToString::to_string);
    let default = match row.default.as_str() {
        NO_DEFAULT => String::new(),
        default => format!(" [default: {default}]"),
    };
    let long = long.unwrap_or_default().replacen("\n\n", "\n", 1);
    let long = format!("{long}\n[env: {}]{default}", row.variable);
    arg.help(format!("{}{default}", row.meaning)).long_help(long).hide_env(true)
}

fn row_of(arg: &Arg) -> Option<Row> {
    let variable = arg.get_env()?.to_string_lossy().into_owned();
    Some(Row {
        topic: arg.get_help_heading().unwrap_or_default().to_owned(),
        flag: arg.get_long().map(|long| format!("--{long}")),
        default: shown_default(&variable).to_owned(),
        meaning: arg.get_help().map(ToString::to_string).unwrap_or_default(),
        variable,
    })
}

fn secret_row(&(variable, meaning): &(&str, &str)) -> Row {
    Row {
        topic: SECRETS_TOPIC.to_owned(),
        variable: variable.to_owned(),
        flag: None,
        default: NO_DEFAULT.to_owned(),
        meaning: meaning.to_owned(),
    }
}

fn shown_default(variable: &str) -> &'static str {
    let derived = || DERIVED.iter().find(|(name, _)| *name == variable).map(|&(_, text)| text);
    default_of(variable).or_else(derived).unwrap_or(NO_DEFAULT)
}
