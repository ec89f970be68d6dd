//! What the demo shows: aligned, in colour on a terminal only (never with `NO_COLOR`).

use crate::base::units::{Size, Span};
use crate::daemon::{Landed, Running, Summary};
use crate::spool::Lane;
use crate::tools::feed::Tally;
use console::style;
use jiff::Timestamp;
use std::path::{Path, PathBuf};

/// The demo's display.
#[derive(Debug, Clone)]
pub(super) struct Screen {
    folder: PathBuf,
}

impl Screen {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    /// Where everything is, and what to try by hand.
    pub(super) fn welcome(&self, running: &Running, asked: u16, rotation: Span) {
        let (host, port) = (running.listen_addr.ip(), running.listen_addr.port());
        let taken = if port == asked || asked == 0 {
            String::new()
        } else {
            format!(" (port {asked} is taken)")
        };
        println!("{}", style("A simulated appliance sends events, some of them broken.").bold());
        println!();
        line("listening", &format!("{host}:{port}{taken}"));
        line("files", &format!("{} (a new one every {rotation})", self.show("events")));
        line("quarantine", &self.show("events-quarantine"));
        line("by hand", &format!("printf '<EVENT><cn>1</cn></EVENT>' | nc -w 1 {host} {port}"));
        if let Some(admin) = running.admin_addr {
            line("status page", &format!("http://{admin}/"));
        }
        line("end", "Ctrl-C");
        println!();
        println!("{}", style(row("UTC", "landed", "number", "bytes", "file")).dim());
    }

    /// One object that landed; gives the number of quarantine records in it.
    pub(super) fn landed(&self, object: &Landed) -> u64 {
        let now = Timestamp::now().strftime("%H:%M:%S").to_string();
        let file = object.object.rsplit('/').next().unwrap_or_default();
        let bytes = Size(object.bytes).about();
        let text = row(&now, object.lane.name(), &object.items.to_string(), &bytes, file);
        match object.lane {
            Lane::Quarantine => println!("{}", style(text).yellow()),
            Lane::Events | Lane::Logs => println!("{text}"),
        }
        if object.lane == Lane::Quarantine { object.items } else { 0 }
    }

    pub(super) fn note(&self, text: &str) {
        println!("{}", style(text).dim());
    }

    pub(super) fn ending(&self) {
        println!();
        println!("Ending: the rest is delivered …");
    }

    /// What came of it; true if everything that was sent is accounted for.
    pub(super) fn summary(&self, sent: Tally, end: Summary, records: u64) -> bool {
        let received = end.received_events + end.received_pieces;
        let landed = end.delivered_events + end.delivered_pieces;
        let copies = records.saturating_sub(end.delivered_pieces);
        println!();
        line(
            "sent",
            &format!(
                "{:>6}  ({} good, {} repairable, {} beyond repair)",
                sent.all(),
                sent.good,
                sent.repairable,
                sent.rejected
            ),
        );
        if received > sent.all() {
            line("by hand", &format!("{:>6}", received - sent.all()));
        }
        line("delivered", &format!("{:>6}  events", end.delivered_events));
        line(
            "quarantined",
            &format!(
                "{:>6}  pieces, and {copies} originals of repaired events",
                end.delivered_pieces
            ),
        );
        line("spooled", &format!("{:>6}", end.spooled));
        let balanced = balanced(sent, end);
        let sums = format!(
            "{received} received = {} delivered + {} quarantined + {} spooled",
            end.delivered_events, end.delivered_pieces, end.spooled
        );
        match balanced {
            true => line("sums", &style(sums).green().to_string()),
            false => line(
                "sums",
                &style(format!("NOT RIGHT: {sums}, {landed} landed")).red().to_string(),
            ),
        }
        line("look at", &self.show("events"));
        balanced
    }

    /// A folder of the demo, from where we stand if it is below.
    fn show(&self, name: &str) -> String {
        let path = self.folder.join(name);
        let here = std::env::current_dir().unwrap_or_default();
        let path = path.strip_prefix(&here).map(Path::to_path_buf).unwrap_or(path);
        format!("{}/", path.display())
    }
}

/// Whether nothing is missing: the ledger's own sums, and what the sender counted.
fn balanced(sent: Tally, end: Summary) -> bool {
    let received = end.received_events + end.received_pieces;
    received == end.delivered_events + end.delivered_pieces + end.spooled
        && end.received_events >= sent.good + sent.repairable
        && end.received_pieces >= sent.rejected
}

fn line(name: &str, text: &str) {
    println!("  {} {text}", style(format!("{name:<12}")).cyan());
}

fn row(time: &str, lane: &str, number: &str, bytes: &str, file: &str) -> String {
    format!("  {time:<9} {lane:<11} {number:>6} {bytes:>9}   {file}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SENT: Tally = Tally { good: 8, repairable: 2, rejected: 3, bytes: 99 };
    const END: Summary = Summary {
        received_events: 10,
        delivered_events: 9,
        received_pieces: 3,
        delivered_pieces: 3,
        spooled: 1,
    };

    #[test]
    fn sums_add_up_only_if_nothing_is_missing_anywhere() {
        assert!(balanced(SENT, END));
        assert!(!balanced(SENT, Summary { spooled: 0, ..END }), "lost on the way to the store");
        assert!(!balanced(SENT, Summary { delivered_events: 10, ..END }), "doubled");
        assert!(!balanced(Tally { good: 9, ..SENT }, END), "an event not received");
        assert!(!balanced(Tally { rejected: 4, ..SENT }, END), "a piece not received");
    }

    #[test]
    fn what_somebody_sends_by_hand_does_no_harm_to_the_sums() {
        let more = Summary { received_events: 12, delivered_events: 11, ..END };
        assert!(balanced(SENT, more));
    }
}
