//! The checksum of a sealed segment: CRC-64/NVME, S3's own full-object checksum.
//!
//! Computed while the bytes are written, so it costs next to nothing; the store verifies it on
//! arrival where it can. Written as 16 lower-case hexadecimal digits wherever a person meets it.

use crc_fast::{CrcAlgorithm, Digest};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;

/// A finished CRC-64/NVME.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Checksum(u64);

impl Checksum {
    /// The checksum of bytes that are at hand as a whole.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let mut running = Running::default();
        running.update(bytes);
        running.value()
    }

    /// Reads what `Display` wrote.
    ///
    /// # Errors
    /// The text is not 16 hexadecimal digits.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.len() != 16 {
            return Err("a checksum has 16 hexadecimal digits");
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| "a checksum has 16 hexadecimal digits")
    }

    /// The number itself.
    #[must_use]
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Checksum({self})")
    }
}

impl Serialize for Checksum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Checksum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// A CRC-64/NVME in the making.
#[derive(Clone, Debug)]
pub struct Running(Digest);

impl Default for Running {
    fn default() -> Self {
        Self(Digest::new(CrcAlgorithm::Crc64Nvme))
    }
}

impl Running {
    /// Takes in more bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The checksum of all bytes so far; more may follow.
    #[must_use]
    pub fn value(&self) -> Checksum {
        Checksum(self.0.finalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_catalogue_check_value_comes_out() {
        assert_eq!(Checksum::of(b"123456789").value(), 0xae8b_1486_0a79_9888);
    }

    #[test]
    fn pieces_give_the_checksum_of_the_whole() {
        let mut running = Running::default();
        running.update(b"1234");
        assert_eq!(running.value(), Checksum::of(b"1234"));
        running.update(b"56789");
        assert_eq!(running.value(), Checksum::of(b"123456789"));
    }

    #[test]
    fn what_is_shown_is_read_back() {
        let sum = Checksum::of(b"x");
        assert_eq!(Checksum::parse(&sum.to_string()), Ok(sum));
        assert!(Checksum::parse("12").is_err());
        assert!(Checksum::parse("zzzzzzzzzzzzzzzz").is_err());
    }
}
