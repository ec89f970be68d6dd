//! `replay`: quarantined bytes, corrected by a person or not, back through the front door.
//!
//! Each piece goes over a connection of its own, so that it cannot meet its neighbour, and counts
//! as sent when the listener has read it to the end. What was sent is noted beside the file
//! (`<file>.replayed`: a line's checksum and how often that line was met), so a second run sends
//! the rest, and a line that was corrected since is another record. A crash between sending and
//! noting sends that piece again. Copies of repaired events are skipped unless asked for. Parts of
//! a piece are joined, over all files given; a piece of which parts are missing is not sent.
//! A piece in another encoding than UTF-8 is sent behind a declaration that names it.
//! An object is fetched whole; what was sent of it is noted in the folder where this is run.
//! Not trusted: the lines. A bad one is named and the others go on.

pub mod lines;
pub mod progress;
mod sources;

use super::door::{Door, DoorError, bytes};
use crate::quarantine::{Record, UNKNOWN_ENCODING};
use anyhow::{Context, Result};
use lines::{Found, Line};
use sources::Source;
use std::collections::HashMap;
use std::process::ExitCode;

/// What to send where.
#[derive(Debug, Clone, clap::Args)]
pub struct Args {
    /// Quarantine files (NDJSON), in the order of their names; or URLs (s3://bucket/key, gs://,
    /// az://, file://), where one that ends in / is every .ndjson object below it
    #[arg(required = true, value_name = "FILE|URL")]
    files: Vec<String>,
    #[command(flatten)]
    door: Door,
    /// Send the originals of repaired events too, although the repaired ones were delivered
    #[arg(long)]
    repaired: bool,
}

/// How many pieces met which fate.
#[derive(Debug, Default)]
struct Summary {
    sent: u64,
    bytes: u64,
    before: u64,
    repaired: u64,
    incomplete: u64,
    bad: u64,
}

/// One piece: its lines in the order of its parts, by file and by number within the file.
#[derive(Debug, Default)]
struct Piece {
    lines: Vec<(usize, Line)>,
    next: u32,
    whole: bool,
    encoding: Option<String>,
}

/// Exit code 0 if everything that was to be sent has been sent, now or before.
#[must_use]
pub fn run(args: &Args) -> ExitCode {
    let mut summary = Summary::default();
    let outcome = replay(args, &mut summary);
    summary.show(&args.door.address());
    if let Err(error) = &outcome {
        eprintln!(
            "error: {error:#}\nRun it again when that is mended: what was sent is not sent again."
        );
    }
    let good = outcome.is_ok() && summary.bad == 0 && summary.incomplete == 0;
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

impl Summary {
    fn show(&self, to: &str) {
        let Self { sent, before, repaired, incomplete, bad, .. } = self;
        println!(
            "replayed {sent} pieces, {}, to {to}; {before} sent before, {repaired} repaired copies \
             skipped, {incomplete} incomplete, {bad} bad lines",
            bytes(self.bytes)
        );
    }
}

fn replay(args: &Args, summary: &mut Summary) -> Result<()> {
    let mut files = sources::open(&args.files)?;
    let pieces = plan(args, &mut files, summary)?;
    for piece in pieces {
        send(args, &mut files, &piece, summary)?;
    }
    files.iter().try_for_each(|file| file.progress.sync()).context("syncing the progress")
}

/// Which lines make which piece; holds a few numbers per line, never the bytes.
fn plan(args: &Args, files: &mut [Source], summary: &mut Summary) -> Result<Vec<Piece>> {
    let mut plan = Plan::default();
    for (index, Source { name, lines, progress }) in files.iter_mut().enumerate() {
        while let Some(Found { line, record }) = lines.next_line().with_context(|| name.clone())? {
            match record {
                Err(error) => {
                    eprintln!("{name}:{}: {error}", line.number);
                    summary.bad += 1;
                }
                Ok(record) if record.repaired && !args.repaired => summary.repaired += 1,
                Ok(record) if record.part.is_none() && progress.has(&line) => summary.before += 1,
                Ok(record) => plan.add(index, line, record),
            }
        }
    }
    Ok(plan.pieces)
}

/// The pieces in the order of their first lines, and which of them are not complete yet.
#[derive(Debug, Default)]
struct Plan {
    pieces: Vec<Piece>,
    open: HashMap<(Option<String>, u64), usize>,
}

impl Plan {
    fn add(&mut self, file: usize, line: Line, record: Record) {
        let encoding = record.encoding;
        let Some(part) = record.part else {
            self.pieces.push(Piece { lines: vec![(file, line)], next: 0, whole: true, encoding });
            return;
        };
        let key = (record.peer, part.piece);
        let place = self.open.get(&key).copied().unwrap_or(self.pieces.len());
        if place == self.pieces.len() {
            self.pieces.push(Piece::default());
        }
        if let Some(piece) = self.pieces.get_mut(place) {
            piece.add(file, line, part.part, part.last);
            piece.encoding = piece.encoding.take().or(encoding);
        }
        match part.last {
            true => self.open.remove(&key),
            false => self.open.insert(key, place),
        };
    }
}

impl Piece {
    fn add(&mut self, file: usize, line: Line, part: u32, last: bool) {
        let follows = part == self.next;
        self.lines.push((file, line));
        // A part out of its turn: one before it is missing, so the piece stays incomplete.
        self.next = if follows { part.saturating_add(1) } else { u32::MAX };
        self.whole = last && follows;
    }

    /// What must stand before it, so that it is read as it was. The record may have been edited: what
    /// can be no label counts as one that is not known, which guesses nothing.
    fn declaration(&self) -> Vec<u8> {
        let Some(label) = &self.encoding else { return Vec::new() };
        let is_label = label.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b));
        let label = if is_label { label } else { UNKNOWN_ENCODING };
        format!("<?xml version=\"1.0\" encoding=\"{label}\"?>").into_bytes()
    }

    fn is_sent(&self, files: &[Source]) -> bool {
        let sent = |(file, line): &(usize, Line)| {
            files.get(*file).is_some_and(|source| source.progress.has(line))
        };
        self.lines.iter().all(sent)
    }
}

fn send(args: &Args, files: &mut [Source], piece: &Piece, summary: &mut Summary) -> Result<()> {
    if piece.is_sent(files) {
        summary.before += 1;
        return Ok(());
    }
    if !piece.whole {
        tell_incomplete(files, piece);
        summary.incomplete += 1;
        return Ok(());
    }
    let part = piece.declaration();
    let sent = args.door.send(Joined { files: &mut *files, piece, next: 0, part, at: 0 });
    summary.bytes += sent.map_err(|error| named(files, piece, error))?;
    summary.sent += 1;
    for (file, line) in &piece.lines {
        if let Some(source) = files.get_mut(*file) {
            source.progress.note(line).context("noting what was sent")?;
        }
    }
    Ok(())
}

fn place(files: &[Source], piece: &Piece) -> String {
    let first = piece.lines.first();
    let name = first.and_then(|(file, _)| files.get(*file)).map_or("", |source| &source.name);
    format!("{name}:{}", first.map_or(0, |(_, line)| line.number))
}

fn named(files: &[Source], piece: &Piece, error: DoorError) -> anyhow::Error {
    anyhow::Error::new(error).context(place(files, piece))
}

fn tell_incomplete(files: &[Source], piece: &Piece) {
    eprintln!(
        "{}: a piece in parts, and not all parts are in these files: give the files before and \
         after it too",
        place(files, piece)
    );
}

/// The parts of a piece as one stream: one part in memory.
struct Joined<'a> {
    files: &'a mut [Source],
    piece: &'a Piece,
    next: usize,
    part: Vec<u8>,
    at: usize,
}

impl std::io::Read for Joined<'_> {
    fn read(&mut self, out: &mut [u8]) -> std::io::Result<usize> {
        while self.at == self.part.len() {
            let Some((file, line)) = self.piece.lines.get(self.next) else { return Ok(0) };
            self.next += 1;
            let Some(source) = self.files.get_mut(*file) else { return Ok(0) };
            (self.part, self.at) = (source.lines.raw(line)?, 0);
        }
        let mut rest = self.part.get(self.at..).unwrap_or_default();
        let read = std::io::Read::read(&mut rest, out)?;
        self.at += read;
        Ok(read)
    }
}
