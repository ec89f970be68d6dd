//! Reads one text after the other and collects what is wrong with them.
//!
//! A setting with a problem gets its default, so that reading can go on; [`Reader::are_fine`] keeps
//! comparisons of two settings from complaining about a value that nobody typed. Settings made from
//! a reader with problems never leave [`Reader::finish`].

use super::defaults::default_of;
use super::problem::{Problem, Problems, Warning, shown};
use super::typed::Text;
use crate::base::units::{Size, Span};
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::Duration;

/// Why a text is not what it should be: the end of a sentence that began with the variable.
pub(super) type Wrong = String;

#[derive(Debug, Default)]
pub(super) struct Reader {
    problems: Vec<Problem>,
    warnings: Vec<Warning>,
}

/// The text that was typed, if any.
pub(super) fn typed(text: &Text) -> Option<&str> {
    text.as_deref().map(str::trim).filter(|text| !text.is_empty())
}

impl Reader {
    /// Reads a setting with `parse`; `remedy` tells what is allowed.
    pub fn value<T>(
        &mut self,
        variable: &'static str,
        text: &Text,
        remedy: &str,
        parse: impl Fn(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        let default = || default_of(variable).and_then(|text| parse(text).ok());
        let Some(text) = typed(text) else { return default() };
        parse(text)
            .inspect_err(|wrong| self.problem(variable, Some(text), wrong, remedy))
            .ok()
            .or_else(default)
    }

    /// Reads a size in bytes.
    pub fn size(&mut self, variable: &'static str, text: &Text, range: RangeInclusive<u64>) -> u64 {
        let (low, high) = (Size(*range.start()), Size(*range.end()));
        let remedy =
            format!("Allowed: {low} to {high}, as bytes (10485760) or with a unit (10MiB, 10MB).");
        let parse = |text: &str| within(text, &low, &high, "a size");
        self.value(variable, text, &remedy, parse).unwrap_or(low).0
    }

    /// Reads a duration.
    pub fn span(
        &mut self,
        variable: &'static str,
        text: &Text,
        range: RangeInclusive<Duration>,
    ) -> Duration {
        let (low, high) = (Span(*range.start()), Span(*range.end()));
        let remedy = format!(
            "Allowed: {low} to {high}, as seconds (3600) or with a unit (500ms, 60s, 5m, 1h)."
        );
        let parse = |text: &str| within(text, &low, &high, "a duration");
        self.value(variable, text, &remedy, parse).unwrap_or(low).0
    }

    /// Reads a duration for which 0 means "off".
    pub fn span_or_off(
        &mut self,
        variable: &'static str,
        text: &Text,
        range: RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let off = typed(text).or(default_of(variable)).and_then(|text| text.parse::<Span>().ok());
        if off == Some(Span(Duration::ZERO)) {
            return None;
        }
        Some(self.span(variable, text, range))
    }

    /// Reads a whole number.
    pub fn number<N>(&mut self, variable: &'static str, text: &Text, range: RangeInclusive<N>) -> N
    where
        N: FromStr + PartialOrd + Display + Copy,
    {
        let (low, high) = (*range.start(), *range.end());
        let remedy = format!("Allowed: {low} to {high}.");
        let parse = |text: &str| within_number(text, low, high);
        self.value(variable, text, &remedy, parse).unwrap_or(low)
    }

    /// Reads a yes or no.
    pub fn flag(&mut self, variable: &'static str, text: &Text) -> bool {
        let remedy = "Allowed: true or false.";
        self.value(variable, text, remedy, yes_or_no).unwrap_or_default()
    }

    /// Reads one word of a few, in any case.
    pub fn choice<T: Clone>(
        &mut self,
        variable: &'static str,
        text: &Text,
        words: &[(&str, T)],
    ) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
        let remedy = format!("Allowed: {}.", names.join(", "));
        self.value(variable, text, &remedy, |text| {
            let found = words.iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
            found.map(|(_, value)| value.clone()).ok_or_else(|| "is none of the words known".into())
        })
    }

    /// Notes a problem; `value` is shown, so it must not be a secret.
    pub fn problem(
        &mut self,
        variable: &'static str,
        value: Option<&str>,
        wrong: &str,
        remedy: &str,
    ) {
        let quoted = value.is_some_and(|value| value.starts_with(['"', '\'']));
        let hint =
            if quoted { " Leave the quotation marks out: they are part of the value." } else { "" };
        self.problems.push(Problem {
            variable,
            value: value.map(shown),
            wrong: wrong.to_owned(),
            remedy: format!("{remedy}{hint}"),
        });
    }

    pub fn warn(&mut self, warning: impl Into<String>) {
        self.warnings.push(Warning(warning.into()));
    }

    /// Whether none of these has a problem, so that they can be compared.
    pub fn are_fine(&self, variables: &[&str]) -> bool {
        !self.problems.iter().any(|problem| variables.contains(&problem.variable))
    }

    pub fn finish<T>(self, settings: T) -> Result<(T, Vec<Warning>), Problems> {
        if self.problems.is_empty() {
            return Ok((settings, self.warnings));
        }
        Err(Problems(self.problems))
    }
}

fn within<T>(text: &str, low: &T, high: &T, kind: &str) -> Result<T, Wrong>
where
    T: FromStr<Err = crate::base::units::UnitError> + PartialOrd,
{
    let value: T = text.parse().map_err(|error| format!("is not {kind}: it {error}"))?;
    in_range(value, low, high)
}

fn within_number<N: FromStr + PartialOrd>(text: &str, low: N, high: N) -> Result<N, Wrong> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("is not a whole number".into());
    }
    let value: N = text.parse().map_err(|_| "is too large")?;
    in_range(value, &low, &high)
}

fn in_range<T: PartialOrd>(value: T, low: &T, high: &T) -> Result<T, Wrong> {
    match () {
        () if value < *low => Err("is too small".into()),
        () if value > *high => Err("is too large".into()),
        () => Ok(value),
    }
}

fn yes_or_no(text: &str) -> Result<bool, Wrong> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" | "1" => Ok(true),
        "false" | "no" | "off" | "0" => Ok(false),
        _ => Err("is neither true nor false".into()),
    }
}
