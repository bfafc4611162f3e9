//! The call graph for Graphviz.

use mora_core::Trust;

use super::view::{Call, Node, View};

/// A digraph in the DOT language, drawn from left to right.
pub(super) fn dot(view: &View) -> String {
    let nodes: String = view.workloads.iter().map(node).collect();
    let calls: String = view.calls.iter().map(|c| call(view, c)).collect();
    format!("digraph calls {{\n  rankdir=LR;\n  node [shape=box];\n{nodes}{calls}}}\n")
}

fn node(node: &Node) -> String {
    let rate = node.rate_text().map_or_else(String::new, |rate| format!("\\n{rate}"));
    let entry = if node.entry { ", peripheries=2" } else { "" };
    let (id, label) = (quoted(&node.workload.to_string()), escaped(&node.label));
    format!("  {id} [label=\"{label}{rate}\"{entry}];\n")
}

fn call(view: &View, call: &Call) -> String {
    let id = |index: usize| quoted(&view.workloads[index].workload.to_string());
    let style = match call.trust {
        Trust::Measured | Trust::Stated => "solid",
        Trust::Regressed => "dashed",
        Trust::Declared => "dotted",
    };
    let (label, story) = (quoted(&call.ratio_text()), quoted(&call.story()));
    let (caller, callee) = (id(call.between.0), id(call.between.1));
    format!("  {caller} -> {callee} [label={label}, tooltip={story}, style={style}];\n")
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"")
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::shop;
    use super::*;

    #[test]
    fn names_ratios_and_stories_are_written_in_the_dot_language() {
        let expected = r#"digraph calls {
  rankdir=LR;
  node [shape=box];
  "shop/Deployment/ad" [label="ad"];
  "shop/Deployment/cart" [label="cart"];
  "shop/Deployment/frontend" [label="frontend\n8.00/s", peripheries=2];
  "shop/StatefulSet/redis" [label="StatefulSet/redis"];
  "shop/Deployment/cart" -> "shop/StatefulSet/redis" [label="2.00", tooltip="stated", style=solid];
  "shop/Deployment/frontend" -> "shop/Deployment/ad" [label="?", tooltip="declared", style=dotted];
  "shop/Deployment/frontend" -> "shop/Deployment/cart" [label="0.840", tooltip="measured, 0.800 to 0.900 over 288 windows, 0.500 until 1970-01-01T00:00:00Z", style=solid];
  "shop/StatefulSet/redis" -> "shop/Deployment/cart" [label="0.0100", tooltip="stated", style=solid];
}
"#;
        assert_eq!(dot(&shop()), expected);
    }

    #[test]
    fn a_quote_does_not_end_a_text() {
        assert_eq!(quoted(r#"a"b\c"#), r#""a\"b\\c""#);
    }
}
