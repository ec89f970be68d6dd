//! The field reference for people, `Reference Docs/README.md`, is the list in the code: the same
//! fields in the same order, with the same kind, and personal where the code masks them.

use xml_stream_aggregator::event::fields::{FIELDS, Kind};

fn in_words(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Dn => "name in a directory",
        Kind::Digits => "digits",
        Kind::LocalTime => "local time",
        Kind::UtcTime => "UTC time",
        Kind::DateOrNever => "UTC time or never",
        Kind::Number => "number",
        Kind::Flag => "flag",
    }
}

#[test]
fn the_field_reference_is_the_list_in_the_code() {
    let path =
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("Reference Docs").join("README.md");
    let text = std::fs::read_to_string(path).unwrap();
    let (_, table) = text.split_once("## The fields").unwrap();
    let found: Vec<Vec<&str>> = table
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches('|').split('|').map(str::trim).collect())
        .collect();
    let expected: Vec<_> = FIELDS
        .iter()
        .map(|field| {
            let personal = if field.personal { "yes" } else { "" };
            vec![format!("`{}`", field.name), in_words(field.kind).into(), personal.into()]
        })
        .collect();
    for (found, expected) in found.iter().zip(&expected) {
        assert_eq!(found[..3], expected[..]);
        assert!(found[3].len() > 5, "{}: no meaning", found[0]);
    }
    assert_eq!(found.len(), expected.len(), "a field is missing in one of the two");
    for field in FIELDS {
        assert!(text.contains(&format!("| {} |", in_words(field.kind))), "{:?}", field.kind);
    }
}
