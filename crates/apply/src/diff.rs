//! Differences as text, the way `diff -u` shows them.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use similar::TextDiff;

use crate::Pair;

/// The unified difference between two texts, with a headline for each; empty where they are the same.
pub(crate) fn unified(headlines: (&str, &str), before: &str, after: &str) -> String {
    if before == after {
        return String::new();
    }
    let diff = TextDiff::from_lines(before, after);
    diff.unified_diff().context_radius(3).header(headlines.0, headlines.1).to_string()
}

/// The difference that a change of `containers` makes to their `resources`.
pub(crate) fn of_containers(
    headlines: (&str, &str),
    containers: &BTreeMap<String, Pair>,
) -> String {
    let side = |of: fn(&Pair) -> Option<&Value>| {
        let listed: Vec<Value> = containers
            .iter()
            .map(|(name, pair)| json!({"name": name, "resources": of(pair).unwrap_or(&json!({}))}))
            .collect();
        yaml(&json!({ "containers": listed }))
    };
    let before = side(|pair| pair.before.as_ref());
    let after = side(|pair| Some(&pair.after));
    unified(headlines, &before, &after)
}

/// `value` as YAML.
pub(crate) fn yaml(value: &Value) -> String {
    // A value of JSON is always one of YAML; its JSON is too.
    serde_saphyr::to_string(value).unwrap_or_else(|_| format!("{value:#}\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_resources_reads_like_a_change_of_a_manifest() {
        let before =
            json!({"limits": {"cpu": "200m"}, "requests": {"cpu": "100m", "memory": "64Mi"}});
        let after =
            json!({"limits": {"cpu": "300m"}, "requests": {"cpu": "150m", "memory": "64Mi"}});
        let pair = Pair { before: Some(before), after };
        let text = of_containers(("now", "plan"), &[("server".to_owned(), pair)].into());
        for line in
            ["--- now", "+++ plan", "-      cpu: 200m", "+      cpu: 300m", "       memory: 64Mi"]
        {
            assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
        }
        assert_eq!(unified(("a", "b"), "same\n", "same\n"), "");
    }
}
