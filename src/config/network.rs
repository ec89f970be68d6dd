//! Listener, events, admin pages and log: addresses, limits and names.

use super::Env;
use super::problem::shown;
use super::reader::{Reader, Wrong, typed};
use super::settings::{Admin, Listen, Log, LogFormat, Settings, Tls};
use super::typed::{self, Text, Typed};
use crate::base::units::Size;
use crate::event::ElementName;
use crate::ingest::pace::Limit;
use crate::ingest::sieve::{self, OnMalformed};
use ipnet::IpNet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;
use tracing::Level;

const KIB: u64 = 1 << 10;
const GIB: u64 = 1 << 30;
const MILLI: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);
const YEAR: Duration = Duration::from_secs(365 * 86_400);

const MAX_MESSAGE_SIZE: RangeInclusive<u64> = KIB..=GIB;
const MAX_BUFFER_MEMORY: RangeInclusive<u64> = KIB..=64 * GIB;
const EVENT_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(10)..=DAY;

pub(super) fn listen(reader: &mut Reader, given: &Typed) -> Listen {
    let own = &given.listener;
    let total = reader.number("MAX_CONNECTIONS", &own.max_connections, 1..=100_000);
    let buffer =
        reader.size("MAX_BUFFER_MEMORY", &given.events.max_buffer_memory, MAX_BUFFER_MEMORY);
    Listen {
        host: bind_host(reader, &own.bind_host),
        port: reader.number("PORT", &own.port, 0..=65_535),
        udp_port: typed(&own.udp_port)
            .map(|_| reader.number("UDP_PORT", &own.udp_port, 0..=65_535)),
        allow_from: allow_from(reader, &own.allow_from),
        max_connections: total,
        max_connections_per_peer: reader
            .number("MAX_CONNECTIONS_PER_PEER", &own.max_connections_per_peer, 1..=100_000)
            .min(total),
        max_buffer_memory: usize::try_from(buffer).unwrap_or(usize::MAX),
        event_timeout: reader.span("EVENT_TIMEOUT", &given.events.event_timeout, EVENT_TIMEOUT),
        idle_timeout: reader.span_or_off("IDLE_TIMEOUT", &own.idle_timeout, SECOND..=YEAR),
        silence_alarm: reader.span_or_off("SILENCE_ALARM", &own.silence_alarm, SECOND..=YEAR),
        rate_limit: rate_limit(reader, own),
        tls: tls(reader, own),
    }
}

pub(super) fn sieve(reader: &mut Reader, own: &typed::Events) -> sieve::Options {
    let remedy = "Allowed: the element's name as it stands behind '<', as in EVENT.";
    let name = |text: &str| ElementName::new(text).map_err(str::to_owned);
    let words = [("repair", OnMalformed::Repair), ("quarantine", OnMalformed::Quarantine)];
    let size = reader.size("MAX_MESSAGE_SIZE", &own.max_message_size, MAX_MESSAGE_SIZE);
    sieve::Options {
        element: reader
            .value("EVENT_ELEMENT", &own.event_element, remedy, name)
            .unwrap_or_default(),
        max_message_size: usize::try_from(size).unwrap_or(usize::MAX),
        on_malformed: reader.choice("ON_MALFORMED", &own.on_malformed, &words).unwrap_or_default(),
        honour_encodings: true,
    }
}

pub(super) fn admin(reader: &mut Reader, own: &typed::Watching, env: &Env) -> Option<Admin> {
    let remedy = "Allowed: an address with port, as in 127.0.0.1:8081 or [::1]:8081, or off.";
    let addr = reader.value("ADMIN_ADDR", &own.admin_addr, remedy, admin_addr).flatten()?;
    Some(Admin { addr, token: env.secret("ADMIN_TOKEN") })
}

pub(super) fn log(reader: &mut Reader, own: &typed::Watching) -> Log {
    // The last two are Python's names.
    let levels = [
        ("error", Level::ERROR),
        ("warn", Level::WARN),
        ("info", Level::INFO),
        ("debug", Level::DEBUG),
        ("trace", Level::TRACE),
        ("warning", Level::WARN),
        ("critical", Level::ERROR),
    ];
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    Log {
        level: reader.choice("LOG_LEVEL", &own.log_level, &levels).unwrap_or(Level::INFO),
        format: reader.choice("LOG_FORMAT", &own.log_format, &formats).unwrap_or_default(),
        to_store: reader.flag("LOG_TO_STORE", &own.log_to_store),
    }
}

pub(super) fn instance_id(reader: &mut Reader, own: &typed::Watching, env: &Env) -> String {
    let remedy = "Allowed: 1 to 128 printable ASCII characters.";
    let typed_one = reader.value("INSTANCE_ID", &own.instance_id, remedy, printable);
    typed_one.or_else(|| printable(env.host_name()).ok()).unwrap_or_else(|| "unnamed".to_owned())
}

/// Compares listener and limits with each other.
pub(super) fn fit(reader: &mut Reader, settings: &Settings) {
    let (message, buffer) = (settings.sieve.max_message_size, settings.listen.max_buffer_memory);
    if message > buffer && reader.are_fine(&["MAX_MESSAGE_SIZE", "MAX_BUFFER_MEMORY"]) {
        let wrong = format!("is larger than MAX_BUFFER_MEMORY ({})", Size(buffer as u64));
        let remedy =
            "Raise MAX_BUFFER_MEMORY or lower MAX_MESSAGE_SIZE: the largest event has to fit.";
        reader.problem("MAX_MESSAGE_SIZE", Some(&Size(message as u64).to_string()), &wrong, remedy);
    }
    if let Some(admin) = &settings.admin {
        ports_differ(reader, &settings.listen, admin.addr);
    }
}

fn ports_differ(reader: &mut Reader, listen: &Listen, admin: SocketAddr) {
    let same_host =
        listen.host == admin.ip() || listen.host.is_unspecified() || admin.ip().is_unspecified();
    let clash = same_host && listen.port == admin.port() && listen.port != 0;
    if clash && reader.are_fine(&["PORT", "BIND_HOST", "ADMIN_ADDR"]) {
        let remedy = "Give one of the two another port.";
        reader.problem("ADMIN_ADDR", Some(&admin.to_string()), "takes the port of PORT", remedy);
    }
}

fn bind_host(reader: &mut Reader, text: &Text) -> IpAddr {
    let remedy = "Allowed: an IP address of this machine; 0.0.0.0 or :: for all of them.";
    let host = reader.value("BIND_HOST", text, remedy, |text| match text {
        "localhost" => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        text => text.parse().map_err(|_| "is not an IP address".to_owned()),
    });
    host.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED))
}

fn admin_addr(text: &str) -> Result<Option<SocketAddr>, Wrong> {
    if ["off", "none"].iter().any(|word| text.eq_ignore_ascii_case(word)) {
        return Ok(None);
    }
    let text = text.replacen("localhost:", "127.0.0.1:", 1);
    text.parse().map(Some).map_err(|_| "is not an address with port".into())
}

fn allow_from(reader: &mut Reader, text: &Text) -> Vec<IpNet> {
    let remedy = "Allowed: networks and addresses with commas between, as in 10.1.0.0/16,192.168.7.20, or any.";
    let networks = reader.value("ALLOW_FROM", text, remedy, |text| {
        if text.eq_ignore_ascii_case("any") {
            return Ok(Vec::new());
        }
        let parts = text.split([',', ' ']).map(str::trim).filter(|part| !part.is_empty());
        parts.map(network).collect()
    });
    networks.unwrap_or_default()
}

fn network(text: &str) -> Result<IpNet, Wrong> {
    let address = text.parse::<IpAddr>().map(IpNet::from);
    let network = address.or_else(|_| text.parse::<IpNet>());
    network
        .map(|network| network.trunc())
        .map_err(|_| format!("holds \"{}\", which is no network", shown(text)))
}

fn rate_limit(reader: &mut Reader, own: &typed::Listener) -> Option<Limit> {
    let limit = Limit {
        window: reader.span("RATE_LIMIT_WINDOW", &own.rate_limit_window, MILLI * 100..=DAY),
        max_events: reader.number(
            "RATE_LIMIT_MAX_EVENTS",
            &own.rate_limit_max_events,
            1..=1_000_000_000,
        ),
    };
    reader.flag("RATE_LIMIT_ENABLED", &own.rate_limit_enabled).then_some(limit)
}

fn tls(reader: &mut Reader, own: &typed::Listener) -> Option<Tls> {
    let cert = file(&own.tls_cert_file);
    let key = file(&own.tls_key_file);
    let client_ca_file = file(&own.tls_client_ca_file);
    for (file, other, missing) in [(&cert, &key, "TLS_KEY_FILE"), (&key, &cert, "TLS_CERT_FILE")] {
        if file.is_some() && other.is_none() && reader.are_fine(&[missing]) {
            let remedy = "Certificate and key come together: set both, or neither for plain TCP.";
            reader.problem(missing, None, "is missing", remedy);
        }
    }
    if client_ca_file.is_some() && cert.is_none() && key.is_none() {
        let remedy =
            "Senders can only show a certificate over TLS: set TLS_CERT_FILE and TLS_KEY_FILE too.";
        reader.problem(
            "TLS_CLIENT_CA_FILE",
            typed(&own.tls_client_ca_file),
            "stands alone",
            remedy,
        );
    }
    Some(Tls { cert_file: cert?, key_file: key?, client_ca_file })
}

/// A file's name. Whether it can be used is judged where it will be ([`super::surroundings`]).
fn file(text: &Text) -> Option<PathBuf> {
    typed(text).map(PathBuf::from)
}

fn printable(text: &str) -> Result<String, Wrong> {
    if text.is_empty() || text.len() > 128 {
        return Err("is empty or too long".into());
    }
    match text.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        true => Ok(text.to_owned()),
        false => Err("holds a character that is not printable ASCII".into()),
    }
}
