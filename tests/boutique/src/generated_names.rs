//! Names and numbers that are made up.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};

/// The letters of generated Kubernetes names: without vowels they form no words.
const LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// A number that has not been before: standard hashing is keyed at random. Good for names, not for secrets.
pub(crate) fn number() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    RandomState::new().hash_one(NEXT.fetch_add(1, Ordering::Relaxed))
}

/// `length` generated letters.
pub(crate) fn letters(length: usize) -> String {
    let letter = |rest: u64| char::from(LETTERS[(rest % LETTERS.len() as u64) as usize]);
    (0..length).map(|_| letter(number())).collect()
}

/// A new identifier in the form of a UUID.
pub(crate) fn identifier() -> String {
    let (a, b) = (number(), number());
    let (c, d) = (b >> 48, b & 0xffff_ffff_ffff);
    format!("{:08x}-{:04x}-4{:03x}-{c:04x}-{d:012x}", a >> 32, (a >> 16) & 0xffff, a & 0xfff)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_their_length_and_letters_and_differ() {
        let (a, b) = (letters(10), letters(10));
        assert_eq!(a.len(), 10);
        assert!(a.bytes().all(|letter| LETTERS.contains(&letter)));
        assert_ne!(a, b);
    }

    #[test]
    fn identifiers_have_the_form_of_a_uuid() {
        let parts: Vec<usize> = identifier().split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
    }
}
