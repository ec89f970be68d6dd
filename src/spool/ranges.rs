//! A set of segment numbers, kept as ranges: a year of retired segments is one pair of numbers.
//!
//! No I/O. Written to the ledger file as `[[first, last], …]`, sorted, not touching.

use serde::{Deserialize, Serialize};

/// Sorted, disjoint, not adjacent pairs of first and last number.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Ranges(Vec<(u64, u64)>);

impl Ranges {
    /// Whether a number is in the set.
    #[must_use]
    pub fn contains(&self, number: u64) -> bool {
        self.end_of(number).is_some()
    }

    /// The smallest number at or above `number` that is not in the set.
    #[must_use]
    pub fn next_missing(&self, number: u64) -> u64 {
        self.end_of(number).map_or(number, |last| last.saturating_add(1))
    }

    /// The largest number in the set.
    #[must_use]
    pub fn last(&self) -> Option<u64> {
        self.0.last().map(|range| range.1)
    }

    /// Puts a number in.
    pub fn insert(&mut self, number: u64) {
        self.insert_range(number, number);
    }

    /// Puts `first` to `last`, both included, in.
    pub fn insert_range(&mut self, mut first: u64, mut last: u64) {
        if first > last {
            return;
        }
        let from = self.0.partition_point(|r| r.1.saturating_add(1) < first);
        let to = self.0.partition_point(|r| r.0 <= last.saturating_add(1));
        for range in self.0.drain(from..to) {
            first = first.min(range.0);
            last = last.max(range.1);
        }
        self.0.insert(from, (first, last));
    }

    /// Whether the pairs are sorted, disjoint and not adjacent: what a file says is checked.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.0.iter().all(|r| r.0 <= r.1)
            && self.0.windows(2).all(|w| match w {
                [a, b] => a.1.checked_add(1).is_some_and(|next| next < b.0),
                _ => true,
            })
    }

    fn end_of(&self, number: u64) -> Option<u64> {
        let index = self.0.partition_point(|r| r.1 < number);
        self.0.get(index).filter(|r| r.0 <= number).map(|r| r.1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn it_agrees_with_a_plain_set(inserts in prop::collection::vec((0u64..60, 0u64..4), 0..40)) {
            let (mut ranges, mut plain) = (Ranges::default(), BTreeSet::new());
            for (first, length) in inserts {
                ranges.insert_range(first, first + length);
                plain.extend(first..=first + length);
                prop_assert!(ranges.is_sound(), "{ranges:?}");
            }
            for number in 0..70 {
                prop_assert_eq!(ranges.contains(number), plain.contains(&number));
                let missing = (number..).find(|n| !plain.contains(n)).unwrap();
                prop_assert_eq!(ranges.next_missing(number), missing);
            }
            prop_assert_eq!(ranges.last(), plain.last().copied());
        }
    }

    #[test]
    fn ranges_that_overlap_or_run_backwards_are_not_sound() {
        for text in ["[[2,1]]", "[[1,2],[2,3]]", "[[1,2],[3,4]]", "[[5,6],[1,2]]"] {
            let ranges: Ranges = serde_json::from_str(text).unwrap();
            assert!(!ranges.is_sound(), "{text}");
        }
    }
}
