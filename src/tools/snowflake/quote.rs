//! Names, texts and comments as Snowflake reads them back unchanged.
//!
//! Everything that comes from a setting or the command line passes through here on its way into
//! the script. Refused (when a name is made): an empty one, one longer than 255 characters,
//! control characters. Everything else has a quoted form.

use std::fmt;

/// What Snowflake allows in the length of a name, in characters.
const MAX_NAME: usize = 255;

/// Words that cannot stand as a bare name (Snowflake's reserved words).
const RESERVED: &[&str] = &[
    "ACCOUNT",
    "ALL",
    "ALTER",
    "AND",
    "ANY",
    "AS",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "CHECK",
    "COLUMN",
    "CONNECT",
    "CONNECTION",
    "CONSTRAINT",
    "CREATE",
    "CROSS",
    "CURRENT",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "CURRENT_USER",
    "DATABASE",
    "DELETE",
    "DISTINCT",
    "DROP",
    "ELSE",
    "EXISTS",
    "FALSE",
    "FOLLOWING",
    "FOR",
    "FROM",
    "FULL",
    "GRANT",
    "GROUP",
    "GSCLUSTER",
    "HAVING",
    "ILIKE",
    "IN",
    "INCREMENT",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTO",
    "IS",
    "ISSUE",
    "JOIN",
    "LATERAL",
    "LEFT",
    "LIKE",
    "LOCALTIME",
    "LOCALTIMESTAMP",
    "MINUS",
    "NATURAL",
    "NOT",
    "NULL",
    "OF",
    "ON",
    "OR",
    "ORDER",
    "ORGANIZATION",
    "QUALIFY",
    "REGEXP",
    "REVOKE",
    "RIGHT",
    "RLIKE",
    "ROW",
    "ROWS",
    "SAMPLE",
    "SCHEMA",
    "SELECT",
    "SET",
    "SOME",
    "START",
    "TABLE",
    "TABLESAMPLE",
    "THEN",
    "TO",
    "TRIGGER",
    "TRUE",
    "TRY_CAST",
    "UNION",
    "UNIQUE",
    "UPDATE",
    "USING",
    "VALUES",
    "VIEW",
    "WHEN",
    "WHENEVER",
    "WHERE",
    "WITH",
];

/// The name of a Snowflake object. Displayed as SQL: bare where that means the same, else quoted.
///
/// A plain name (`xml_events`) is left bare and means `XML_EVENTS`, as everywhere in Snowflake;
/// a reserved word is quoted in upper case; anything else is quoted as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name(String);

impl Name {
    /// Takes a name as it was typed, without quotes.
    ///
    /// # Errors
    /// What is wrong with the name, ready to be shown after the option's name and value.
    pub fn new(name: &str) -> Result<Self, &'static str> {
        if name.is_empty() {
            return Err("a name must not be empty");
        }
        if name.chars().count() > MAX_NAME {
            return Err("a name may be at most 255 characters long");
        }
        if name.chars().any(char::is_control) {
            return Err("a name must not hold control characters");
        }
        Ok(Self(name.to_owned()))
    }

    /// A name of the program's own, known to be fit.
    pub(super) fn fixed(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The same name with a plain ending; cut first where the whole would be too long.
    #[must_use]
    pub fn with_suffix(&self, suffix: &str) -> Self {
        let room = MAX_NAME.saturating_sub(suffix.chars().count());
        Self(self.0.chars().take(room).chain(suffix.chars()).collect())
    }

    /// The name as the catalogue stores it.
    #[must_use]
    pub fn stored(&self) -> String {
        if is_plain(&self.0) { self.0.to_ascii_uppercase() } else { self.0.clone() }
    }

    /// The name inside a text literal (`FORMAT_NAME = '…'`), where it is read as SQL once more.
    #[must_use]
    pub fn as_literal(&self) -> String {
        literal(&self.to_string())
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (is_plain(&self.0), is_reserved(&self.0)) {
            (true, false) => f.write_str(&self.0),
            (true, true) => write!(f, "\"{}\"", self.stored()),
            (false, _) => write!(f, "\"{}\"", self.0.replace('"', "\"\"")),
        }
    }
}

/// Text between single quotes. A backslash is an escape in Snowflake, so it is doubled too.
#[must_use]
pub fn literal(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('\'');
    for c in text.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\0' => out.push_str("\\0"),
            c => out.push(c),
        }
    }
    out.push('\'');
    out
}

/// A comment, line by line. Nothing in the text can end it: what may break a line, breaks it into
/// another comment line.
#[must_use]
pub fn comment(text: &str) -> String {
    text.split(breaks_a_line).map(comment_line).collect()
}

fn comment_line(line: &str) -> String {
    match line.trim_end() {
        "" => "--\n".to_owned(),
        line => format!("-- {line}\n"),
    }
}

fn breaks_a_line(c: char) -> bool {
    (c.is_control() && c != '\t') || matches!(c, '\u{2028}' | '\u{2029}')
}

fn is_plain(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '$'))
}

fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name.to_ascii_uppercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sql(name: &str) -> String {
        Name::new(name).unwrap().to_string()
    }

    #[test]
    fn a_plain_name_stays_bare_and_means_upper_case() {
        assert_eq!(sql("xml_events"), "xml_events");
        assert_eq!(Name::new("xml_events").unwrap().stored(), "XML_EVENTS");
    }

    #[test]
    fn a_reserved_word_is_quoted_in_the_case_that_a_bare_name_would_mean() {
        assert_eq!(sql("order"), "\"ORDER\"");
        assert_eq!(sql("Table"), "\"TABLE\"");
    }

    #[test]
    fn any_other_name_is_quoted_as_typed_and_cannot_end_its_quotes() {
        assert_eq!(sql("1st"), "\"1st\"");
        assert_eq!(sql("a.b"), "\"a.b\"");
        assert_eq!(sql("é"), "\"é\"");
        assert_eq!(sql("x\"; DROP TABLE t; --"), "\"x\"\"; DROP TABLE t; --\"");
        assert_eq!(Name::new("a b").unwrap().stored(), "a b");
    }

    #[test]
    fn a_name_in_a_literal_is_escaped_for_both_readers() {
        assert_eq!(Name::new("it's \"x\"").unwrap().as_literal(), "'\"it''s \"\"x\"\"\"'");
    }

    #[test]
    fn names_that_no_quoting_can_carry_are_refused() {
        assert!(Name::new("").is_err());
        assert!(Name::new("a\nb").is_err());
        assert!(Name::new(&"x".repeat(256)).is_err());
        assert!(Name::new(&"é".repeat(255)).is_ok());
    }

    #[test]
    fn a_suffix_never_makes_a_name_too_long() {
        let name = Name::new(&"x".repeat(255)).unwrap().with_suffix("_PIPE");
        assert_eq!(name.stored().len(), 255);
        assert!(name.stored().ends_with("_PIPE"));
    }

    #[test]
    fn a_literal_cannot_be_left_by_quotes_backslashes_or_line_breaks() {
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("a\\' OR 1=1"), "'a\\\\'' OR 1=1'");
        assert_eq!(literal("a\nb\r\0"), "'a\\nb\\r\\0'");
    }

    #[test]
    fn a_comment_cannot_be_left_by_any_kind_of_line_break() {
        for c in ["\n", "\r", "\r\n", "\u{b}", "\u{c}", "\u{85}", "\u{2028}", "\u{2029}", "\0"] {
            let text = comment(&format!("prefix{c}DROP TABLE t;"));
            assert!(text.ends_with("\n-- DROP TABLE t;\n"), "{c:?}: {text:?}");
            assert!(text.lines().all(|l| l.starts_with("--")), "{c:?}: {text:?}");
        }
    }
}
