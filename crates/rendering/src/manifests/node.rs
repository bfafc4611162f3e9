//! A tree that is written as YAML, or as JSON on one line.

use std::fmt::Write;

/// A value of a manifest; maps keep their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// Nothing: in a patch, that a field is to go.
    Null,
    /// A text.
    Text(String),
    /// Fields in their order.
    Map(Vec<(String, Node)>),
    /// Values in their order.
    List(Vec<Node>),
}

impl Node {
    /// A text.
    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }

    /// A map of these fields.
    pub(super) fn map<const N: usize>(fields: [(&str, Self); N]) -> Self {
        Self::Map(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// The value below a path of keys.
    pub(super) fn below(self, path: &[&str]) -> Self {
        path.iter().rev().fold(self, |value, key| Self::map([(key, value)]))
    }

    /// JSON on one line.
    pub(super) fn json(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Text(text) => quoted(text),
            Self::Map(fields) => {
                let field =
                    |(key, value): &(String, Self)| format!("{}:{}", quoted(key), value.json());
                format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(","))
            }
            Self::List(values) => {
                format!("[{}]", values.iter().map(Self::json).collect::<Vec<_>>().join(","))
            }
        }
    }

    /// A YAML document without its marker, every line after `indent` spaces.
    pub(super) fn yaml(&self, indent: usize) -> String {
        let mut text = String::new();
        self.write(&mut text, indent);
        text
    }

    fn write(&self, text: &mut String, indent: usize) {
        let margin = " ".repeat(indent);
        match self {
            Self::Null | Self::Text(_) => *text += &format!("{margin}{}\n", self.scalar()),
            Self::Map(fields) => {
                for (key, value) in fields {
                    *text += &format!("{margin}{}:", plain_or_quoted(key));
                    value.write_after(text, indent);
                }
            }
            Self::List(values) => {
                for value in values {
                    let item = value.yaml(indent + 2);
                    // An item starts beside its dash.
                    *text += &format!("{margin}- {}", item.trim_start());
                }
            }
        }
    }

    /// Writes the value of a key.
    fn write_after(&self, text: &mut String, indent: usize) {
        match self {
            Self::Map(fields) if fields.is_empty() => *text += " {}\n",
            Self::List(values) if values.is_empty() => *text += " []\n",
            Self::Map(_) | Self::List(_) => {
                *text += "\n";
                self.write(text, indent + 2);
            }
            Self::Text(lines) if lines.contains('\n') && is_block(lines) => {
                *text += " |-\n";
                let margin = " ".repeat(indent + 2);
                lines.lines().for_each(|line| *text += &format!("{margin}{line}\n"));
            }
            scalar => *text += &format!(" {}\n", scalar.scalar()),
        }
    }

    fn scalar(&self) -> String {
        match self {
            Self::Text(text) => plain_or_quoted(text),
            other => other.json(),
        }
    }
}

/// Whether the text can stand in a block: no line of it is read as something else.
fn is_block(text: &str) -> bool {
    let printable = |c: char| c == '\n' || !c.is_control();
    !text.starts_with([' ', '\n']) && !text.ends_with('\n') && text.chars().all(printable)
}

/// The text as it is where every reader of YAML takes it for a text, else quoted as in JSON.
fn plain_or_quoted(text: &str) -> String {
    let words = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];
    let is_word = words.iter().any(|word| text.eq_ignore_ascii_case(word));
    let starts_as_text = text.starts_with(|c: char| c.is_ascii_alphabetic());
    let has_only = text.chars().all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c));
    // What starts with a digit but holds a letter of a quantity (138m, 2Gi) is no number to any reader; 1e3 would be one.
    let is_quantity = text.starts_with(|c: char| c.is_ascii_digit())
        && text.ends_with(['m', 'i'])
        && text
            .trim_end_matches(['m', 'i', 'K', 'M', 'G', 'T', 'P', 'E'])
            .bytes()
            .all(|b| b.is_ascii_digit());
    let is_plain = (starts_as_text && !is_word || is_quantity) && has_only;
    if is_plain { text.to_owned() } else { quoted(text) }
}

/// The text in double quotes as JSON has it, which YAML reads alike.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => quoted += "\\\"",
            '\\' => quoted += "\\\\",
            '\n' => quoted += "\\n",
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}') => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            other => quoted.push(other),
        }
    }
    quoted + "\""
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hostile() -> Node {
        let texts = [
            "Off",
            "null",
            "1",
            "1e3",
            "0x1",
            "138m",
            "2Gi",
            "1.5",
            "a: b",
            "- a",
            "#",
            "a\n  b",
            "\u{1b}",
            "",
            "'",
            "\"",
            "\\",
            "=x",
            "<<",
            "2026-01-01",
            "12:30",
            "ä",
            "~",
            "a #b",
            "1_000",
            ".inf",
            "0m",
            "&a",
        ];
        let list = Node::List(texts.into_iter().map(Node::text).collect());
        let keys = texts.iter().map(|key| ((*key).to_owned(), Node::text(*key))).collect();
        let nested =
            Node::List(vec![list.clone(), Node::map([("x", Node::Null), ("y", list.clone())])]);
        Node::map([("list", list), ("keys", Node::Map(keys)), ("nested", nested)])
    }

    #[test]
    fn yaml_and_json_are_read_as_the_same_value() {
        let yaml: serde_json::Value = serde_saphyr::from_str(&hostile().yaml(0)).unwrap();
        let json: serde_json::Value = serde_json::from_str(&hostile().json()).unwrap();
        assert_eq!(yaml, json);
    }

    #[test]
    fn a_word_that_old_readers_take_for_a_truth_is_quoted() {
        let node = Node::map([("updateMode", Node::text("Off")), ("cpu", Node::text("138m"))]);
        assert_eq!(node.yaml(2), "  updateMode: \"Off\"\n  cpu: 138m\n");
    }
}
