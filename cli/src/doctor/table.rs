//! What was found, for a terminal.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use mora_collector::{Diagnosis, Finding, State};

/// What was found: a row for each check, then what to do about those that are not good.
pub(super) fn table(diagnosis: &Diagnosis) -> String {
    let mut table = Table::new();
    table
        .load_style(UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(["check", "namespace", "state", "found"]);
    for finding in &diagnosis.findings {
        let namespace = finding.namespace.as_deref().unwrap_or("");
        table.add_row([finding.check, namespace, finding.state.as_str(), &finding.detail]);
    }
    let fixes: Vec<String> = diagnosis.findings.iter().filter_map(fix).collect();
    let fixes = if fixes.is_empty() { String::new() } else { format!("{}\n", fixes.join("\n")) };
    format!("{}\n{table}\n{fixes}{}\n", diagnosis.prometheus, conclusion(diagnosis.worst()))
}

fn fix(finding: &Finding) -> Option<String> {
    let of = finding.namespace.iter().map(|name| format!(" of {name}")).collect::<String>();
    Some(format!("{}{of}: {}", finding.check, finding.fix.as_ref()?))
}

const fn conclusion(worst: State) -> &'static str {
    match worst {
        State::Good => "everything is there",
        State::Lacking => "recommendations can be made; with what is lacking they would be better",
        State::Broken => "nothing can be recommended before what is broken is mended",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(state: State, fix: Option<&str>) -> Finding {
        Finding {
            check: "restarts",
            namespace: Some("shop".to_owned()),
            state,
            detail: "found".to_owned(),
            fix: fix.map(str::to_owned),
        }
    }

    #[test]
    fn every_finding_is_a_row_and_every_fix_a_line() {
        let findings =
            vec![finding(State::Good, None), finding(State::Lacking, Some("install it"))];
        let text = table(&Diagnosis { prometheus: "http://p".to_owned(), findings });
        assert_eq!(text.matches("│ restarts").count(), 2, "{text}");
        assert!(text.starts_with("http://p\n"), "{text}");
        assert!(text.contains("\nrestarts of shop: install it\nrecommendations can"), "{text}");
    }
}
