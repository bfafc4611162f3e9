//! Label selectors, as `kubectl --selector` takes them.

use std::collections::{BTreeMap, BTreeSet};

use kube::core::{Expression, Selector, SelectorExt};

use crate::ClusterError;

/// What labels have to be.
#[derive(Debug, Default)]
pub(super) struct LabelSelector(Selector);

impl LabelSelector {
    /// Reads requirements with commas between them: `key`, `!key`, `key=value`, `key==value`, `key!=value`,
    /// `key in (a, b)` and `key notin (a, b)`.
    ///
    /// Fails when one is none of these.
    pub(super) fn parse(text: &str) -> Result<Self, ClusterError> {
        let requirements = split(text).map(|part| {
            requirement(part.trim()).ok_or_else(|| ClusterError::Selector {
                selector: text.to_owned(),
                part: part.trim().to_owned(),
            })
        });
        requirements.collect::<Result<Selector, _>>().map(Self)
    }

    /// Whether `labels` are so.
    pub(super) fn selects(&self, labels: &BTreeMap<String, String>) -> bool {
        self.0.matches(labels)
    }
}

/// The parts between commas that stand outside parentheses; none of a text of blanks.
fn split(text: &str) -> impl Iterator<Item = &str> {
    let mut depth = 0_i32;
    let parts = text.split(move |c| {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        c == ',' && depth <= 0
    });
    parts.filter(|_| !text.trim().is_empty())
}

fn requirement(part: &str) -> Option<Expression> {
    if let Some(key) = part.strip_prefix('!') {
        return label(key).map(Expression::DoesNotExist);
    }
    if let Some((key, value)) = part.split_once("!=") {
        return Some(Expression::NotEqual(label(key)?, value_of(value)?));
    }
    if let Some((key, value)) = part.split_once("==").or_else(|| part.split_once('=')) {
        return Some(Expression::Equal(label(key)?, value_of(value)?));
    }
    let Some(list) = part.strip_suffix(')') else { return label(part).map(Expression::Exists) };
    let (before, list) = list.split_once('(')?;
    let values: BTreeSet<String> = list.split(',').map(value_of).collect::<Option<_>>()?;
    let (key, operator) = before.trim().rsplit_once(char::is_whitespace)?;
    match operator {
        "in" => Some(Expression::In(label(key)?, values)),
        "notin" => Some(Expression::NotIn(label(key)?, values)),
        _ => None,
    }
}

/// The key of a label.
fn label(text: &str) -> Option<String> {
    let text = text.trim();
    let is_key = |c: char| c.is_ascii_alphanumeric() || "-_./".contains(c);
    (!text.is_empty() && text.chars().all(is_key)).then(|| text.to_owned())
}

/// The value of a label, which may be empty.
fn value_of(text: &str) -> Option<String> {
    let text = text.trim();
    let is_value = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    text.chars().all(is_value).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selects(selector: &str) -> bool {
        let labels = [("app", "cart"), ("tier", "web"), ("empty", "")];
        let labels = labels.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        LabelSelector::parse(selector).unwrap().selects(&labels)
    }

    #[test]
    fn every_form_of_requirement_is_understood_and_all_must_hold() {
        for met in [
            "",
            "app",
            "!gone",
            "app=cart",
            " app == cart ,tier!=db",
            "app in (cart, ad),tier",
            "tier notin (db,cache)",
            "gone notin (a)",
            "gone!=a",
            "empty=",
        ] {
            assert!(selects(met), "{met}");
        }
        for unmet in ["gone", "!app", "app=ad", "app in (ad)", "app=cart,tier=db", "gone in (a)"] {
            assert!(!selects(unmet), "{unmet}");
        }
    }

    #[test]
    fn what_is_no_requirement_is_named() {
        for (selector, part) in [
            ("app=cart,=x", "`=x`"),
            ("app within (a)", "`app within (a)`"),
            ("a b", "`a b`"),
            ("a,", "``"),
        ] {
            let error = LabelSelector::parse(selector).unwrap_err().to_string();
            assert!(error.contains(part), "{error}");
        }
    }
}
