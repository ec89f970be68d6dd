//! Names and namespace names: which characters they hold.
//!
//! Names follow XML 1.0 (fifth edition), productions 4 and 4a; namespace names follow RFC 3986.
//! Trusted: nothing. Refused: characters outside those grammars, and URIs with brackets (only an
//! IPv6 host has them, and parsers disagree about those).

/// How many bytes at the front of `text` are a name; 0 if none begins there.
#[must_use]
pub fn length(text: &str) -> usize {
    let ascii = text.bytes().take_while(|&b| is_ascii_name(b)).count();
    let begins = text.chars().next().is_some_and(begins);
    match text.as_bytes().get(ascii) {
        _ if !begins => 0,
        Some(0x80..) => text.find(|c| !continues(c)).unwrap_or(text.len()),
        _ => ascii,
    }
}

/// Whether a name with a colon is a prefix, a colon and a local part.
#[must_use]
pub fn is_qualified(name: &str) -> bool {
    name.split_once(':').is_some_and(|(prefix, local)| {
        !prefix.is_empty() && local.chars().next().is_some_and(begins) && !local.contains(':')
    })
}

const fn is_ascii_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b':' | b'-' | b'.')
}

fn begins(c: char) -> bool {
    matches!(c,
        ':' | '_' | 'A'..='Z' | 'a'..='z'
        | '\u{C0}'..='\u{D6}' | '\u{D8}'..='\u{F6}' | '\u{F8}'..='\u{2FF}'
        | '\u{370}'..='\u{37D}' | '\u{37F}'..='\u{1FFF}' | '\u{200C}'..='\u{200D}'
        | '\u{2070}'..='\u{218F}' | '\u{2C00}'..='\u{2FEF}' | '\u{3001}'..='\u{D7FF}'
        | '\u{F900}'..='\u{FDCF}' | '\u{FDF0}'..='\u{FFFD}' | '\u{10000}'..='\u{EFFFF}')
}

fn continues(c: char) -> bool {
    begins(c)
        || matches!(c, '-' | '.' | '0'..='9' | '\u{B7}' | '\u{300}'..='\u{36F}' | '\u{203F}'..='\u{2040}')
}

/// Whether a text is a URI reference.
#[must_use]
pub fn is_uri(text: &str) -> bool {
    let (before, fragment) = text.split_once('#').unwrap_or((text, ""));
    let (before, query) = before.split_once('?').unwrap_or((before, ""));
    let path = match before.split_once(':') {
        Some((scheme, rest)) if !scheme.contains('/') => {
            if !is_scheme(scheme) {
                return false;
            }
            rest
        }
        _ => before,
    };
    let path_holds = match path.strip_prefix("//") {
        Some(rest) => {
            let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
            is_authority(authority) && holds(path, ":@/")
        }
        None => holds(path, ":@/"),
    };
    path_holds && holds(query, ":@/?") && holds(fragment, ":@/?")
}

fn is_scheme(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'))
}

fn is_authority(text: &str) -> bool {
    let (user, host) = text.rsplit_once('@').unwrap_or(("", text));
    let (host, port) = host.split_once(':').unwrap_or((host, ""));
    holds(user, ":")
        && holds(host, "")
        && port.len() <= 5
        && port.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a text holds only unreserved characters, sub-delimiters, escapes and `more`.
fn holds(text: &str, more: &str) -> bool {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let plain = c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=".contains(c) || more.contains(c);
        let escape = c == '%'
            && rest.get(1..3).is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit()));
        match (plain, escape) {
            (true, _) => rest = rest.get(c.len_utf8()..).unwrap_or_default(),
            (_, true) => rest = rest.get(3..).unwrap_or_default(),
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_ends_where_its_grammar_ends() {
        for (text, expected) in [
            ("a b", 1),
            ("a", 1),
            ("1a", 0),
            ("-a", 0),
            ("", 0),
            ("a.b-c_1>", 7),
            ("é×", 2),
            ("aé·>", 5),
            ("×", 0),
            ("a:b=", 3),
        ] {
            assert_eq!(length(text), expected, "{text}");
        }
    }

    #[test]
    fn a_uri_is_one_by_rfc_3986() {
        for good in [
            "urn:x",
            "http://h/p?q#f",
            "//h:80/%41",
            "a/b:c",
            "",
            "http://u:p@h/",
            "?a=b",
            "mailto:a@b",
        ] {
            assert!(is_uri(good), "{good}");
        }
        for bad in [
            "a b",
            "1:a",
            ":",
            "%4",
            "%zz",
            "a#b#c",
            "é",
            "http://[::1]/",
            "http://h:x/",
            "http://h:123456/",
            "a|b",
            "<",
            "\"",
            "a\n",
        ] {
            assert!(!is_uri(bad), "{bad}");
        }
    }
}
