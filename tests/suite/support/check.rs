//! The check at the end of every drill: each event exactly once, in an event object, in the
//! quarantine, or in the spool; every object well-formed, well named and within its size.
//!
//! It knows the files by their documented form only and reads XML with a parser that the program
//! does not use. It reports all it finds wrong, not the first thing.

use super::appliance::Session;
use super::process::Site;
use super::store::{Object, Store, files};
use crc_fast::{CrcAlgorithm, checksum};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use xml_stream_aggregator::event::{FOOTER, HEADER};

/// What the objects have to look like.
#[derive(Debug, Clone)]
pub struct Rules {
    /// `PREFIX`.
    pub prefix: String,
    /// `QUARANTINE_PREFIX`.
    pub quarantine: String,
    /// `USE_DATE_FOLDERS`.
    pub date_folders: bool,
    /// `MAX_FILE_SIZE`.
    pub max_file_size: u64,
    /// The store keeps metadata and refuses a second conditional PUT; otherwise a name may carry
    /// the segment's identity.
    pub modern_store: bool,
    /// Some segments were damaged: their objects hold less than their metadata say.
    pub salvaged: bool,
    /// Strangers sent garbage: rejected pieces that carry no `cn` are theirs.
    pub strangers: bool,
    /// So many segments were set aside as `.stuck`; the ledger counts what nobody can read.
    pub stuck: usize,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            prefix: "xml-events/".to_owned(),
            quarantine: "xml-events-quarantine/".to_owned(),
            date_folders: false,
            max_file_size: 10 * 1024 * 1024,
            modern_store: true,
            salvaged: false,
            strangers: false,
            stuck: 0,
        }
    }
}

/// Where the events were found.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Tally {
    /// In event objects.
    pub delivered: usize,
    /// In quarantine objects, copies of repaired events not counted.
    pub quarantined: usize,
    /// In the spool.
    pub spooled: usize,
    /// Sent, and nowhere: they were still in the kernel when the program died.
    pub unread: usize,
    /// Event objects.
    pub objects: usize,
    /// Rejected pieces of strangers ([`Rules::strangers`]), wherever they are.
    pub strangers: usize,
}

/// Runs the check against a store and the spools of all sites that deliver to it.
pub fn check(store: &Store, sites: &[&Site], sent: &[Session], rules: &Rules) -> Tally {
    examine(store, sites, sent, rules).unwrap_or_else(|problems| report(&problems))
}

/// The same, with all that is wrong as a value.
pub fn examine(
    store: &Store,
    sites: &[&Site],
    sent: &[Session],
    rules: &Rules,
) -> Result<Tally, Vec<String>> {
    let mut ledger = Ledger::new(rules);
    for object in store.objects("") {
        ledger.object(&object);
    }
    for site in sites {
        ledger.spool(&site.data());
    }
    if rules.modern_store {
        for (key, times) in store.rewritten() {
            ledger.complain(format!("{key}: was written {times} times"));
        }
        for seen in store.requests() {
            if seen.method == "PUT" && !seen.conditional && seen.key.starts_with(&rules.prefix) {
                ledger.complain(format!("{}: a PUT without If-None-Match", seen.key));
            }
        }
    }
    let tally = ledger.settle(sent)?;
    let said = sites.iter().filter_map(|site| said(site)).collect::<Result<Vec<_>, _>>();
    let said = said.map_err(|problem| vec![problem])?;
    let open = |site: &&Site| !site.spooled("events", "open").is_empty();
    compare(&said, &tally, rules, sites.iter().any(open))?;
    Ok(tally)
}

/// What `ledger --json` prints, of a site at which the program ever ran; it has ended by now.
fn said(site: &Site) -> Option<Result<serde_json::Value, String>> {
    site.data().join("ledger").exists().then(|| {
        let ended = site.run(&["ledger", "--json"]);
        match serde_json::from_str(&ended.output) {
            Ok(said) if ended.code() == Some(0) => Ok(said),
            _ => Err(format!("the ledger says: {}{}", ended.output, ended.log)),
        }
    })
}

/// The program's own ledger against what was found. Where a segment's manifest or the ledger was
/// destroyed it balances all the same, but counts what nobody sent or begins anew.
/// What an unsealed segment holds is counted at the next start.
fn compare(
    said: &[serde_json::Value],
    tally: &Tally,
    rules: &Rules,
    open: bool,
) -> Result<(), Vec<String>> {
    let sum = |name: &str| said.iter().map(|one| one[name].as_u64().unwrap()).sum::<u64>() as usize;
    let (delivered, quarantined) = (sum("delivered"), sum("quarantined"));
    let (received, spooled, damaged) = (sum("received"), sum("spooled"), sum("damaged"));
    let mut wrong = Vec::new();
    if received != delivered + quarantined + spooled + damaged {
        wrong.push("does not balance");
    }
    let rejected = tally.quarantined + tally.strangers;
    let found = tally.delivered + rejected + tally.spooled;
    let comparable = !said.is_empty() && !rules.salvaged && rules.stuck == 0;
    if comparable && (received > found || (received < found && !open) || damaged > 0) {
        wrong.push("counts more or less than there is");
    }
    // What is stored and not yet retired is spooled for the ledger and delivered for the check.
    if comparable && (delivered > tally.delivered || quarantined > rejected) {
        wrong.push("counts something as delivered that is not there");
    }
    let words = |what| format!("the ledger {what}: {said:?}, found {tally:?}");
    if wrong.is_empty() { Ok(()) } else { Err(wrong.into_iter().map(words).collect()) }
}

/// The same for a local folder and its sibling with the quarantine.
pub fn check_folder(events: &Path, site: &Site, sent: &[Session], rules: &Rules) -> Tally {
    let rules = Rules { prefix: String::new(), ..rules.clone() };
    let mut ledger = Ledger::new(&rules);
    for path in files(events) {
        let key = path.strip_prefix(events).unwrap().to_str().unwrap().to_owned();
        ledger.event_object(&key, &std::fs::read(&path).unwrap());
    }
    let mut quarantine = events.as_os_str().to_owned();
    quarantine.push("-quarantine");
    for path in files(Path::new(&quarantine)) {
        let name = path.to_str().unwrap().to_owned();
        ledger.records(&name, &std::fs::read(&path).unwrap(), Place::Quarantine);
    }
    ledger.spool(&site.data());
    ledger.settle(sent).unwrap_or_else(|problems| report(&problems))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Object,
    Quarantine,
    SpooledEvent,
    SpooledReject,
}

/// One find: where, and the bytes.
#[derive(Debug)]
struct Find {
    place: Place,
    file: String,
    bytes: Vec<u8>,
}

struct Ledger<'a> {
    rules: &'a Rules,
    finds: HashMap<String, Vec<Find>>,
    copies: HashMap<String, Vec<u8>>,
    segments: BTreeMap<String, String>,
    problems: Vec<String>,
    objects: usize,
    strangers: usize,
}

impl<'a> Ledger<'a> {
    fn new(rules: &'a Rules) -> Self {
        Self {
            rules,
            finds: HashMap::new(),
            copies: HashMap::new(),
            segments: BTreeMap::new(),
            problems: Vec::new(),
            objects: 0,
            strangers: 0,
        }
    }

    fn complain(&mut self, problem: String) {
        self.problems.push(problem);
    }

    fn find(&mut self, cn: String, place: Place, file: &str, bytes: &[u8]) {
        let find = Find { place, file: file.to_owned(), bytes: bytes.to_vec() };
        self.finds.entry(cn).or_default().push(find);
    }

    fn object(&mut self, object: &Object) {
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
    fn event_object(&mut self, key: &str, bytes: &[u8]) -> usize {
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
    fn records(&mut self, file: &str, bytes: &[u8], place: Place) {
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
    fn spool(&mut self, data: &Path) {
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

    /// Compares what was found with what was sent.
    fn settle(mut self, sent: &[Session]) -> Result<Tally, Vec<String>> {
        let mut tally =
            Tally { objects: self.objects, strangers: self.strangers, ..Tally::default() };
        let mut known = BTreeSet::new();
        for session in sent {
            let mut missing_before = false;
            for (number, (event, _)) in session.posted.iter().enumerate() {
                known.insert(event.cn.clone());
                let finds = self.finds.remove(&event.cn).unwrap_or_default();
                if finds.is_empty() {
                    tally.unread += 1;
                    missing_before = true;
                    if number < session.surely() {
                        self.problems.push(format!("{}: is lost", event.cn));
                    }
                    continue;
                }
                if missing_before {
                    self.problems.push(format!("{}: arrived, but not all before it", event.cn));
                }
                if finds.len() > 1 {
                    let places: Vec<_> = finds.iter().map(|f| f.file.as_str()).collect();
                    self.problems.push(format!("{}: is in {}", event.cn, places.join(" and ")));
                }
                self.problems.extend(wrong(event, &finds[0], &self.copies));
                match finds[0].place {
                    Place::Object => tally.delivered += 1,
                    Place::Quarantine => tally.quarantined += 1,
                    Place::SpooledEvent | Place::SpooledReject => tally.spooled += 1,
                }
            }
        }
        for cn in self.finds.keys().chain(self.copies.keys().filter(|cn| !known.contains(*cn))) {
            self.problems.push(format!("'{cn}': nobody sent it"));
        }
        if self.problems.is_empty() { Ok(tally) } else { Err(self.problems) }
    }
}

/// What is wrong with a find: the place, the bytes, a copy that differs.
fn wrong(
    event: &super::appliance::Event,
    find: &Find,
    copies: &HashMap<String, Vec<u8>>,
) -> Option<String> {
    let accepted = matches!(find.place, Place::Object | Place::SpooledEvent);
    let expected = event.delivered.as_ref().unwrap_or(&event.sent);
    if accepted != event.delivered.is_some() {
        return Some(format!("{}: is in {}, the wrong kind of place", event.cn, find.file));
    }
    if find.bytes != *expected {
        return Some(format!("{}: has other bytes in {}", event.cn, find.file));
    }
    let copied = copies.get(&event.cn);
    let mended = event.delivered.as_ref().is_some_and(|delivered| *delivered != event.sent);
    if copied.is_some_and(|copy| !mended || *copy != event.sent) {
        return Some(format!("{}: its copy in the quarantine is wrong", event.cn));
    }
    None
}

fn report(problems: &[String]) -> ! {
    let shown = problems.iter().take(20).cloned().collect::<Vec<_>>().join("\n  ");
    panic!("{} problems:\n  {shown}", problems.len());
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

/// `[YYYY/MM/DD/]YYYYMMDD_HHMMSS[_NNN].xml`, a time of today, UTC, the folder of the same day.
pub fn check_name(name: &str, date_folders: bool) -> Result<(), &'static str> {
    let (folder, file) = name.rsplit_once('/').unwrap_or(("", name));
    let stem = file.strip_suffix(".xml").ok_or("does not end in .xml")?;
    let time = stem.get(..15).ok_or("is too short for a time")?;
    let at = jiff::civil::DateTime::strptime("%Y%m%d_%H%M%S", time)
        .map_err(|_| "does not begin with a time")?;
    let instant = jiff::tz::Offset::UTC.to_timestamp(at).map_err(|_| "is at no possible time")?;
    let age = jiff::Timestamp::now().duration_since(instant).as_secs();
    if !(-5..86_400).contains(&age) {
        return Err("is not of today");
    }
    let expected = if date_folders { at.strftime("%Y/%m/%d").to_string() } else { String::new() };
    if folder != expected {
        return Err("is in the wrong folder");
    }
    let suffix = &stem[15..];
    let digits = suffix.strip_prefix('_').unwrap_or_default();
    let numbered = digits.len() >= 3 && digits.bytes().all(|b| b.is_ascii_digit());
    let fits = suffix.is_empty() || (numbered && digits != "000");
    if fits { Ok(()) } else { Err("ends in something that is no number") }
}
