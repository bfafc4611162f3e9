//! How Kubernetes calls what it makes.

use std::ops::RangeInclusive;

/// The letters of generated names: no vowels, so that no words come out.
const SAFE_LETTERS: &str = "bcdfghjklmnpqrstvwxz2456789";

/// What stands before the `lengths` letters that were generated; `None` where none were.
#[must_use]
pub fn without_generated(name: &str, lengths: RangeInclusive<usize>) -> Option<&str> {
    let (front, generated) = name.rsplit_once('-')?;
    let is_generated = lengths.contains(&generated.len())
        && generated.chars().all(|letter| SAFE_LETTERS.contains(letter));
    (is_generated && !front.is_empty()).then_some(front)
}

/// What stands before an ordinal, as StatefulSets have one.
#[must_use]
pub fn without_ordinal(name: &str) -> Option<&str> {
    let (front, ordinal) = name.rsplit_once('-')?;
    let counts = ordinal.parse::<u32>().is_ok_and(|number| number.to_string() == ordinal);
    (counts && !front.is_empty()).then_some(front)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn generated_endings_are_told_from_names() {
        assert_eq!(without_generated("cart-58f68557c-2xk9z", 5..=5), Some("cart-58f68557c"));
        assert_eq!(without_generated("cart-index", 5..=5), None);
        assert_eq!(without_ordinal("db-12"), Some("db"));
        for name in ["web-01", "-1", "web"] {
            assert_eq!(without_ordinal(name), None, "{name}");
        }
    }
}
