//! Mends an event that failed validation (`ON_MALFORMED=repair`), by four named rules.
//!
//! Trusted: nothing; whoever calls validates the result again. Each rule changes only what no
//! well-formed event can hold, so that a rule which was not needed changes nothing. What cannot be
//! mended without guessing is left alone: a reference to a forbidden character, an unknown
//! attribute, an end tag that names another element.

use crate::event::Repair;
use crate::ingest::framer::{Section, find_close, is_space, token};
use crate::ingest::validator::{Reference, forbidden_character, reference};
use encoding_rs::WINDOWS_1252;
use memchr::{memchr, memchr2};
use std::borrow::Cow;

/// An event after repair; not yet validated again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mended {
    /// The event.
    pub text: String,
    /// The rules that changed something, in the order in which they were tried.
    pub rules: Vec<Repair>,
}

/// Tries the rules on an event; `None` if none of them changes anything.
///
/// `mend_encoding` says whether bytes that are not UTF-8 may be read as Windows-1252; without it
/// such an event cannot be mended.
#[must_use]
pub fn mend(event: &[u8], element: &str, mend_encoding: bool) -> Option<Mended> {
    let mut rules = Vec::new();
    let mut text = match std::str::from_utf8(event) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) if mend_encoding => {
            rules.push(Repair::Encoding);
            Cow::Owned(encoding(event))
        }
        Err(_) => return None,
    };
    for rule in [Repair::Control, Repair::Ampersand, Repair::Name] {
        if let Some(changed) = apply(rule, &text, element) {
            rules.push(rule);
            text = Cow::Owned(changed);
        }
    }
    (!rules.is_empty()).then(|| Mended { text: text.into_owned(), rules })
}

fn apply(rule: Repair, text: &str, element: &str) -> Option<String> {
    match rule {
        Repair::Encoding => None,
        Repair::Control => control(text),
        Repair::Ampersand => ampersand(text),
        Repair::Name => name(text, element),
    }
}

/// Each byte outside a valid UTF-8 sequence becomes its Windows-1252 character.
fn encoding(event: &[u8]) -> String {
    let mut out = String::with_capacity(event.len() + event.len() / 8);
    for chunk in event.utf8_chunks() {
        out.push_str(chunk.valid());
        out.push_str(&WINDOWS_1252.decode_without_bom_handling(chunk.invalid()).0);
    }
    out
}

/// A character that XML forbids becomes U+FFFD.
fn control(text: &str) -> Option<String> {
    forbidden_character(text)?;
    let forbidden = |c: char| {
        c < ' ' && !matches!(c, '\t' | '\n' | '\r') || matches!(c, '\u{FFFE}' | '\u{FFFF}')
    };
    Some(text.chars().map(|c| if forbidden(c) { '\u{FFFD}' } else { c }).collect())
}

/// Outside CDATA, comments and instructions, an `&` that begins no reference becomes `&amp;`.
fn ampersand(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let mut out = String::new();
    let (mut at, mut copied) = (0, 0);
    while let Some(offset) = bytes.get(at..).and_then(|rest| memchr2(b'&', b'<', rest)) {
        let here = at + offset;
        at = here + 1;
        let rest = bytes.get(here..).unwrap_or_default();
        if rest.starts_with(b"<") {
            at = section_end(bytes, here).unwrap_or(at);
        } else if reference(rest) == Reference::None {
            out.push_str(text.get(copied..here).unwrap_or_default());
            out.push_str("&amp;");
            copied = at;
        }
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    (copied > 0).then_some(out)
}

/// Where the section that begins at `at` ends; `None` if none begins there. One without end goes
/// on to the end of the event.
fn section_end(bytes: &[u8], at: usize) -> Option<usize> {
    let section = Section::of(token(bytes.get(at..)?, b""))?;
    let begin = at + section.opening();
    Some(find_close(bytes, begin, begin, section.close()).unwrap_or(bytes.len()))
}

/// A start tag of bare words whose matching end tag's words join to the same name: both are joined.
fn name(text: &str, element: &str) -> Option<String> {
    let mut joins = joins(text, element);
    if joins.is_empty() {
        return None;
    }
    joins.sort_unstable();
    let mut out = String::with_capacity(text.len());
    let mut copied = 0;
    for (from, to) in joins {
        out.push_str(text.get(copied..from).unwrap_or_default());
        out.extend(words(text.get(from..to).unwrap_or_default()));
        copied = to;
    }
    out.push_str(text.get(copied..).unwrap_or_default());
    Some(out)
}

/// The insides of the tags that must be joined, as offsets.
fn joins(text: &str, element: &str) -> Vec<(usize, usize)> {
    let bytes = text.as_bytes();
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut joins = Vec::new();
    let mut at = 0;
    while let Some(offset) = bytes.get(at..).and_then(|rest| memchr(b'<', rest)) {
        let here = at + offset;
        at = here + 1;
        if let Some(end) = section_end(bytes, here) {
            at = end;
            continue;
        }
        let Some(end) = tag_end(bytes, here) else { continue };
        at = end;
        let inside = (here + 1, end - 1);
        match bytes.get(here + 1) {
            Some(b'/') => {
                let inside = (here + 2, end - 1);
                if let Some(start) = open.pop() {
                    join(text, element, start, inside, &mut joins);
                }
            }
            Some(b'!' | b'?') => {}
            _ if bytes.get(end - 2) == Some(&b'/') => {}
            _ => open.push(inside),
        }
    }
    joins
}

/// The offset behind the `>` of the tag at `at`; `None` if a `<` comes first.
fn tag_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut quote = None;
    for (offset, &byte) in bytes.get(at + 1..)?.iter().enumerate() {
        match (byte, quote) {
            (b'<', _) => return None,
            (b'>', None) => return Some(at + offset + 2),
            (b'"' | b'\'', None) => quote = Some(byte),
            (_, Some(open)) if open == byte => quote = None,
            _ => {}
        }
    }
    None
}

fn join(
    text: &str,
    element: &str,
    start: (usize, usize),
    end: (usize, usize),
    joins: &mut Vec<(usize, usize)>,
) {
    let (opening, closing) = (inside(text, start), inside(text, end));
    let whole = |tag: &str| words(tag).nth(1).is_none();
    let bare = |tag: &str| !tag.starts_with(is_space_char) && !tag.contains(['=', '"', '\'', '/']);
    if start.0 == 1 || (whole(opening) && whole(closing)) || !bare(opening) || !bare(closing) {
        return;
    }
    if words(opening).flat_map(str::bytes).eq(words(closing).flat_map(str::bytes))
        && !words(opening).flat_map(str::bytes).eq(element.bytes())
    {
        joins.extend([start, end]);
    }
}

fn inside(text: &str, (from, to): (usize, usize)) -> &str {
    text.get(from..to).unwrap_or_default()
}

fn is_space_char(c: char) -> bool {
    u8::try_from(c).is_ok_and(is_space)
}

fn words(tag: &str) -> impl Iterator<Item = &str> {
    tag.split(is_space_char).filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(event: &[u8]) -> (String, Vec<&'static str>) {
        let mended = mend(event, "EVENT", true).unwrap();
        (mended.text, mended.rules.iter().map(|rule| rule.name()).collect())
    }

    #[test]
    fn all_rules_work_together_in_their_order() {
        assert_eq!(
            mended(b"<EVENT><a b>\xE9 & \x01</a b></EVENT>"),
            (
                "<EVENT><ab>é &amp; \u{FFFD}</ab></EVENT>".into(),
                vec!["encoding", "control", "ampersand", "name"]
            )
        );
    }

    #[test]
    fn valid_sequences_stay_beside_bytes_that_are_none() {
        assert_eq!(mended(b"<EVENT>\xC3\xA9\xC3(\x80\xE2\x82</EVENT>").0, "<EVENT>éÃ(€â‚</EVENT>");
    }

    #[test]
    fn a_good_event_is_not_touched() {
        let event =
            "<EVENT a='&lt;'>&#65;&#x41; <![CDATA[& &]]><!-- & --><?p &?><a\n>x</a ></EVENT>";
        assert_eq!(mend(event.as_bytes(), "EVENT", true), None);
    }

    #[test]
    fn bytes_of_another_encoding_are_not_guessed() {
        assert_eq!(mend(b"<EVENT>\xE9</EVENT>", "EVENT", false), None);
    }

    #[test]
    fn the_events_own_tags_are_not_joined() {
        assert_eq!(mend(b"<EV ENT></EV ENT>", "EVENT", true), None);
        assert_eq!(mend(b"<EVENT><EV ENT>x</EV ENT></EVENT>", "EVENT", true), None);
    }
}
