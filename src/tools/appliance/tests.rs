//! The simulated appliance says what it sends: every good event is well-formed, every defect is one.

mod counts;

use super::*;
use std::collections::HashSet;

fn stream(appliance: &mut Appliance, count: usize) -> Vec<(Kind, Vec<u8>)> {
    let one = |_| {
        let mut event = Vec::new();
        let kind = appliance.next_into(&mut event);
        (kind, event)
    };
    (0..count).map(one).collect()
}

fn text_of(event: &[u8], name: &str) -> String {
    let text = std::str::from_utf8(event).unwrap();
    let document = roxmltree::Document::parse(text.trim_start()).unwrap();
    let field = document.descendants().find(|node| node.has_tag_name(name)).unwrap();
    field.text().unwrap_or_default().to_owned()
}

const FIELDS: &str = "plasectrxGatewayDN cn plasectrxRecdate plasectrxPaneldate \
plasectrxRecdateUTC plasectrxPaneldateUTC plasectrxLastacc plasectrxEvtypename \
plasectrxBackgroundColor plasectrxForegroundColor plasectrxAckBackgroundColor \
plasectrxAckForegroundColor plasectrxEventname plasectrxPanelname plasectrxSourcename \
plasectrxSourcelocation plasectrxSourcealtname plasectrxPointaddress plasectrxPointDN \
plasectrxEvtypeaddress plasectrxSourceDN plasectrxSourcetype plasectrxOperatorname plasectrxPri \
plasectrxMsg plasectrxIdentityDN plasectrxCardno plasectrxEmbossedno plasectrxLname \
plasectrxFname plasectrxMi plasectrxIssuelevel plasectrxFacilityCode plasectrxExpiredat \
plasectrxActivdat plasectrxIssuedat plasectrxHasCamera plasectrxHasNotes \
plasectrxHasSoftTriggerSet plasectrxShowVideo plasectrxSeqno plasectrxIsAlarm";

#[test]
fn every_good_event_is_well_formed_and_has_all_fields_in_order() {
    for style in [Style::Acm, Style::Oneline] {
        for (kind, event) in stream(&mut Appliance::new(7, style, 0.0), 400) {
            assert_eq!(kind, Kind::Good);
            let text = std::str::from_utf8(&event).unwrap();
            let document = roxmltree::Document::parse(text).unwrap();
            let fields = document.root_element().children().filter(|node| node.is_element());
            let names: Vec<_> = fields.map(|node| node.tag_name().name()).collect();
            assert_eq!(names, FIELDS.split(' ').collect::<Vec<_>>());
            assert!(text.starts_with("<?xml "), "a declaration in front of every event");
            assert_eq!(style == Style::Oneline, !text.contains('\n'));
            assert!((1_500..=2_700).contains(&event.len()), "{} bytes", event.len());
        }
    }
}

#[test]
fn row_ids_are_unique_within_and_across_appliances_and_times_advance() {
    let mut seen = HashSet::new();
    for number in 0..3 {
        let events = stream(&mut Appliance::numbered(number, 7, Style::Acm, 0.0), 500);
        assert!(events.iter().all(|(_, event)| seen.insert(text_of(event, "cn"))));
        let own = format!("{number:04x}");
        assert!(events.iter().all(|(_, event)| text_of(event, "cn").starts_with(&own)));
        let times: Vec<_> = events.iter().map(|(_, e)| text_of(e, "plasectrxRecdateUTC")).collect();
        assert_eq!(times.first().unwrap(), "20260105000000Z");
        assert_eq!(times.last().unwrap(), "20260105000102Z");
        assert!(times.is_sorted());
    }
}

#[test]
fn the_four_times_of_an_event_are_one_instant_on_three_clocks() {
    let (_, event) = stream(&mut Appliance::new(7, Style::Acm, 0.0), 1).remove(0);
    assert_eq!(text_of(&event, "plasectrxRecdate"), "20260104170000-0700");
    assert_eq!(text_of(&event, "plasectrxPaneldate"), "20260104200000-0400");
    assert_eq!(text_of(&event, "plasectrxPaneldateUTC"), "20260105000000Z");
}

#[test]
fn the_clock_can_be_set_while_it_runs() {
    let mut appliance = Appliance::new(7, Style::Acm, 0.0);
    stream(&mut appliance, 20);
    appliance.set_time("2027-03-04T05:06:07Z".parse().unwrap());
    let events = stream(&mut appliance, 9);
    let time = |place: usize| text_of(&events[place].1, "plasectrxRecdateUTC");
    assert_eq!((time(0), time(8)), ("20270304050607Z".into(), "20270304050608Z".into()));
}

#[test]
fn the_same_seed_writes_the_same_bytes_and_another_one_does_not() {
    let make = |seed| stream(&mut Appliance::new(seed, Style::Acm, 0.2), 300);
    assert_eq!(make(5), make(5));
    assert_ne!(make(5), make(6));
}

#[test]
fn the_share_of_malformed_output_is_kept() {
    let events = stream(&mut Appliance::new(5, Style::Acm, 0.1), 10_000);
    let bad = events.iter().filter(|(kind, _)| *kind != Kind::Good).count();
    assert!((900..=1_100).contains(&bad), "{bad}");
}

#[test]
fn nothing_that_is_called_malformed_can_be_parsed() {
    let mut seen = HashSet::new();
    for (kind, event) in stream(&mut Appliance::new(5, Style::Oneline, 1.0), 2_000) {
        assert_ne!(kind, Kind::Good);
        seen.insert(kind == Kind::Repairable);
        let parsed = std::str::from_utf8(&event).ok().map(roxmltree::Document::parse);
        assert!(!matches!(parsed, Some(Ok(_))), "{}", String::from_utf8_lossy(&event));
    }
    assert_eq!(seen.len(), 2);
}

#[test]
fn pieces_that_would_be_joined_never_touch() {
    let whole = |event: &[u8]| event.trim_ascii_end().ends_with(b"</EVENT>");
    let events = stream(&mut Appliance::new(5, Style::Acm, 1.0), 5_000);
    let touching = events.windows(2).filter(|two| two.iter().all(|(_, event)| !whole(event)));
    assert_eq!(touching.count(), 0);
}

#[test]
fn the_vendor_sample_has_the_defects_of_the_guide_and_is_well_formed_without_them() {
    for (kind, event) in stream(&mut Appliance::new(5, Style::VendorSample, 0.0), 100) {
        let text = std::str::from_utf8(&event).unwrap();
        assert_eq!(kind, Kind::Repairable);
        assert!(roxmltree::Document::parse(text).is_err());
        let mended = text
            .replace("plasectrxPanel date", "plasectrxPaneldate")
            .replace("plasectrxPanel name", "plasectrxPanelname")
            .replace("</plasectrxG\natewayDN>", "</plasectrxGatewayDN>");
        roxmltree::Document::parse(&mended).unwrap();
        assert!(text.contains(",ou=gate\nways,dc=plasec\n</plasectrxSourceDN>"));
    }
}

#[test]
fn names_with_everything_that_bites_occur() {
    let events = stream(&mut Appliance::new(5, Style::Acm, 0.0), 3_000);
    let all: Vec<u8> = events.into_iter().flat_map(|(_, event)| event).collect();
    let all = String::from_utf8(all).unwrap();
    for part in ["&amp;", "&quot;", "\"", "'", "&lt;", "Å", "山", "И", "🙂", "> 00", "> -1<"] {
        assert!(all.contains(part), "{part}");
    }
}
