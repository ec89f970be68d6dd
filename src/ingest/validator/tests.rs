//! A fault says what and where; the bounds hold; the cost stays linear.

use super::*;

fn fault(event: &str) -> (&'static str, usize) {
    validate(event, "EVENT").map_or_else(|fault| (fault.detail, fault.position), |()| ("", 0))
}

#[test]
fn a_fault_says_what_and_where() {
    assert_eq!(fault("<EVENT>\u{1}</EVENT>"), ("a character that XML does not allow", 7));
    assert_eq!(fault("<EVENT>&x;</EVENT>").1, 7);
    assert_eq!(fault("<EVENT a='1' b='2' a='3'/>"), ("an attribute given twice", 19));
    assert_eq!(fault("<EVENT><a></b></EVENT>").1, 10);
    assert_eq!(fault("<EVENT/> "), ("something follows the event's end tag", 8));
    assert_eq!(fault("<EVENT>"), ("the event has no end", 7));
    assert_eq!(fault("<EVENTS/>"), ("not an event", 0));
    assert_eq!(fault("EVENT"), ("not an event", 0));
}

#[test]
fn no_run_of_text_is_longer_than_libxml2_takes() {
    let event = |text: &str| format!("<EVENT><a/>{text}<a/></EVENT>");
    let text = "x".repeat(MAX_RUN / 2);
    assert_eq!(validate(&event(&text), "EVENT"), Ok(()));
    assert!(fault(&event(&format!("{text}<!-- --><![CDATA[{text}]]>"))).0.contains("more text"));
    let long = "x".repeat(MAX_RUN);
    assert!(fault(&event(&long)).0.contains("more text"));
    assert!(fault(&event(&format!("<b c='{long}'/>"))).0.contains("a tag larger"));
    assert!(fault(&event(&format!("<!--{long}-->"))).0.contains("more text"));
}

/// A lookup of each prefix among all declarations would take minutes here.
#[test]
fn many_declarations_cost_no_more_than_few() {
    let declarations = |level: usize| -> String {
        (0..MAX_ATTRIBUTES).map(|n| format!(" xmlns:p{level}-{n}='u'")).collect()
    };
    let open: String = (2..60).map(|level| format!("<a{}>", declarations(level))).collect();
    let use_them = "<p2-0:b/>".repeat(100_000);
    let event = format!("<EVENT>{open}{use_them}{}</EVENT>", "</a>".repeat(58));
    assert_eq!(validate(&event, "EVENT"), Ok(()));
}
