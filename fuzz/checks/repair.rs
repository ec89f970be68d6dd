//! What was mended and validated is not mended again, and the rules say what they did.

use xml_stream_aggregator::event::Repair;
use xml_stream_aggregator::ingest::repair::mend;
use xml_stream_aggregator::ingest::validator::validate;

/// Panics if it does not hold for these bytes.
pub fn check(data: &[u8]) {
    let event = [b"<EVENT>", data, b"</EVENT>"].concat();
    let text = std::str::from_utf8(&event);
    let good = text.is_ok_and(|text| validate(text, "EVENT").is_ok());
    let mended = mend(&event, "EVENT", true);
    if good {
        assert!(mended.is_none(), "a good event was changed: {mended:?}");
    }
    let Some(mended) = mended else { return };
    assert!(!mended.rules.is_empty());
    assert_eq!(mended.rules.contains(&Repair::Encoding), text.is_err());
    assert!(text.is_err() || text.is_ok_and(|text| text != mended.text), "nothing was changed");
    if validate(&mended.text, "EVENT").is_ok() {
        assert_eq!(mend(mended.text.as_bytes(), "EVENT", true), None);
        assert!(roxmltree::Document::parse(&mended.text).is_ok());
    }
}
