//! The check at the end of every drill: each event exactly once, in an event object, in the
//! quarantine, or in the spool; every object well-formed, well named and within its size.
//!
//! It knows the files by their documented form only and reads XML with a parser that the program
//! does not use. It reports all it finds wrong, not the first thing.

mod reading;

use super::appliance::Session;
use super::process::Site;
use super::store::{Store, files};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

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
