//! Ready-made events, with the places where row id and times go.

use super::Style;
use jiff::{Timestamp, tz::Offset};
use quick_xml::escape::{escape, partial_escape};
use rand::RngExt;
use rand::rngs::Xoshiro256PlusPlus as Rng;

const DECLARATION: &str = r#"<?xml version="1.0" encoding="UTF-8"?>"#;
const ROW_DIGITS: usize = 16;
const STAMP_DIGITS: usize = 14;
const NEVER: &str = "19700101000000Z";
const BASE: &str = "ou=events,dc=plasec";

/// Last name, first name, middle name. Made up.
const PEOPLE: [[&str; 3]; 16] = [
    ["Lindqvist", "Åsa", "M"],
    ["O'Hara", "Sean \"Red\"", ""],
    ["Müller & Sohn", "Jürgen", ""],
    ["Nguyễn", "Thị Hồng", "L"],
    ["山田", "太郎", ""],
    ["Иванова", "Ольга", "Петровна"],
    ["الخطيب", "ليلى", ""],
    ["García-Núñez", "José", "A"],
    ["Smith", "Alex", "Q"],
    ["Smith", "Robin", ""],
    ["van der Berg", "Anneke", ""],
    ["Παπαδόπουλος", "Νίκος", ""],
    ["Kowalski", "Zdzisław", "J"],
    ["김", "민수", ""],
    ["D'Souza", "Priya <Ops>", "R"],
    ["Łęcka", "Żaneta 🙂", ""],
];

/// Name, location, alternative name.
const DOORS: [[&str; 3]; 12] = [
    ["Main entrance", "Lobby", "Front door"],
    ["Loading dock #2", "Goods in & out", ""],
    ["Server room", "Building B, floor -1", "\"The cold room\""],
    ["R&D lab", "Building C", "Labor für Forschung & Entwicklung"],
    ["Salle du conseil", "3ème étage", ""],
    ["Cafetería", "Planta baja", "Comedor"],
    ["正面玄関", "東京", ""],
    ["Gate <north>", "Car park", ""],
    ["Stairwell 'A'", "Floor 12", ""],
    ["Vault", "", ""],
    ["Parking barrier east exit", "Car park, level 2, beside the charging stations", ""],
    ["Roof access", "Roof", "Roof (alarmed)"],
];

const PANELS: [&str; 5] =
    ["Panel 01", "Panel 02 - Süd", "Mercury EP1502", "HQ & Annex", "Panel 17"];
const OPERATORS: [&str; 4] = ["admin", "guard.north", "j.müller", "shift \"B\""];

/// What can happen: event name, type, type's number, priority, number of the source's kind.
#[derive(Clone, Copy)]
struct Happening {
    name: &'static str,
    category: &'static str,
    address: u32,
    priority: u32,
    source: u32,
    who: Who,
}

#[derive(Clone, Copy, PartialEq)]
enum Who {
    Nobody,
    Person,
    Operator,
}

const HAPPENINGS: [Happening; 8] = [
    happening("Local grant", "Valid access", 1, 50, 30, Who::Person),
    happening("Local grant - door not used", "Valid access", 1, 50, 30, Who::Person),
    happening("Invalid card - not in database", "Invalid access", 2, 20, 30, Who::Nobody),
    happening("Anti-passback violation", "Invalid access", 2, 20, 30, Who::Person),
    happening("Door held open", "Door held", 6, 10, 30, Who::Nobody),
    happening("Forced door", "Forced door", 5, 5, 30, Who::Nobody),
    happening("Input point in alarm", "Intrusion", 8, 1, 40, Who::Nobody),
    happening("Record updated & saved", "User audit", 12, 90, 70, Who::Operator),
];

const fn happening(
    name: &'static str,
    category: &'static str,
    address: u32,
    priority: u32,
    source: u32,
    who: Who,
) -> Happening {
    Happening { name, category, address, priority, source, who }
}

/// The times of one event, 14 digits each.
#[derive(Debug)]
pub(super) struct Stamps([[u8; STAMP_DIGITS]; 3]);

/// Which clock a time follows.
#[derive(Debug, Clone, Copy)]
enum Zone {
    Utc,
    Appliance,
    Panel,
}

const APPLIANCE_HOURS: i8 = -7;
const PANEL_HOURS: i8 = -4;

impl Stamps {
    pub(super) fn at(now: Timestamp) -> Self {
        Self([0, APPLIANCE_HOURS, PANEL_HOURS].map(|hours| digits(now, hours)))
    }

    fn of(&self, zone: Zone) -> &[u8; STAMP_DIGITS] {
        let [utc, appliance, panel] = &self.0;
        match zone {
            Zone::Utc => utc,
            Zone::Appliance => appliance,
            Zone::Panel => panel,
        }
    }
}

fn digits(now: Timestamp, hours: i8) -> [u8; STAMP_DIGITS] {
    let local = Offset::constant(hours).to_datetime(now);
    let text = local.strftime("%Y%m%d%H%M%S").to_string();
    text.as_bytes().first_chunk().copied().unwrap_or([b'0'; STAMP_DIGITS])
}

/// One event, ready to be copied.
#[derive(Debug)]
pub(super) struct Template {
    bytes: Vec<u8>,
    row: usize,
    stamps: Vec<(usize, Zone)>,
}

impl Template {
    /// Appends the event with its row id and times.
    pub(super) fn copy(&self, row: u64, stamps: &Stamps, out: &mut Vec<u8>) {
        let start = out.len();
        out.extend_from_slice(&self.bytes);
        let Some(event) = out.get_mut(start..) else { return };
        patch(event, self.row, &hex(row));
        for &(place, zone) in &self.stamps {
            patch(event, place, stamps.of(zone));
        }
    }

    /// Makes up an event.
    pub(super) fn make(rng: &mut Rng, style: Style) -> Self {
        let mut writer = Writer::new(style, rng.random());
        writer.begin();
        source_fields(&mut writer, rng);
        writer.end();
        Self { bytes: writer.out, row: writer.row, stamps: writer.stamps }
    }
}

fn patch(event: &mut [u8], place: usize, digits: &[u8]) {
    if let Some(target) = event.get_mut(place..place + digits.len()) {
        target.copy_from_slice(digits);
    }
}

fn hex(row: u64) -> [u8; ROW_DIGITS] {
    let mut rest = row;
    let mut text = [b'0'; ROW_DIGITS];
    for digit in text.iter_mut().rev() {
        *digit = match (rest & 15) as u8 {
            low @ 0..=9 => b'0' + low,
            high => b'a' + high - 10,
        };
        rest >>= 4;
    }
    text
}

fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    let choice = rng.random_range(0..from.len());
    #[allow(clippy::indexing_slicing, reason = "the choice is below the length")]
    from[choice]
}

fn source_fields(writer: &mut Writer, rng: &mut Rng) {
    let what = pick(rng, &HAPPENINGS);
    let [door, location, other_name] = pick(rng, &DOORS);
    let other_name = if what.source == 30 { other_name } else { "" };
    let (point, device) = (rng.random_range(0..2_000u32), rng.random::<u64>());
    writer.gateway();
    writer.row_id();
    writer.stamp("plasectrxRecdate", Zone::Appliance, "-0700");
    writer.stamp("plasectrxPaneldate", Zone::Panel, "-0400");
    writer.stamp("plasectrxRecdateUTC", Zone::Utc, "Z");
    writer.stamp("plasectrxPaneldateUTC", Zone::Utc, "Z");
    writer.field("plasectrxLastacc", NEVER);
    writer.field("plasectrxEvtypename", what.category);
    let alarm = what.priority <= 10;
    writer.field("plasectrxBackgroundColor", if alarm { "#cc0000" } else { "" });
    writer.field("plasectrxForegroundColor", "");
    writer.field("plasectrxAckBackgroundColor", "");
    writer.field("plasectrxAckForegroundColor", "");
    writer.field("plasectrxEventname", what.name);
    writer.field("plasectrxPanelname", pick(rng, &PANELS));
    writer.field("plasectrxSourcename", door);
    writer.field("plasectrxSourcelocation", location);
    writer.field("plasectrxSourcealtname", other_name);
    writer.field("plasectrxPointaddress", &format!(" {point}"));
    writer.field("plasectrxPointDN", &format!("cn={:x},ou=points,{BASE}", device >> 24));
    writer.field("plasectrxEvtypeaddress", &format!(" {}", what.address));
    writer.source(device);
    writer.field("plasectrxSourcetype", &what.source.to_string());
    let operator = if what.who == Who::Operator { pick(rng, &OPERATORS) } else { "" };
    writer.field("plasectrxOperatorname", operator);
    writer.field("plasectrxPri", &what.priority.to_string());
    person_fields(writer, rng, what.who);
    let flag = |rng: &mut Rng| if rng.random() { "1" } else { "0" };
    writer.field("plasectrxHasCamera", flag(rng));
    writer.field("plasectrxHasNotes", "0");
    writer.field("plasectrxHasSoftTriggerSet", "0");
    writer.field("plasectrxShowVideo", flag(rng));
    writer.field("plasectrxSeqno", "0");
    writer.field("plasectrxIsAlarm", if alarm { "1" } else { "0" });
}

fn person_fields(writer: &mut Writer, rng: &mut Rng, who: Who) {
    let (card, embossed) = (rng.random_range(1..999_999u32), rng.random_range(1..99_999u32));
    if who != Who::Person {
        return nobody(writer);
    }
    let [last, first, middle] = pick(rng, &PEOPLE);
    writer.field("plasectrxMsg", &format!("[26 bit] {card:026b}"));
    writer.field("plasectrxIdentityDN", &format!("cn={card:016x},ou=identities,dc=plasec"));
    writer.field("plasectrxCardno", &format!(" {card:08}"));
    writer.field("plasectrxEmbossedno", &format!("{embossed:010}"));
    writer.field("plasectrxLname", last);
    writer.field("plasectrxFname", first);
    writer.field("plasectrxMi", middle);
    writer.field("plasectrxIssuelevel", " -1");
    writer.field("plasectrxFacilityCode", "107");
    writer.field("plasectrxExpiredat", "20291231235959Z");
    writer.field("plasectrxActivdat", "20240101000000Z");
    writer.field("plasectrxIssuedat", "20231215083000Z");
}

fn nobody(writer: &mut Writer) {
    for empty in ["plasectrxMsg", "plasectrxIdentityDN"] {
        writer.field(empty, "");
    }
    writer.field("plasectrxCardno", " 0");
    for empty in ["plasectrxEmbossedno", "plasectrxLname", "plasectrxFname", "plasectrxMi"] {
        writer.field(empty, "");
    }
    writer.field("plasectrxIssuelevel", " -1");
    writer.field("plasectrxFacilityCode", "");
    for date in ["plasectrxExpiredat", "plasectrxActivdat", "plasectrxIssuedat"] {
        writer.field(date, NEVER);
    }
}

/// Writes an event the way its style does.
struct Writer {
    out: Vec<u8>,
    row: usize,
    stamps: Vec<(usize, Zone)>,
    style: Style,
    quotes_escaped: bool,
}

impl Writer {
    fn new(style: Style, quotes_escaped: bool) -> Self {
        Self { out: Vec::with_capacity(3_000), row: 0, stamps: Vec::new(), style, quotes_escaped }
    }

    fn text(&mut self, text: &str) {
        self.out.extend_from_slice(text.as_bytes());
    }

    fn line_end(&mut self) {
        if self.style != Style::Oneline {
            self.text("\n");
        }
    }

    fn begin(&mut self) {
        if self.style != Style::VendorSample {
            self.text(DECLARATION);
            self.line_end();
        }
        self.text("<EVENT>");
        self.line_end();
    }

    fn end(&mut self) {
        self.text("</EVENT>");
        self.line_end();
    }

    fn field(&mut self, name: &'static str, value: &str) {
        let value = if self.quotes_escaped { escape(value) } else { partial_escape(value) };
        self.raw_field(name, |writer| writer.text(&value));
    }

    fn raw_field(&mut self, name: &'static str, value: impl FnOnce(&mut Self)) {
        let (start, end) = self.tags(name);
        self.text(&format!("<{start}>"));
        value(self);
        self.text(&format!("</{end}>"));
        self.line_end();
    }

    /// The names in start and end tag; the vendor's guide prints some of them broken.
    fn tags(&self, name: &'static str) -> (&'static str, &'static str) {
        match (self.style, name) {
            (Style::VendorSample, "plasectrxGatewayDN") => (name, "plasectrxG\natewayDN"),
            (Style::VendorSample, "plasectrxPaneldate") => twice("plasectrxPanel date"),
            (Style::VendorSample, "plasectrxPaneldateUTC") => twice("plasectrxPanel dateUTC"),
            (Style::VendorSample, "plasectrxPanelname") => twice("plasectrxPanel name"),
            _ => twice(name),
        }
    }

    fn gateway(&mut self) {
        self.field("plasectrxGatewayDN", "cn=00aa11bb22cc33dd,ou=gateways,dc=plasec");
    }

    fn source(&mut self, device: u64) {
        let parent = match self.style {
            Style::VendorSample => "ou=gate\nways,dc=plasec\n",
            Style::Acm | Style::Oneline => "ou=gateways,dc=plasec",
        };
        self.field(
            "plasectrxSourceDN",
            &format!("cn={device:016x},ou=doors,cn=00aa11bb22cc33dd,{parent}"),
        );
    }

    fn row_id(&mut self) {
        self.raw_field("cn", |writer| {
            writer.row = writer.out.len();
            writer.text("0000000000000000");
        });
    }

    fn stamp(&mut self, name: &'static str, zone: Zone, suffix: &str) {
        self.raw_field(name, |writer| {
            writer.stamps.push((writer.out.len(), zone));
            writer.text("00000000000000");
            writer.text(suffix);
        });
    }
}

fn twice(name: &'static str) -> (&'static str, &'static str) {
    (name, name)
}
