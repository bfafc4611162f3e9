//! Names with wildcards.

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A name in which `*` stands for any letters and `?` for one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Glob(String);

impl Glob {
    /// Whether `name` is one of those it stands for.
    #[must_use]
    pub fn matches(&self, name: &str) -> bool {
        matches_glob(&self.0, name)
    }

    /// Whether it stands for every name.
    #[must_use]
    pub fn is_all(&self) -> bool {
        !self.0.is_empty() && self.0.chars().all(|letter| letter == '*')
    }
}

/// Whether `text` as a whole fits `pattern`, in which `*` stands for any letters and `?` for one.
///
/// Names of Kubernetes are ASCII, so a byte is a letter.
#[must_use]
pub fn matches_glob(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.as_bytes(), text.as_bytes());
    // Where the last `*` stands, and up to where it has taken letters.
    let (mut at, mut position, mut star) = (0, 0, None);
    while position < text.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, position));
                at += 1;
            }
            Some(letter) if *letter == b'?' || *letter == text[position] => {
                at += 1;
                position += 1;
            }
            _ => {
                let Some((last, taken)) = star else { return false };
                star = Some((last, taken + 1));
                (at, position) = (last + 1, taken + 1);
            }
        }
    }
    pattern[at..].iter().all(|letter| *letter == b'*')
}

impl FromStr for Glob {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl From<String> for Glob {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<Glob> for String {
    fn from(glob: Glob) -> Self {
        glob.0
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_stand_for_any_letters_and_question_marks_for_one() {
        let matches = |pattern: &str, name| Glob(pattern.to_owned()).matches(name);
        for (pattern, name) in [
            ("*", ""),
            ("*", "shop"),
            ("sh*p", "shop"),
            ("s?op", "shop"),
            ("*a*b", "xaabb"),
            ("shop", "shop"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("", "shop"), ("sh", "shop"), ("shop?", "shop"), ("*a*b", "xaabbc"), ("?", "")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
        assert!(Glob("**".to_owned()).is_all() && !Glob(String::new()).is_all());
    }
}
