//! One story of the settings, told three times: `--help`, README.md and .env.example.
//!
//! The program's own table is the truth. After a change of a setting, a default or a meaning,
//! `UPDATE_DOCS=1 cargo test --test settings_story` writes the two files anew. The real binary is
//! asked, with an empty environment, also about what it says to settings that cannot be.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

use std::path::PathBuf;
use std::process::{Command, Output};
use xml_stream_aggregator::config::table::{NO_DEFAULT, Row, rows};

const BEGIN: &str =
    "<!-- settings: written by UPDATE_DOCS=1 cargo test --test settings_story -->\n";
const END: &str = "<!-- end of settings -->\n";

fn program(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xml-stream-aggregator"));
    command.args(arguments).env_clear().envs(variables.iter().copied()).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// Compares a file with what it should be, or writes it.
fn holds(name: &str, expected: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(file(name), expected).unwrap();
    }
    let found = std::fs::read_to_string(file(name)).unwrap();
    assert!(found == expected, "{name} differs; UPDATE_DOCS=1 cargo test --test settings_story");
}

fn topics() -> Vec<(String, Vec<Row>)> {
    let mut topics: Vec<(String, Vec<Row>)> = Vec::new();
    for row in rows() {
        match topics.last_mut() {
            Some((topic, rows)) if *topic == row.topic => rows.push(row),
            _ => topics.push((row.topic.clone(), vec![row])),
        }
    }
    topics
}

fn as_table(rows: &[Row]) -> String {
    let line = |row: &Row| {
        let default = match row.default.as_str() {
            text if text == NO_DEFAULT || text.contains(' ') => text.to_owned(),
            text => format!("`{text}`"),
        };
        format!("| `{}` | {default} | {} |\n", row.variable, row.meaning.replace('|', "\\|"))
    };
    let lines: String = rows.iter().map(line).collect();
    format!("| variable | default | meaning |\n|---|---|---|\n{lines}")
}

fn as_example(row: &Row) -> String {
    match row.default.as_str() {
        _ if row.variable == "BUCKET_NAME" => format!("# {}\nBUCKET_NAME=\n", row.meaning),
        NO_DEFAULT => format!("# {}\n#{}=\n", row.meaning, row.variable),
        text if text.contains(' ') => {
            format!("# {} (default: {text})\n#{}=\n", row.meaning, row.variable)
        }
        text => format!("# {}\n#{}={text}\n", row.meaning, row.variable),
    }
}

#[test]
fn the_readme_has_every_setting_with_default_and_meaning() {
    let readme = std::fs::read_to_string(file("README.md")).unwrap();
    let (before, rest) = readme.split_once(BEGIN).expect("the place where settings begin");
    let (_, after) = rest.split_once(END).expect("the place where settings end");
    let tables =
        topics().into_iter().map(|(topic, rows)| format!("\n**{topic}**\n\n{}", as_table(&rows)));
    holds("README.md", &format!("{before}{BEGIN}{}\n{END}{after}", tables.collect::<String>()));
}

#[test]
fn the_example_has_every_setting_commented() {
    let head = "\
# Settings of xml-stream-aggregator, for Docker Compose (copy to .env) or a shell (set -a; . ./.env).
# A line without '#' in front holds; an empty value counts as not set; no quotation marks.
# Durations: 3600 (seconds), 500ms, 60s, 5m, 1h. Sizes: 10485760 (bytes), 10MB, 10MiB.
# The image sets DATA_DIR=/data and ADMIN_ADDR=0.0.0.0:8081.

# ---- For compose.yaml, not for the program ----

# The file of settings that the container gets: this one (without the line: the demonstration's)
XSA_SETTINGS=.env

# The folder with the files aws_access_key_id and aws_secret_access_key
XSA_SECRETS=./secrets
";
    let topic = |(topic, rows): (String, Vec<Row>)| {
        let rows: Vec<String> = rows.iter().map(as_example).collect();
        format!("\n# ---- {topic} ----\n\n{}", rows.join("\n"))
    };
    holds(
        ".env.example",
        &format!("{head}{}", topics().into_iter().map(topic).collect::<String>()),
    );
}

#[test]
fn help_has_every_setting_with_variable_default_and_meaning() {
    let output = program(&["--help"], &[]);
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    let blocks: Vec<String> = help
        .split("\n\n")
        .map(|block| block.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    for row in rows() {
        let Some(flag) = &row.flag else {
            assert!(help.contains(&row.variable) && help.contains(&row.meaning), "{row:?}");
            continue;
        };
        let own = flag.clone();
        let is_own = |block: &&String| {
            let at = block.find(&own).map(|at| &block[at + own.len()..]);
            at.is_some_and(|rest| rest.starts_with([' ', '[']))
                && block.contains(&format!("[env: {}]", row.variable))
        };
        let block = blocks.iter().find(is_own).unwrap_or_else(|| panic!("{flag} is not in --help"));
        assert!(block.contains(&row.meaning), "{block}");
        let default = format!("[default: {}]", row.default);
        assert_eq!(row.default != NO_DEFAULT, block.contains(&default), "{block}");
    }
}

#[test]
fn the_short_help_fits_on_two_screens_and_names_the_long_one() {
    let output = program(&["-h"], &[]);
    let help = String::from_utf8(output.stdout).unwrap();
    assert!(help.lines().count() <= 60, "{} lines", help.lines().count());
    for word in ["--bucket-name", "--destination", "--port", "demo", "send", "--help"] {
        assert!(help.contains(word), "{word}");
    }
}

#[test]
fn wrong_settings_are_all_named_at_once_and_end_with_exit_code_2() {
    let (secret, admin) = (("AWS_SECRET_ACCESS_KEY", "geheim"), ("ADMIN_ADDR", "127.0.0.1:0"));
    let wrong = [("PORT", "80a"), ("MAX_FILE_SIZE", "1.5GB"), ("LOG_LEVEL", "loud"), secret, admin];
    let output = program(&[], &wrong);
    let text = said(&output);
    assert_eq!(output.status.code(), Some(2));
    assert!(output.stdout.is_empty());
    for part in [
        "5 settings cannot be used; nothing was started",
        "BUCKET_NAME is missing",
        "PORT=\"80a\" is not a whole number",
        "MAX_FILE_SIZE=\"1.5GB\" is not a size",
        "LOG_LEVEL=\"loud\" is none of the words known. Allowed: error, warn, info, debug, trace",
        "AWS_ACCESS_KEY_ID is missing",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(!text.contains("geheim"), "{text}");
}

#[test]
fn a_flag_wins_over_the_variable_and_run_is_the_default_command() {
    let variables = [("BUCKET_NAME", "my-bucket"), ("PORT", "1")];
    for arguments in [&["--port", "x1"][..], &["run", "--port", "x1"]] {
        let output = program(arguments, &variables);
        assert_eq!(output.status.code(), Some(2));
        assert!(said(&output).contains("PORT=\"x1\""), "{}", said(&output));
    }
}

#[test]
fn an_unknown_flag_or_command_ends_with_exit_code_2() {
    for arguments in [&["--prot", "80"][..], &["stop"], &["send", "--count", "many"]] {
        assert_eq!(program(arguments, &[]).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn the_version_is_one_line() {
    let output = program(&["--version"], &[]);
    let expected = format!("xml-stream-aggregator {}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), expected);
}
