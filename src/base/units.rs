//! Sizes and durations as people write them, read and shown exactly.
//!
//! A size is a whole number of bytes, alone or with a unit: `10485760`, `10MB` (10,000,000 bytes),
//! `10MiB` (10,485,760 bytes). A duration is a whole number of seconds, alone or with a unit:
//! `3600`, `500ms`, `60s`, `5m`, `1h`, `7d`. Letters may be of either case, a space may stand
//! before the unit. What is shown can be read again and means the same.
//! Refused: fractions, signs, a bare `K`/`M`/`G` (nobody knows which thousand is meant), several
//! units in a row, and whatever does not fit.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

const SIZE_UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("TB", 1_000_000_000_000),
    ("GiB", 1 << 30),
    ("GB", 1_000_000_000),
    ("MiB", 1 << 20),
    ("MB", 1_000_000),
    ("KiB", 1 << 10),
    ("KB", 1_000),
    ("B", 1),
];

const SPAN_UNITS: [(&str, u64); 5] =
    [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Why a text is no size or duration.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// It does not begin with a whole number.
    #[error("does not begin with a whole number")]
    NoNumber,
    /// What stands behind the number is not a unit of this kind.
    #[error("has an unknown unit")]
    UnknownUnit,
    /// The value does not fit into 64 bits.
    #[error("is too large")]
    TooLarge,
}

/// A number of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Size(pub u64);

impl FromStr for Size {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        read(text, &SIZE_UNITS, 1).map(Self)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, self.0, &SIZE_UNITS, " ")
    }
}

impl Size {
    /// The size rounded to three digits, for people who look at it in passing: `1.53 MB`.
    #[must_use]
    pub fn about(self) -> String {
        let decimal = SIZE_UNITS.iter().filter(|(unit, _)| !unit.contains('i'));
        let (unit, factor) = decimal.fold(("B", 1), |best, &(unit, factor)| {
            if best.1 == 1 && self.0 >= factor { (unit, factor) } else { best }
        });
        let (whole, thousandths) = (self.0 / factor, self.0 % factor * 1000 / factor);
        match (factor, whole) {
            (1, _) | (_, 100..) => format!("{whole} {unit}"),
            (_, 10..) => format!("{whole}.{} {unit}", thousandths / 100),
            _ => format!("{whole}.{:02} {unit}", thousandths / 10),
        }
    }
}

/// A length of time, exact to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(pub Duration);

impl FromStr for Span {
    type Err = UnitError;

    fn from_str(text: &str) -> Result<Self, UnitError> {
        read(text, &SPAN_UNITS, 1_000).map(|millis| Self(Duration::from_millis(millis)))
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match u64::try_from(self.0.as_millis()) {
            Ok(0) => f.write_str("0"),
            Ok(millis) => show(f, millis, &SPAN_UNITS, ""),
            Err(_) => write!(f, "{}s", self.0.as_secs()),
        }
    }
}

fn read(text: &str, units: &[(&str, u64)], factor_of_none: u64) -> Result<u64, UnitError> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits).ok_or(UnitError::NoNumber)?;
    if number.is_empty() {
        return Err(UnitError::NoNumber);
    }
    let number: u64 = number.parse().map_err(|_| UnitError::TooLarge)?;
    let factor = match unit.trim_start() {
        "" => factor_of_none,
        unit => factor_of(unit, units)?,
    };
    number.checked_mul(factor).ok_or(UnitError::TooLarge)
}

fn factor_of(unit: &str, units: &[(&str, u64)]) -> Result<u64, UnitError> {
    let known = units.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit));
    known.map(|&(_, factor)| factor).ok_or(UnitError::UnknownUnit)
}

/// Shows a value in the largest unit that divides it; of two that give equally few digits the
/// first of the table.
fn show(f: &mut fmt::Formatter<'_>, value: u64, units: &[(&str, u64)], gap: &str) -> fmt::Result {
    let exact =
        units.iter().filter(|(_, factor)| value.is_multiple_of(*factor) && value >= *factor);
    let shortest = exact.min_by_key(|(_, factor)| (value / factor).to_string().len());
    match shortest {
        Some((unit, factor)) => f.pad(&format!("{}{gap}{unit}", value / factor)),
        None => f.pad(&format!("{value}{gap}{}", units.last().map_or("", |(unit, _)| unit))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn size(text: &str) -> Result<u64, UnitError> {
        text.parse::<Size>().map(|size| size.0)
    }

    fn millis(text: &str) -> Result<u128, UnitError> {
        text.parse::<Span>().map(|span| span.0.as_millis())
    }

    #[test]
    fn a_size_is_bytes_or_a_number_with_a_unit() {
        for (text, bytes) in [
            ("0", 0),
            ("10485760", 10_485_760),
            ("10MB", 10_000_000),
            ("10MiB", 10_485_760),
            ("1GiB", 1 << 30),
            ("24mib", 24 << 20),
            (" 7 KB ", 7_000),
            ("5 B", 5),
            ("2tb", 2_000_000_000_000),
            ("18446744073709551615", u64::MAX),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused_with_the_reason() {
        for (text, error) in [
            ("", UnitError::NoNumber),
            ("MB", UnitError::NoNumber),
            ("-1", UnitError::NoNumber),
            ("+1", UnitError::NoNumber),
            ("ten", UnitError::NoNumber),
            ("٣", UnitError::NoNumber),
            ("10M", UnitError::UnknownUnit),
            ("10k", UnitError::UnknownUnit),
            ("1.5GiB", UnitError::UnknownUnit),
            ("1_000", UnitError::UnknownUnit),
            ("10 MB 5", UnitError::UnknownUnit),
            ("10s", UnitError::UnknownUnit),
            ("18446744073709551616", UnitError::TooLarge),
            ("16777216TiB", UnitError::TooLarge),
        ] {
            assert_eq!(size(text), Err(error), "{text}");
        }
    }

    #[test]
    fn a_duration_is_seconds_or_a_number_with_a_unit() {
        for (text, expected) in [
            ("0", 0),
            ("3600", 3_600_000),
            ("60s", 60_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("500ms", 500),
            ("2 D", 172_800_000),
        ] {
            assert_eq!(millis(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_the_reason() {
        for (text, error) in [
            ("", UnitError::NoNumber),
            ("s", UnitError::NoNumber),
            ("1h30m", UnitError::UnknownUnit),
            ("0.5", UnitError::UnknownUnit),
            ("5min", UnitError::UnknownUnit),
            ("18446744073709551615", UnitError::TooLarge),
        ] {
            assert_eq!(millis(text), Err(error), "{text}");
        }
    }

    #[test]
    fn sizes_and_durations_are_shown_in_the_unit_with_the_fewest_digits() {
        let sizes = [
            (10_485_760, "10 MiB"),
            (10_000_000, "10 MB"),
            (24 << 20, "24 MiB"),
            (1_234_567, "1234567 B"),
            (0, "0 B"),
        ];
        for (bytes, text) in sizes {
            assert_eq!(Size(bytes).to_string(), text);
        }
        for (millis, text) in [(0, "0"), (60_000, "1m"), (5_400_000, "90m"), (1_500, "1500ms")] {
            assert_eq!(Span(Duration::from_millis(millis)).to_string(), text);
        }
    }

    #[test]
    fn a_size_in_passing_has_three_digits_and_never_rounds_up() {
        for (bytes, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1_000, "1.00 KB"),
            (1_539_999, "1.53 MB"),
            (45_678, "45.6 KB"),
            (999_999, "999 KB"),
            (u64::MAX, "18446744 TB"),
        ] {
            assert_eq!(Size(bytes).about(), text);
        }
    }

    proptest! {
        #[test]
        fn what_is_shown_is_read_as_the_same(value in any::<u64>(), shift in 0u32..64) {
            let value = value >> shift;
            prop_assert_eq!(size(&Size(value).to_string()), Ok(value));
            let span = Span(Duration::from_millis(value));
            prop_assert_eq!(span.to_string().parse::<Span>(), Ok(span));
        }

        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,20}") {
            let _ = size(&text);
            let _ = millis(&text);
        }
    }
}
