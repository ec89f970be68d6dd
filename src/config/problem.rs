//! What is wrong with a setting, and what is worth a word although it is not wrong.
//!
//! A problem says which variable, what it holds, what is wrong with that, and what to do. The value
//! of a secret never gets here; user names and passwords inside of URLs are cut out.

use std::fmt;

/// One setting that cannot be used as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The environment variable's name; the flag is the same in lower case with hyphens.
    pub variable: &'static str,
    /// What it holds, fit to be shown; `None` if nothing was given or it is a secret.
    pub value: Option<String>,
    /// What is wrong, as the end of a sentence that began with the variable.
    pub wrong: String,
    /// What is allowed, or what to do: whole sentences.
    pub remedy: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}=\"{value}\" ", self.variable)?,
            None => write!(f, "{} ", self.variable)?,
        }
        write!(f, "{}. {}", self.wrong, self.remedy)
    }
}

/// All problems of a set of settings, in the order of the table of settings; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl Problems {
    /// The process ends with this when its settings cannot be used.
    pub const EXIT_CODE: u8 = 2;
}

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.len() {
            1 => writeln!(f, "a setting cannot be used; nothing was started:")?,
            count => writeln!(f, "{count} settings cannot be used; nothing was started:")?,
        }
        self.0.iter().try_for_each(|problem| writeln!(f, "  - {problem}"))?;
        write!(f, "All settings, with what they mean: xml-stream-aggregator --help")
    }
}

impl std::error::Error for Problems {}

/// Something in the settings that works, but not as it may have been meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warning(pub String);

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

const LONGEST_SHOWN: usize = 200;

/// A value as it may be shown: one line, not too long, without the user and password of a URL and
/// without its query (where signatures are).
pub(super) fn shown(value: &str) -> String {
    let open = without_userinfo(value);
    let mut text: String = open.chars().flat_map(char::escape_debug).take(LONGEST_SHOWN).collect();
    if open.chars().count() > LONGEST_SHOWN {
        text.push('…');
    }
    text
}

fn without_userinfo(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("://") else { return value.to_owned() };
    let (rest, query) = match rest.split_once('?') {
        Some((rest, _)) => (rest, "?…"),
        None => (rest, ""),
    };
    match rest.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://…@{host}{query}"),
        None => format!("{scheme}://{rest}{query}"),
    }
}
