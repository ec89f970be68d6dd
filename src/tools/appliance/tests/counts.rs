//! The simulated appliance says what a receiver makes of each thing it writes; the sieve agrees.
//! The demo's sums rest on this.

use super::super::{Appliance, Kind, Style};
use crate::event::ElementName;
use crate::ingest::sieve::{Event, GiveUp, OnMalformed, Options, Outlet, Piece, Sieve};
use std::sync::Arc;

#[derive(Debug, Default, PartialEq)]
struct Count {
    events: u64,
    pieces: u64,
    copies: u64,
}

impl Outlet for Count {
    fn event(&mut self, _: Event<'_>) {
        self.events += 1;
    }

    fn reject(&mut self, piece: Piece<'_>) {
        *if piece.repaired.is_empty() { &mut self.pieces } else { &mut self.copies } += 1;
    }

    fn skipped(&mut self, _: u64) {}
}

fn said_and_found(style: Style, malformed: f64, on_malformed: OnMalformed) -> (Count, Count) {
    let mut appliance = Appliance::new(5, style, malformed);
    let element = ElementName::default();
    let options =
        Options { element, max_message_size: 1 << 20, on_malformed, honour_encodings: true };
    let mut sieve = Sieve::new(Arc::new(options));
    let (mut said, mut found, mut buffer) = (Count::default(), Count::default(), Vec::new());
    for _ in 0..600 {
        match (appliance.next_into(&mut buffer), on_malformed) {
            (Kind::Good, _) => said.events += 1,
            (Kind::Repairable, OnMalformed::Repair) => {
                said.events += 1;
                said.copies += 1;
            }
            (Kind::Repairable | Kind::Rejected, _) => said.pieces += 1,
        }
        let done = sieve.feed(&buffer, &mut found);
        buffer.drain(..done);
    }
    sieve.give_up(&buffer, GiveUp::End, &mut found);
    (said, found)
}

#[test]
fn what_the_appliance_says_about_its_stream_is_what_the_sieve_finds() {
    for style in [Style::Acm, Style::Oneline, Style::VendorSample] {
        for malformed in [0.0, 0.08, 1.0] {
            for on_malformed in [OnMalformed::Repair, OnMalformed::Quarantine] {
                let (said, found) = said_and_found(style, malformed, on_malformed);
                assert_eq!(said, found, "{style:?} {malformed} {on_malformed:?}");
            }
        }
    }
}
