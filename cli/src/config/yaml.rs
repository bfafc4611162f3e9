//! A configuration as YAML with a word about each key.

use mora_runtime::{ConfigKey, KeyKind};
use serde_json::Value;

use super::process::{Configuration, at};

/// Columns of a comment, indentation included.
const WIDTH: usize = 100;

/// What is said of a key.
#[derive(Default)]
pub(super) struct Said {
    /// Comment lines before it; they are wrapped.
    pub(super) before: Vec<String>,
    /// A comment after its value.
    pub(super) after: Option<String>,
}

/// `value` as YAML in the order of `configuration`'s keys, with what `said` says of each key; values within lists and below
/// the names of a map stand on the line of their key.
pub(super) fn yaml(
    configuration: &Configuration,
    value: &Value,
    said: impl Fn(&ConfigKey, &Value) -> Said,
) -> String {
    let mut text = String::new();
    for key in &configuration.keys {
        let Some(value) = at(value, &key.path) else { continue };
        let indent = "  ".repeat(key.path.matches('.').count());
        let name = key.path.rsplit('.').next().unwrap_or(&key.path);
        let Said { before, after } = said(key, value);
        for comment in before {
            text += &commented(&comment, &indent);
        }
        let expanded = key.kind == KeyKind::Section && value.is_object();
        let value = if expanded { String::new() } else { format!(" {value}") };
        let after = after.map(|after| format!("  # {after}")).unwrap_or_default();
        text += &format!("{indent}{name}:{value}{after}\n");
    }
    text
}

/// `comment` as lines no longer than [`WIDTH`]; what is indented stays so.
fn commented(comment: &str, indent: &str) -> String {
    let hanging = comment.len() - comment.trim_start().len();
    let begin = format!("{indent}# {}", " ".repeat(hanging));
    let mut lines = vec![begin.clone()];
    for word in comment.split_whitespace() {
        let line = lines.last_mut().expect("there is one from the start");
        if *line == begin {
            line.push_str(word);
        } else if line.len() + 1 + word.len() <= WIDTH {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(format!("{begin}{}{word}", if hanging > 0 { "  " } else { "" }));
        }
    }
    lines.iter().map(|line| format!("{}\n", line.trim_end())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_comment_is_wrapped_within_its_indentation() {
        let text = commented(&"word ".repeat(40), "  ");
        assert!(text.lines().count() > 1);
        assert!(text.lines().all(|line| line.starts_with("  # word") && line.len() <= WIDTH));
        let text = commented(&format!("  key: {}", "word ".repeat(40)), "");
        let starts: Vec<&str> = text.lines().map(|line| &line[..6]).collect();
        assert_eq!(starts, ["#   ke", "#     ", "#     "]);
    }
}
