//! What the validator accepts, two independent parsers accept, alone and in the joined document, and
//! it has a form in every format.

use quick_xml::NsReader;
use quick_xml::events::Event;
use xml_stream_aggregator::event::{FOOTER, HEADER};
use xml_stream_aggregator::ingest::validator::validate;
use xml_stream_aggregator::upload::encode::element::Element;

fn quick(text: &str) {
    let mut reader = NsReader::from_str(text);
    reader.config_mut().check_comments = true;
    loop {
        match reader.read_event() {
            Ok(Event::Eof) => return,
            Ok(_) => {}
            Err(error) => panic!("quick-xml: {error}"),
        }
    }
}

/// Panics if it does not hold for these bytes.
pub fn check(data: &[u8]) {
    let Ok(inside) = std::str::from_utf8(data) else { return };
    for event in [inside, &format!("<EVENT>{inside}</EVENT>"), &format!("<EVENT {inside}/>")] {
        if validate(event, "EVENT").is_err() {
            continue;
        }
        let header = std::str::from_utf8(HEADER).expect("static");
        let footer = std::str::from_utf8(FOOTER).expect("static");
        let joined = format!("{header}{event}\n{event}\n{footer}");
        if let Err(error) = roxmltree::Document::parse(&joined) {
            panic!("roxmltree: {error}");
        }
        quick(&joined);
        if let Err(fault) = Element::parse(event.as_bytes()) {
            panic!("it cannot be encoded: {fault}");
        }
    }
}
