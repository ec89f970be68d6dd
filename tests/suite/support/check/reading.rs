//! Reads objects and the files of a spool, by their documented form, and notes what each holds.

use super::{Find, Ledger, Place, check_name};
use crate::support::store::{Object, files};
use crc_fast::{CrcAlgorithm, checksum};
use std::path::Path;
use xml_stream_aggregator::event::{FOOTER, HEADER};

impl Ledger<'_> {
    fn find(&mut self, cn: String, place: Place, file: &str, bytes: &[u8]) {
        let find = Find { place, file: file.to_owned(), bytes: bytes.to_vec() };
        self.finds.entry(cn).or_default().push(find);
    }

    pub(super) fn object(&mut self, object: &Object) {
        let Object { key, bytes, metadata, content } = object;
        if content.1.is_some() {
            self.complain(format!("{key}: has a Content-Encoding"));
        }
        if let Some(segment) = metadata.get("segment")
            && let Some(other) = self.segments.insert(segment.clone(), key.clone())
        {
            self.complain(format!("{key} and {other} are of one segment, {segment}"));
        }
        if key.starts_with(&self.rules.prefix) {
            let count = self.event_object(key, bytes);
            self.metadata(object, count);
        } else if key.starts_with(&self.rules.quarantine) {
            // Anything else there is the probe.
            if key.ends_with(".ndjson") {
                self.records(key, bytes, Place::Quarantine);
            }
        } else {
            self.complain(format!("{key}: is outside of the agreed prefixes"));
        }
    }

    /// An event document under its key; how many events it holds.
    pub(super) fn event_object(&mut self, key: &str, bytes: &[u8]) -> usize {
        self.objects += 1;
        let name = key.strip_prefix(&self.rules.prefix).unwrap_or(key);
        if let Err(problem) = check_name(&self.plain(name), self.rules.date_folders) {
            self.complain(format!("{key}: {problem}"));
        }
        if bytes.len() as u64 > self.rules.max_file_size {
            self.complain(format!("{key}: has {} bytes, more than allowed", bytes.len()));
        }
        let count = self.document(key, bytes, Place::Object);
        if count == 0 {
            self.complain(format!("{key}: holds no event"));
        }
        count
    }

    /// A name without the identity that an old store needs in it.
    fn plain(&self, name: &str) -> String {
        match name.split_once("-events-").and_then(|(before, _)| before.rsplit_once('_')) {
            Some((time, _)) if !self.rules.modern_store => format!("{time}.xml"),
            _ => name.to_owned(),
        }
    }

    fn metadata(&mut self, object: &Object, count: usize) {
        if !self.rules.modern_store {
            return;
        }
        let key = &object.key;
        let sum = format!("{:016x}", checksum(CrcAlgorithm::Crc64Nvme, &object.bytes));
        let expected = [("event-count", count.to_string()), ("checksum", sum)];
        for (name, value) in expected {
            if object.metadata.get(name) != Some(&value) && !self.rules.salvaged {
                let got = object.metadata.get(name);
                self.complain(format!("{key}: {name} is {got:?} instead of {value}"));
            }
        }
        for name in ["segment", "first-received", "last-received", "producer", "instance"] {
            if !object.metadata.contains_key(name) {
                self.complain(format!("{key}: has no metadata '{name}'"));
            }
        }
        if object.content.0.as_deref() != Some("application/xml") {
            self.complain(format!("{key}: Content-Type is {:?}", object.content.0));
        }
    }

    /// Reads an event document with `roxmltree`.
    fn document(&mut self, file: &str, bytes: &[u8], place: Place) -> usize {
        if !bytes.starts_with(HEADER) || !bytes.ends_with(FOOTER) {
            self.complain(format!("{file}: does not begin and end as agreed"));
        }
        let Ok(text) = std::str::from_utf8(bytes) else {
            self.complain(format!("{file}: is not UTF-8"));
            return 0;
        };
        let document = match roxmltree::Document::parse(text) {
            Ok(document) => document,
            Err(error) => {
                self.complain(format!("{file}: is not well-formed: {error}"));
                return 0;
            }
        };
        let mut count = 0;
        for event in document.root_element().children().filter(roxmltree::Node::is_element) {
            count += 1;
            let bytes = &text.as_bytes()[event.range()];
            match event.children().find(|child| child.has_tag_name("cn")) {
                Some(cn) => {
                    self.find(cn.text().unwrap_or_default().to_owned(), place, file, bytes);
                }
                None => self.complain(format!("{file}: an event that nobody sent")),
            }
        }
        count
    }

    /// Reads quarantine records.
    pub(super) fn records(&mut self, file: &str, bytes: &[u8], place: Place) {
        for line in bytes.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
            let record: serde_json::Value = match serde_json::from_slice(line) {
                Ok(record) => record,
                Err(error) => {
                    self.complain(format!("{file}: a line is not JSON: {error}"));
                    continue;
                }
            };
            for field in ["received_at", "peer", "reason", "detail", "position"] {
                if record.get(field).is_none() {
                    self.complain(format!("{file}: a record has no '{field}'"));
                }
            }
            let raw = raw(&record);
            let Some(cn) = cn_of(&raw) else {
                if self.rules.strangers {
                    // A piece in parts counts once.
                    self.strangers += usize::from(record["last"].as_bool() != Some(false));
                    continue;
                }
                self.complain(format!("{file}: a rejected piece that nobody sent"));
                continue;
            };
            if record["repaired"].as_bool() == Some(true) {
                if self.copies.insert(cn, raw).is_some() {
                    self.complain(format!("{file}: two copies of one repaired event"));
                }
            } else {
                self.find(cn, place, file, &raw);
            }
        }
    }

    /// Reads what waits in a spool. A segment that is in the store already is counted there.
    pub(super) fn spool(&mut self, data: &Path) {
        for path in files(&data.join("events")).into_iter().chain(files(&data.join("quarantine"))) {
            let kind = path.extension().and_then(|e| e.to_str()).unwrap_or_default().to_owned();
            if !matches!(kind.as_str(), "open" | "sealed") || self.is_stored(&path) {
                continue;
            }
            let name = path.display().to_string();
            let bytes = std::fs::read(&path).unwrap();
            let events = path.parent().is_some_and(|lane| lane.ends_with("events"));
            match (events, kind.as_str()) {
                (true, "sealed") => drop(self.document(&name, &bytes, Place::SpooledEvent)),
                (true, _) => self.open_document(&name, &bytes),
                (false, _) => self.records(&name, whole_lines(&bytes), Place::SpooledReject),
            }
        }
        let mut stuck = files(&data.join("events"));
        stuck.retain(|path| path.extension().is_some_and(|e| e == "stuck"));
        if stuck.len() != self.rules.stuck {
            let expected = self.rules.stuck;
            self.complain(format!("{}: is stuck, expected {expected}: {stuck:?}", stuck.len()));
        }
    }

    fn is_stored(&self, path: &Path) -> bool {
        let Ok(text) = std::fs::read(path.with_extension("meta")) else { return false };
        let meta: serde_json::Value = serde_json::from_slice(&text).unwrap_or_default();
        meta["identity"].as_str().is_some_and(|identity| self.segments.contains_key(identity))
    }

    /// An open segment may end in the middle of an event; what is whole before it counts.
    fn open_document(&mut self, name: &str, bytes: &[u8]) {
        let end = b"</EVENT>\n";
        let at = bytes.windows(end.len()).rposition(|window| window == end);
        let Some(at) = at else { return };
        let document = [&bytes[..at + end.len()], FOOTER].concat();
        self.document(name, &document, Place::SpooledEvent);
    }
}

fn raw(record: &serde_json::Value) -> Vec<u8> {
    use base64::Engine;
    match (record["raw"].as_str(), record["raw_base64"].as_str()) {
        (Some(text), _) => text.as_bytes().to_vec(),
        (None, Some(text)) => base64::engine::general_purpose::STANDARD.decode(text).unwrap(),
        (None, None) => Vec::new(),
    }
}

fn cn_of(raw: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(raw);
    let (_, rest) = text.split_once("<cn>")?;
    Some(rest.split_once("</cn>")?.0.to_owned())
}

fn whole_lines(bytes: &[u8]) -> &[u8] {
    let end = bytes.iter().rposition(|b| *b == b'\n').map_or(0, |at| at + 1);
    &bytes[..end]
}
