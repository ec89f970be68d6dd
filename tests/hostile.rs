//! Every sample in `tests/hostile` has the outcome that its `.expect` file says.
//!
//! `NAME.xml` or `NAME.bin` is what is sent; `NAME.expect` holds JSON lines: first what the sample
//! is about and the options that differ from the defaults, then one line per event, rejected piece
//! or copy of a repaired event, in order, and the number of bytes skipped. `BLESS=1` writes the
//! outcomes anew: read the difference before you keep it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking"
)]

mod support;

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use support::{Out, Recorder, options, sift, whole};
use xml_stream_aggregator::event::ElementName;
use xml_stream_aggregator::ingest::sieve::{OnMalformed, Options};

fn text(raw: &[u8]) -> (&'static str, Value) {
    match std::str::from_utf8(raw) {
        Ok(text) => ("raw", json!(text)),
        Err(_) => ("raw_hex", json!(raw.iter().map(|b| format!("{b:02x}")).collect::<String>())),
    }
}

fn line(out: &Out) -> Value {
    match out {
        Out::Event { text, rescued: false, .. } => json!({ "event": text }),
        Out::Event { text, .. } => json!({ "event": text, "rescued": true }),
        Out::Piece { raw, reason, part, detail, .. } => {
            let (key, raw) = text(raw);
            let mut line = json!({ "reject": reason.name(), "detail": detail, key: raw });
            if let Some(part) = part {
                line["part"] = json!([part.piece, part.part, part.last]);
            }
            line
        }
        Out::Copy { raw, rules, .. } => {
            let (key, raw) = text(raw);
            json!({ "repaired": rules, key: raw })
        }
    }
}

fn lines(recorder: &Recorder) -> Vec<Value> {
    recorder.outs.iter().map(line).chain([json!({ "skipped": recorder.skipped })]).collect()
}

fn read_options(about: &Value) -> Options {
    let mut options = options();
    if let Some(max) = about["max_message_size"].as_u64() {
        options.max_message_size = usize::try_from(max).unwrap();
    }
    if let Some(element) = about["element"].as_str() {
        options.element = ElementName::new(element).unwrap();
    }
    if about["on_malformed"] == "quarantine" {
        options.on_malformed = OnMalformed::Quarantine;
    }
    options
}

fn check(sample: &Path) -> Result<(), String> {
    let stream = fs::read(sample).unwrap();
    let expect = sample.with_extension("expect");
    let expected = fs::read_to_string(&expect).map_err(|e| format!("{}: {e}", expect.display()))?;
    let mut expected = expected.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let about = expected.next().ok_or("an .expect file begins with what the sample is about")?;
    let options = read_options(&about);
    let found = lines(&whole(&options, &stream));
    for cuts in [&[1][..], &[2], &[3], &[7, 1, 30, 2]] {
        assert_eq!(lines(&sift(&options, &stream, cuts)), found, "cut {cuts:?}");
    }
    if std::env::var_os("BLESS").is_some() {
        let all = std::iter::once(&about).chain(&found).map(|line| format!("{line}\n"));
        fs::write(&expect, all.collect::<String>()).unwrap();
        return Ok(());
    }
    let expected: Vec<_> = expected.collect();
    if found == expected {
        return Ok(());
    }
    let show = |lines: &[Value]| lines.iter().map(|l| format!("\n    {l}")).collect::<String>();
    Err(format!("{about}\n  expected{}\n  found{}", show(&expected), show(&found)))
}

fn samples() -> BTreeSet<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
    fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "xml" || e == "bin"))
        .collect()
}

#[test]
fn every_hostile_sample_has_the_outcome_its_file_says() {
    let samples = samples();
    assert!(samples.len() >= 75, "only {} samples found", samples.len());
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    let wrong: Vec<_> = samples
        .iter()
        .filter_map(|path| check(path).err().map(|e| format!("{}: {e}", name(path))))
        .collect();
    assert!(wrong.is_empty(), "{} samples differ:\n{}", wrong.len(), wrong.join("\n"));
}
