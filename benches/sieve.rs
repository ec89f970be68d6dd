//! What framing and validating cost, beside a plain `quick-xml` pass over the same bytes.
//!
//! `cargo bench --bench sieve` first prints CPU seconds per GB and their ratio (best of several
//! passes taken in turns, CPU time of this thread, so that a busy machine does not matter much),
//! then Criterion's own measurements.

#![allow(clippy::expect_used, clippy::indexing_slicing, reason = "a bench fails by panicking")]

use criterion::{BatchSize, Criterion, Throughput};
use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;
use xml_stream_aggregator::event::ElementName;
use xml_stream_aggregator::ingest::sieve::{
    Event, GiveUp, OnMalformed, Options, Outlet, Piece, Sieve,
};

/// The size of a connection's read.
const READ: usize = 64 * 1024;

const FIELDS: &[(&str, &str)] = &[
    ("plasectrxGatewayDN", "cn=12345,ou=gateways,dc=plasec"),
    ("cn", "00000196b24cf4d5"),
    ("plasectrxRecdate", "20140610055028-0700"),
    ("plasectrxPaneldate", "20140610085028-0400"),
    ("plasectrxRecdateUTC", "20140610125028Z"),
    ("plasectrxPaneldateUTC", "20140610125028Z"),
    ("plasectrxLastacc", "19700101000000Z"),
    ("plasectrxEvtypename", "Intrusion"),
    ("plasectrxBackgroundColor", ""),
    ("plasectrxForegroundColor", ""),
    ("plasectrxAckBackgroundColor", ""),
    ("plasectrxAckForegroundColor", ""),
    ("plasectrxEventname", "Input point in alarm"),
    ("plasectrxPanelname", "elevator test"),
    ("plasectrxSourcename", "Input on subpanel 0 Address 1"),
    ("plasectrxSourcelocation", ""),
    ("plasectrxSourcealtname", ""),
    ("plasectrxPointaddress", " 750"),
    ("plasectrxPointDN", "cn=750,ou=points,dc=plasec"),
    ("plasectrxEvtypeaddress", " 5"),
    ("plasectrxSourceDN", "cn=100,ou=panels,cn=99,ou=gateways,dc=plasec"),
    ("plasectrxSourcetype", "40"),
    ("plasectrxOperatorname", ""),
    ("plasectrxPri", "10"),
    ("plasectrxMsg", ""),
    ("plasectrxIdentityDN", "cn=77,ou=identities,dc=plasec"),
    ("plasectrxCardno", " 0"),
    ("plasectrxEmbossedno", "004711"),
    ("plasectrxLname", "Sørensen"),
    ("plasectrxFname", "Ann &amp; Bo"),
    ("plasectrxMi", ""),
    ("plasectrxIssuelevel", " -1"),
    ("plasectrxFacilityCode", "0"),
    ("plasectrxExpiredat", "19700101000000Z"),
    ("plasectrxActivdat", "19700101000000Z"),
    ("plasectrxIssuedat", "19700101000000Z"),
    ("plasectrxHasCamera", "0"),
    ("plasectrxHasNotes", "0"),
    ("plasectrxHasSoftTriggerSet", "0"),
    ("plasectrxShowVideo", "0"),
    ("plasectrxSeqno", "0"),
    ("plasectrxIsAlarm", "1"),
];

/// One event in four holds a character beyond ASCII and a reference.
fn realistic(bytes: usize) -> Vec<u8> {
    let mut stream = String::with_capacity(bytes + 4096);
    let mut number = 0u32;
    while stream.len() < bytes {
        number += 1;
        stream.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<EVENT>\n");
        for (name, value) in FIELDS {
            let value = match *name {
                "cn" => format!("{number:016x}"),
                "plasectrxLname" if !number.is_multiple_of(4) => "Smith".to_owned(),
                "plasectrxFname" if !number.is_multiple_of(4) => "Ann".to_owned(),
                _ => (*value).to_owned(),
            };
            stream.push_str(&format!("<{name}>{value}</{name}>\n"));
        }
        stream.push_str("</EVENT>\n");
    }
    stream.into_bytes()
}

fn flood(bytes: usize) -> Vec<u8> {
    b"<EVENT><![CDATA[".repeat(bytes / 16)
}

#[derive(Default)]
struct Count {
    events: u64,
    rejected: u64,
    bytes: u64,
}

impl Outlet for Count {
    fn event(&mut self, event: Event<'_>) {
        self.events += 1;
        self.bytes += event.bytes.len() as u64;
    }

    fn reject(&mut self, piece: Piece<'_>) {
        self.rejected += u64::from(piece.repaired.is_empty());
    }

    fn skipped(&mut self, bytes: u64) {
        self.bytes += bytes;
    }
}

/// As a connection does it: reads of a fixed size behind what was not consumed.
fn sift(stream: &[u8]) -> Count {
    let options = Options {
        element: ElementName::default(),
        max_message_size: 1 << 20,
        on_malformed: OnMalformed::Repair,
        honour_encodings: true,
    };
    let mut sieve = Sieve::new(Arc::new(options));
    let mut out = Count::default();
    let mut from = 0;
    for read in (READ..stream.len() + READ).step_by(READ) {
        let to = read.min(stream.len());
        from += sieve.feed(&stream[from..to], &mut out);
    }
    sieve.give_up(&stream[from..], GiveUp::End, &mut out);
    out
}

fn quick(stream: &[u8]) -> u64 {
    let mut reader = quick_xml::Reader::from_reader(stream);
    let mut events = 0;
    loop {
        match reader.read_event().expect("the stream is well-formed, piece by piece") {
            quick_xml::events::Event::Eof => return events,
            _ => events += 1,
        }
    }
}

/// CPU nanoseconds this thread has used; wall time where the kernel does not say.
fn cpu() -> u128 {
    static START: std::sync::OnceLock<Instant> = std::sync::OnceLock::new();
    std::fs::read_to_string("/proc/thread-self/schedstat")
        .ok()
        .and_then(|line| line.split(' ').next()?.parse().ok())
        .unwrap_or_else(|| START.get_or_init(Instant::now).elapsed().as_nanos())
}

fn timed<T>(work: impl FnOnce() -> T) -> u128 {
    let start = cpu();
    black_box(work());
    cpu() - start
}

fn compare(name: &str, stream: &[u8], beside: bool) {
    let (mut ours, mut theirs) = (u128::MAX, u128::MAX);
    for _ in 0..15 {
        ours = ours.min(timed(|| sift(stream)));
        if beside {
            theirs = theirs.min(timed(|| quick(stream)));
        }
    }
    let per_gb = |nanos: u128| nanos as f64 / stream.len() as f64;
    println!("{name}: sieve (framing and validation) {:.3} CPU s/GB", per_gb(ours));
    if beside {
        println!("{name}: quick-xml (plain pass)          {:.3} CPU s/GB", per_gb(theirs));
        println!("{name}: ratio sieve / quick-xml         {:.2}", ours as f64 / theirs as f64);
    }
}

fn main() {
    let stream = realistic(16 << 20);
    let flood = flood(16 << 20);
    let count = sift(&stream);
    assert_eq!(count.rejected, 0, "the realistic stream is good");
    assert_eq!(count.bytes, stream.len() as u64);
    println!("{} events of {} bytes", count.events, stream.len() as u64 / count.events);
    compare("realistic", &stream, true);
    compare("flood of <EVENT><![CDATA[", &flood, false);
    if std::env::var_os("QUICK").is_some() {
        return;
    }
    let mut criterion = Criterion::default().configure_from_args().sample_size(20);
    let mut group = criterion.benchmark_group("sieve");
    group.throughput(Throughput::Bytes(stream.len() as u64));
    group.bench_function("realistic", |b| {
        b.iter_batched(|| (), |()| sift(&stream), BatchSize::SmallInput);
    });
    group.bench_function("quick-xml plain pass", |b| b.iter(|| quick(&stream)));
    group.bench_function("flood of CDATA openings", |b| b.iter(|| sift(&flood)));
    group.finish();
    criterion.final_summary();
}
