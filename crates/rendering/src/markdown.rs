//! The report for a pull request, an issue or a wiki.

use mora_scan::{Change, Row, ScanReport};

use crate::RenderOptions;
use crate::text::{
    self, Amount, container, cores, counted, is_unchanged, memory, money, numbered_notes, pair,
    percent, percent_between, severities,
};

/// The report as Markdown with GitHub's tables: the summary, what to know, the containers.
pub(crate) fn markdown(report: &ScanReport, options: &RenderOptions) -> String {
    let mut page = format!("## Resource recommendations\n\n{}\n\n", sentence(report));
    page += &sums(report);
    page += &format!("\n{}", escaped(&text::provenance(report)));
    if let Some(command) = &options.command {
        page += &format!(" Made by {}.", code(command));
    }
    page += "\n";
    for warning in &report.warnings {
        page += &format!("\n> **Warning:** {}\n", escaped(warning));
    }
    page += &format!("\n### Containers\n\n{}", containers(report));
    if report.rows.iter().any(|row| row.severity == mora_scan::Severity::Unknown) {
        page += "\n`?`: nothing can be said yet, and what is set stays.\n";
    }
    let (notes, _) = numbered_notes(&report.rows);
    for (index, note) in notes.iter().enumerate() {
        page +=
            &format!("{}{}. {}\n", if index == 0 { "\n" } else { "" }, index + 1, escaped(note));
    }
    page
}

fn sentence(report: &ScanReport) -> String {
    let summary = &report.summary;
    let found: Vec<String> =
        severities(report).iter().map(|(severity, count)| format!("{count} {severity}")).collect();
    format!(
        "{} of {}: {}.",
        counted(summary.containers, "container", "containers"),
        counted(summary.workloads, "workload", "workloads"),
        if found.is_empty() { "nothing found".to_owned() } else { found.join(", ") }
    )
}

fn sums(report: &ScanReport) -> String {
    let (now, next) = (&report.summary.current, &report.summary.recommended);
    let line = |name: &str, [from, to]: [String; 2], change: Option<f64>| {
        format!("| {name} | {from} | {to} | {} |\n", percent(change))
    };
    let cost = |amount| escaped(&format!("{} {}", money(amount), report.summary.currency));
    let bytes = |memory: mora_core::Bytes| memory.get() as f64;
    [
        "| all replicas | now | recommended | change |\n| --- | ---: | ---: | ---: |\n".to_owned(),
        line(
            "CPU requests",
            [cores(now.cpu), cores(next.cpu)],
            percent_between(now.cpu.cores(), next.cpu.cores()),
        ),
        line(
            "memory requests",
            [memory(now.memory), memory(next.memory)],
            percent_between(bytes(now.memory), bytes(next.memory)),
        ),
        line(
            "cost a month",
            [cost(now.cost), cost(next.cost)],
            percent_between(now.cost, next.cost),
        ),
    ]
    .concat()
}

fn containers(report: &ScanReport) -> String {
    let (_, numbers) = numbered_notes(&report.rows);
    let mut table = "| severity | workload | container | pods | CPU request | memory request | CPU limit | memory limit \
        | confidence | notes |\n| --- | --- | --- | ---: | --- | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for (row, numbers) in report.rows.iter().zip(numbers) {
        let numbers: Vec<String> = numbers.iter().map(usize::to_string).collect();
        let cells = [
            severity(row),
            workload(row),
            escaped(&container(row)),
            row.replicas.to_string(),
            change(row.cpu.request),
            change(row.memory.request),
            change(row.cpu.limit),
            change(row.memory.limit),
            row.confidence.level.as_str().to_owned(),
            numbers.join(", "),
        ];
        table += &format!("| {} |\n", cells.join(" | "));
    }
    table
}

fn severity(row: &Row) -> String {
    let word = row.severity.as_str();
    if row.severity >= mora_scan::Severity::Warning {
        format!("**{word}**")
    } else {
        word.to_owned()
    }
}

fn workload(row: &Row) -> String {
    let cluster = row.cluster.as_ref().map(|cluster| format!("{cluster}/")).unwrap_or_default();
    escaped(&format!("{cluster}{}", row.owner()))
}

fn change<Q: Amount>(change: Change<Q>) -> String {
    let [now, next] = pair(change);
    if is_unchanged(change) {
        return now;
    }
    match percent(change.change_percent) {
        percent if percent.is_empty() => format!("{now} → {next}"),
        percent => format!("{now} → {next} ({percent})"),
    }
}

/// The text with what Markdown or HTML gives a meaning made plain, on one line.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text::single_line(text).chars() {
        match c {
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '&' => escaped += "&amp;",
            // An at sign would call a person, a number sign name an issue.
            '@' => escaped += "&#64;",
            '#' => escaped += "&#35;",
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' => escaped.extend(['\\', c]),
            other => escaped.push(other),
        }
    }
    escaped
}

/// The text as code, fenced by more backticks than it has.
fn code(text: &str) -> String {
    let text = text::single_line(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    let pad = if longest > 0 { " " } else { "" };
    format!("{fence}{pad}{text}{pad}{fence}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn no_text_from_a_cluster_changes_the_table_or_the_page() {
        let page = markdown(&sample::every_case(), &RenderOptions::default());
        assert!(!page.contains("<script"), "{page}");
        let rows = page.lines().filter(|line| line.starts_with("| ") && line.contains("→"));
        for row in rows {
            let bars = row.replace("\\|", "").matches('|').count();
            assert!(bars == 11 || bars == 5, "{row}");
        }
    }

    #[test]
    fn code_is_fenced_by_more_backticks_than_it_has() {
        assert_eq!(code("mora recommend"), "`mora recommend`");
        assert_eq!(code("a ``b`` c"), "``` a ``b`` c ```");
    }
}
