//! The call graph for Mermaid.

use mora_core::Trust;

use super::view::{Call, Node, View};

/// A flowchart from left to right.
pub(super) fn mermaid(view: &View) -> String {
    let nodes: String = view.workloads.iter().enumerate().map(|(i, n)| node(i, n)).collect();
    let calls: String = view.calls.iter().map(call).collect();
    format!("flowchart LR\n{nodes}{calls}")
}

/// Identifiers are numbers: some names, such as `end`, mean something to Mermaid.
fn node(index: usize, node: &Node) -> String {
    let rate = node.rate_text().map_or_else(String::new, |rate| format!("<br/>{rate}"));
    let text = format!("\"{}{rate}\"", escaped(&node.label));
    if node.entry { format!("  n{index}([{text}])\n") } else { format!("  n{index}[{text}]\n") }
}

fn call(call: &Call) -> String {
    let arrow = match call.trust {
        Trust::Measured | Trust::Stated => "-->",
        Trust::Regressed | Trust::Declared => "-.->",
    };
    let (caller, callee) = call.between;
    format!("  n{caller} {arrow}|\"{}\"| n{callee}\n", escaped(&call.ratio_text()))
}

fn escaped(text: &str) -> String {
    text.replace('#', "#35;").replace('"', "#quot;").replace('<', "#lt;").replace('>', "#gt;")
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::shop;
    use super::*;

    #[test]
    fn workloads_are_numbered_and_calls_carry_their_ratio() {
        let expected = r#"flowchart LR
  n0["ad"]
  n1["cart"]
  n2(["frontend<br/>8.00/s"])
  n3["StatefulSet/redis"]
  n1 -->|"2.00"| n3
  n2 -.->|"?"| n0
  n2 -->|"0.840"| n1
  n3 -->|"0.0100"| n1
"#;
        assert_eq!(mermaid(&shop()), expected);
    }

    #[test]
    fn what_means_something_to_mermaid_is_written_as_entities() {
        assert_eq!(escaped("a\"<b>#"), "a#quot;#lt;b#gt;#35;");
    }
}
