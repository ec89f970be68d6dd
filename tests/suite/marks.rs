//! No personal data and no secret on any endpoint, log line, error or command.
//!
//! Marked names, card numbers, element names and labels go through every path that bytes can take,
//! marked keys and tokens stand in the environment, and everything the program says at
//! `LOG_LEVEL=trace` is searched for the marks. Only the objects and the spool hold events.

use crate::support::process::{Daemon, Ended, Site, wait_until};
use crate::support::store::{self, Fault, Rule, Store};
use crate::watch::{Watched, get};
use rustix::process::Signal;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream, UdpSocket};
use std::time::Duration;

const TOKEN: &str = "zz-admin-token-of-this-test";
const SESSION: &str = "zz-session-token";

/// What must be nowhere. Every name begins with `Zzm`, every card number with the same digits; the
/// numbers are what `Debug` makes of a name's bytes.
const MARKS: [&str; 8] = [
    "Zzm",
    "99001122",
    "90, 122, 109",
    "WnptYXJrbmFt", // base64
    store::SECRET_KEY,
    store::ACCESS_KEY,
    TOKEN,
    SESSION,
];

/// Everything the program said, and where.
#[derive(Default)]
struct Said(Vec<(String, String)>);

impl Said {
    fn add(&mut self, place: &str, text: impl Into<String>) {
        self.0.push((place.to_owned(), text.into()));
    }

    fn ended(&mut self, place: &str, ended: Ended) {
        self.add(&format!("{place}: standard error"), ended.log);
        self.add(&format!("{place}: standard output"), ended.output);
    }

    /// Lines with a mark in them, with their place.
    fn leaks(&self) -> Vec<String> {
        let lines = self.0.iter().flat_map(|(place, text)| text.lines().map(move |l| (place, l)));
        let leaky = lines.filter(|(_, line)| MARKS.iter().any(|mark| line.contains(mark)));
        leaky.map(|(place, line)| format!("{place}: {line}")).collect()
    }

    fn judge(&self) {
        let leaks = self.leaks();
        let bytes: usize = self.0.iter().map(|(_, text)| text.len()).sum();
        println!("{} places, {bytes} bytes searched", self.0.len());
        assert!(leaks.is_empty(), "{} leaks:\n{}", leaks.len(), leaks.join("\n"));
    }
}

#[test]
fn the_search_finds_a_mark() {
    let mut said = Said::default();
    said.add("log", "INFO all is well\nDEBUG event Zzmarkname\n");
    said.add("page", format!("token {TOKEN}"));
    assert_eq!(said.leaks(), ["log: DEBUG event Zzmarkname", &format!("page: token {TOKEN}")]);
}

#[test]
fn nothing_that_is_said_holds_personal_data_or_secrets_text() {
    everything("text", "repair");
}

#[test]
fn nothing_that_is_said_holds_personal_data_or_secrets_json() {
    everything("json", "quarantine");
}

fn everything(format: &str, on_malformed: &str) {
    let (store, mut said) = (Store::start(), Said::default());
    let mut watched = Watched::new(&store);
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let udp_port = udp.local_addr().unwrap().port();
    drop(udp); // free again for the program
    for (name, value) in [
        ("LOG_LEVEL", "trace"),
        ("LOG_FORMAT", format),
        ("LOG_TO_STORE", "true"),
        ("ON_MALFORMED", on_malformed),
        ("MANIFEST", "true"),
        ("MAX_MESSAGE_SIZE", "2048"),
        ("EVENT_TIMEOUT", "1s"),
        ("SILENCE_ALARM", "1s"),
        ("SHUTDOWN_TIMEOUT", "5s"),
        ("UDP_PORT", &udp_port.to_string()),
        ("ADMIN_TOKEN", TOKEN),
        ("AWS_SESSION_TOKEN", SESSION),
    ] {
        watched.site.set(name, value);
    }
    store.fault(Rule::always(Fault::Denied).puts());
    let daemon = watched.site.start();
    send_all(&watched, udp_port);
    daemon.signal(Signal::HUP);
    daemon.wait_for("store refuses");
    ask_all(&mut said, "refused", &watched);
    store.heal();
    said.ended("the first process", daemon.terminate());
    assert!(!store.objects("xml-events/").is_empty() && quarantined(&store) > 10);
    let daemon = watched.site.start();
    ask_all(&mut said, "well", &watched);
    use_files(&mut said, &store, &watched);
    store.go_away();
    send_all(&watched, udp_port);
    daemon.wait_for("store is away");
    ask_all(&mut said, "away", &watched);
    said.add("log of the second process", daemon.log());
    daemon.kill();
    damage(&watched.site);
    store.heal();
    let daemon = watched.site.start();
    daemon.wait_for("damaged");
    watched.site.wait_until_drained();
    ask_all(&mut said, "after damage", &watched);
    said.ended("the third process", daemon.terminate());
    tell_settings(&mut said, &mut watched);
    for prefix in ["xml-events-logs/", "xml-events-manifests/"] {
        let objects = store.objects(prefix);
        assert!(!objects.is_empty(), "{prefix} is part of the search");
        for object in objects {
            said.add(&object.key, String::from_utf8_lossy(&object.bytes));
            said.add(&object.key, format!("{:?}", object.metadata));
        }
    }
    let peers = std::fs::read_to_string(watched.site.data().join("peers.json")).unwrap();
    said.add("peers.json", peers);
    said.judge();
}

fn quarantined(store: &Store) -> usize {
    let objects = store.objects("xml-events-quarantine/");
    let records = objects.iter().filter(|object| object.key.ends_with(".ndjson"));
    records.map(|object| object.bytes.iter().filter(|byte| **byte == b'\n').count()).sum()
}

/// One of each kind that the program tells apart.
fn pieces() -> Vec<Vec<u8>> {
    let event = |body: &str| format!("<EVENT>{body}</EVENT>\n").into_bytes();
    let name = "<plasectrxLname>Zzmarkname</plasectrxLname>";
    let card = "<plasectrxCardno>9900112233445566</plasectrxCardno>";
    let mut latin = event("<plasectrxLname>Zzmark?name</plasectrxLname>");
    let at = latin.iter().position(|byte| *byte == b'?').unwrap();
    latin[at] = 0xE4;
    let mut unknown = b"<?xml version=\"1.0\" encoding=\"Zzmcharset\"?>".to_vec();
    unknown.extend_from_slice(&latin);
    let mut wrong = b"<?xml version=\"1.0\" encoding=\"euc-kr\"?>".to_vec();
    wrong.extend_from_slice(&latin);
    wrong.extend_from_slice(b"<?xml version=\"1.0\"?>");
    vec![
        event(&format!("<cn>1</cn>{name}{card}")),
        event("<plasectrxLname>Zzmarkname & Zzmother</plasectrxLname>"),
        event("<plasectrxLname>Zzmark\u{1}name</plasectrxLname>"),
        latin,
        unknown,
        wrong,
        event("<plasectrxLname>Zzmarkname</plasectrxFname>"),
        event("<Zzmtag>1</Zzmother>"),
        event("<a Zzmattribute='1' Zzmattribute='2'/>"),
        event("<Zzmprefix:a/>"),
        event("<plasectrxMsg>&Zzmentity;</plasectrxMsg>"),
        event("<?Zzm:target x?>"),
        event(&format!("<plasectrxLname>{}</plasectrxLname>", "Zzmarkname ".repeat(600))),
        b"Zzm stray text 9900112233445566\n".to_vec(),
        b"GET /Zzmarkname HTTP/1.1\r\n\r\n".to_vec(),
        b"<!DOCTYPE Zzm [<!ENTITY Zzm '9900112233445566'>]>".to_vec(),
        event(&format!("{card}<EVENT>{name}")), // cut off by the next
    ]
}

/// Every kind over TCP and UDP, one that is broken off and one that is never finished.
fn send_all(watched: &Watched, udp_port: u16) {
    let whole: Vec<u8> = pieces().concat();
    let unfinished = b"<EVENT><plasectrxLname>Zzmarkname 9900112233445566";
    let before = truncated(watched);
    let mut waiting = TcpStream::connect(watched.site.address()).unwrap();
    waiting.write_all(unfinished).unwrap();
    let mut stream = TcpStream::connect(watched.site.address()).unwrap();
    stream.write_all(&whole).unwrap();
    stream.write_all(unfinished).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0);
    let datagrams = UdpSocket::bind("127.0.0.1:0").unwrap();
    for piece in pieces() {
        datagrams.send_to(&piece, ("127.0.0.1", udp_port)).unwrap();
    }
    datagrams.send_to(unfinished, ("127.0.0.1", udp_port)).unwrap();
    let tls_hello = [&[22, 3, 1, 0, 50, 1][..], b"Zzmarkname 9900112233445566"].concat();
    let mut secret = TcpStream::connect(watched.site.address()).unwrap();
    secret.write_all(&tls_hello).unwrap();
    // The stream that was broken off, the datagram, and what EVENT_TIMEOUT gives up.
    wait_until("the unfinished ones are given up", || truncated(watched) >= before + 3);
    drop(waiting); // lived until here
}

/// Pieces that were given up unfinished, so far.
fn truncated(watched: &Watched) -> u64 {
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    let text = get(watched.admin, "/metrics", &token).1;
    let name = "xsa_pieces_rejected_total{reason=\"truncated\"} ";
    text.lines().find_map(|line| line.strip_prefix(name)).unwrap().parse().unwrap()
}

/// Every page with and without the token, and every command that asks or looks.
fn ask_all(said: &mut Said, when: &str, watched: &Watched) {
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    for path in ["/", "/healthz", "/readyz", "/metrics", "/api/status", "/Zz", "/api/status?x=1"] {
        for (header, with) in [("", "without"), (token.as_str(), "with")] {
            let (_, body) = get(watched.admin, path, header);
            said.add(&format!("{when}: {path} {with} the token"), body);
        }
    }
    let commands: [&[&str]; 7] = [
        &["status"],
        &["status", "--json"],
        &["check"],
        &["ledger"],
        &["ledger", "--json"],
        &["ledger", "--audit"],
        &["healthcheck"],
    ];
    for command in commands {
        said.ended(&format!("{when}: {}", command.join(" ")), watched.site.run(command));
    }
}

/// The commands that read files: masked by default, also where something is wrong with the file.
fn use_files(said: &mut Said, store: &Store, watched: &Watched) {
    let site = &watched.site;
    let save = |name: &str, prefix: &str| {
        let found = store.objects(prefix).into_iter().filter(|o| !o.key.ends_with(".probe"));
        let bytes = found.max_by_key(|object| object.bytes.len()).unwrap().bytes;
        std::fs::write(site.path(name), bytes).unwrap();
    };
    save("events.xml", "xml-events/");
    save("quarantine.ndjson", "xml-events-quarantine/");
    std::fs::write(site.path("broken.xml"), pieces().concat()).unwrap();
    std::fs::write(site.path("records.ndjson"), b"{\"raw\":\"Zzmarkname\"}\nZzmarkname\n").unwrap();
    for file in ["events.xml", "quarantine.ndjson", "broken.xml"] {
        for more in [&[][..], &["--json"], &["--count"]] {
            let command = [&["inspect", file], more].concat();
            said.ended(&command.join(" "), site.run(&command));
        }
    }
    let commands: [&[&str]; 4] = [
        &["replay", "quarantine.ndjson"],
        &["replay", "records.ndjson"],
        &["import", "broken.xml"],
        &["import", "nowhere.xml"],
    ];
    for command in commands {
        said.ended(&command.join(" "), site.run(command));
    }
}

/// A flipped byte in what is sealed, zeros at the end of what is open.
fn damage(site: &Site) {
    let sealed = site.spooled("events", "sealed");
    let mut bytes = std::fs::read(&sealed[0]).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x80;
    std::fs::write(&sealed[0], bytes).unwrap();
    for lane in ["events", "quarantine"] {
        for path in site.spooled(lane, "open") {
            let mut bytes = std::fs::read(&path).unwrap();
            bytes.extend_from_slice(b"<EVENT><plasectrxLname>Zzmarkname\0\0\0\0");
            std::fs::write(path, bytes).unwrap();
        }
    }
}

/// Help, wrong keys and wrong settings, with the secrets in the environment.
fn tell_settings(said: &mut Said, watched: &mut Watched) {
    let site = &mut watched.site;
    said.ended("help", site.run(&["--help"]));
    said.ended("an unknown flag", site.run(&["--no-such-flag"]));
    site.set("AWS_SECRET_ACCESS_KEY", "Zzmwrong-secret");
    let daemon: Daemon = site.start();
    push_one(site);
    daemon.wait_for("store refuses");
    said.ended("check with a wrong key", site.run(&["check"]));
    said.ended("a wrong key", daemon.terminate());
    site.set("AWS_ACCESS_KEY_ID", "AKIAZzmunknown");
    said.ended("check with an unknown key", site.run(&["check"]));
    site.set("AWS_ENDPOINT_URL", "http://Zzmuser:Zzmpassword@127.0.0.1:1");
    said.ended("user and password in a URL", site.run(&[]));
    site.set("ADMIN_TOKEN", "Zzm wrong\ttoken").set("AWS_SECRET_ACCESS_KEY", "Zzm\twrong");
    said.ended("settings that cannot be", site.run(&["check"]));
}

fn push_one(site: &Site) {
    let mut stream = TcpStream::connect(site.address()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(&pieces()[0]).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    assert_eq!(stream.read(&mut [0; 16]).unwrap(), 0);
}
