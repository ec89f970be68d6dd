//! Resident memory at its highest, and processor time, for each format: a segment of 10 MiB with
//! 5,000 events. `cargo run --release --example encode_memory`; exit code 1 above the limit.
//!
//! Each combination runs in a process of its own (the kernel's high-water mark never falls), reads
//! the segment from a file and keeps the object in memory, as an upload does. Linux only.

use anyhow::{Context, bail};
use std::fs::{self, File};
use std::io::{BufWriter, Read};
use std::process::{Command, ExitCode};
use std::time::Instant;
use xml_stream_aggregator::spool::manifest::{Compression, Form, Format};
use xml_stream_aggregator::spool::names::Lane;
use xml_stream_aggregator::upload::encode::encode;

#[path = "parts/segment.rs"]
mod segment;

/// What a whole process may take, in KiB.
const LIMIT: u64 = 64 * 1024;
const EVENTS: usize = 5000;
const SEGMENT: usize = 10 * 1024 * 1024;

const FORMS: [(&str, Format, Compression); 11] = [
    ("xml", Format::Xml, Compression::None),
    ("xml.gz", Format::Xml, Compression::Gzip),
    ("xml.zst", Format::Xml, Compression::Zstd),
    ("json", Format::Json, Compression::None),
    ("json.gz", Format::Json, Compression::Gzip),
    ("json.zst", Format::Json, Compression::Zstd),
    ("ndjson", Format::Ndjson, Compression::None),
    ("ndjson.gz", Format::Ndjson, Compression::Gzip),
    ("ndjson.zst", Format::Ndjson, Compression::Zstd),
    ("parquet (zstd)", Format::Parquet, Compression::None),
    ("parquet (gzip)", Format::Parquet, Compression::Gzip),
];

fn main() -> anyhow::Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [form, path] => child(form, path).map(|()| ExitCode::SUCCESS),
        _ => parent(),
    }
}

fn parent() -> anyhow::Result<ExitCode> {
    let path = std::env::temp_dir().join(format!("encode-memory-{}.sealed", std::process::id()));
    segment::write(&mut BufWriter::new(File::create(&path)?), EVENTS, SEGMENT / EVENTS)?;
    println!("segment: {} bytes, {EVENTS} events", fs::metadata(&path)?.len());
    println!("{:<16} {:>12} {:>14} {:>10}", "form", "peak, KiB", "object, bytes", "ms");
    let mut highest = 0;
    for (name, ..) in FORMS {
        let output = Command::new(std::env::current_exe()?).arg(name).arg(&path).output()?;
        if !output.status.success() {
            bail!("{name}: {}", String::from_utf8_lossy(&output.stderr));
        }
        let line = String::from_utf8(output.stdout)?;
        print!("{line}");
        let peak = line.get(name.len()..).and_then(|rest| rest.split_whitespace().next());
        highest = highest.max(peak.context("no figure")?.parse()?);
    }
    fs::write(&path, b"").and_then(|()| remove(&path))?;
    println!("highest: {highest} KiB, limit {LIMIT} KiB");
    Ok(if highest < LIMIT { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[allow(clippy::disallowed_methods)] // our own scratch file
fn remove(path: &std::path::Path) -> std::io::Result<()> {
    fs::remove_file(path)
}

fn child(name: &str, path: &str) -> anyhow::Result<()> {
    let form = FORMS.iter().find(|(known, ..)| *known == name).context("unknown form")?;
    let (_, format, compression) = *form;
    let form = Form { format, compression, ..Form::default() };
    let mut object = Vec::new();
    let start = Instant::now();
    let mut open = || Ok(Box::new(File::open(path)?) as Box<dyn Read>);
    encode(&form, Lane::Events, &mut open, &mut object)?;
    let ms = start.elapsed().as_millis();
    println!("{name:<16} {:>12} {:>14} {ms:>10}", high_water()?, object.len());
    Ok(())
}

/// The kernel's high-water mark of this process, in KiB.
fn high_water() -> anyhow::Result<u64> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    Ok(line.context("no VmHWM")?.trim_end_matches("kB").trim().parse()?)
}
