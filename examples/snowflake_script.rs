//! Prints the Snowflake script for a target given by flags: for the tests in `tests/python`, and
//! for a look at a script without a configuration.
//!
//! `cargo run --example snowflake_script -- --format ndjson --pipe`. With `--batch`, one set of
//! arguments a line on standard input (a JSON array), one JSON string a line on standard output.

use clap::Parser;
use std::io::{BufRead, Write};
use xml_stream_aggregator::spool::manifest::{Compression, Form, Format};
use xml_stream_aggregator::tools::snowflake::{Args, Store, Target, output};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: Args,
    #[arg(long, default_value = "xml")]
    format: String,
    #[arg(long, default_value = "none")]
    compression: String,
    #[arg(long)]
    date_folders: bool,
    #[arg(long)]
    manifest: bool,
    #[arg(long, default_value = "s3")]
    store: String,
    #[arg(long, default_value = "acm-events")]
    bucket: String,
    #[arg(long, default_value = "xml-events/")]
    prefix: String,
}

fn main() -> anyhow::Result<()> {
    if std::env::args().nth(1).as_deref() == Some("--batch") {
        return batch();
    }
    print!("{}", answer(&Cli::parse())?);
    Ok(())
}

fn batch() -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let words: Vec<String> = serde_json::from_str(&line?)?;
        let cli = Cli::try_parse_from(std::iter::once("example".to_owned()).chain(words))?;
        writeln!(out, "{}", serde_json::to_string(&answer(&cli)?)?)?;
    }
    Ok(())
}

fn answer(cli: &Cli) -> anyhow::Result<String> {
    Ok(output(&cli.args, &target(cli)?)?)
}

fn target(cli: &Cli) -> anyhow::Result<Target> {
    Ok(Target {
        store: store(&cli.store)?,
        bucket: cli.bucket.clone(),
        prefix: cli.prefix.clone(),
        form: Form {
            format: word::<Format>(&cli.format)?,
            compression: word::<Compression>(&cli.compression)?,
            pretty: false,
            date_folders: cli.date_folders,
            manifest_object: cli.manifest,
        },
        manifest_prefix: "xml-events-manifests/".to_owned(),
        quarantine_prefix: "xml-events-quarantine/".to_owned(),
    })
}

fn store(name: &str) -> anyhow::Result<Store> {
    Ok(match name {
        "s3" => Store::S3,
        "gcs" => Store::Gcs,
        "azure" => Store::Azure { account: "acmaccount".to_owned() },
        "local" => Store::Local,
        other => anyhow::bail!("--store {other}: s3, gcs, azure or local"),
    })
}

fn word<T: serde::de::DeserializeOwned>(text: &str) -> anyhow::Result<T> {
    Ok(serde_json::from_value(text.into())?)
}
