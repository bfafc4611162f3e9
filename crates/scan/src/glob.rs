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
        let (pattern, name): (Vec<char>, Vec<char>) =
            (self.0.chars().collect(), name.chars().collect());
        // Where the last `*` stands, and up to where it has taken letters.
        let (mut at, mut of, mut star) = (0, 0, None);
        while of < name.len() {
            match pattern.get(at) {
                Some('*') => {
                    star = Some((at, of));
                    at += 1;
                }
                Some(letter) if *letter == '?' || *letter == name[of] => {
                    at += 1;
                    of += 1;
                }
                _ => {
                    let Some((last, taken)) = star else { return false };
                    star = Some((last, taken + 1));
                    (at, of) = (last + 1, taken + 1);
                }
            }
        }
        pattern[at..].iter().all(|letter| *letter == '*')
    }

    /// Whether it stands for every name.
    #[must_use]
    pub fn is_all(&self) -> bool {
        !self.0.is_empty() && self.0.chars().all(|letter| letter == '*')
    }
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
