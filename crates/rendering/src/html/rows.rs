//! The table of the page.

use mora_core::{Bytes, Millicores};
use mora_scan::{Change, Row, ScanReport, Severity};

use super::escape;
use crate::text::{self, Amount, container, money, percent};

/// Whether a column sorts as numbers or as text.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Number,
}

/// A heading of a column that can be sorted.
struct Head {
    name: &'static str,
    /// What a reader who does not see the heading above hears.
    full: &'static str,
    kind: Kind,
}

const fn head(name: &'static str, full: &'static str, kind: Kind) -> Head {
    Head { name, full, kind }
}

/// Columns with one heading, before the grouped ones and after them.
const FIRST: [Head; 4] = [
    head("Severity", "severity", Kind::Number),
    head("Workload", "workload", Kind::Text),
    head("Container", "container", Kind::Text),
    head("Pods", "pods", Kind::Number),
];
const GROUPED: [Head; 8] = [
    head("now", "CPU request now", Kind::Number),
    head("recommended", "recommended CPU request", Kind::Number),
    head("change", "change of the CPU request", Kind::Number),
    head("now", "memory request now", Kind::Number),
    head("recommended", "recommended memory request", Kind::Number),
    head("change", "change of the memory request", Kind::Number),
    head("now", "cost a month now", Kind::Number),
    head("recommended", "recommended cost a month", Kind::Number),
];
const LAST: [Head; 1] = [head("Confidence", "confidence", Kind::Number)];
const EDGES: [usize; 3] = [0, 3, 6];

/// The table with a row for each container.
pub(super) fn table(report: &ScanReport) -> String {
    let currency = escape(&report.summary.currency);
    let mut first = String::new();
    for (column, head) in FIRST.iter().enumerate() {
        first += &heading(column, head, " rowspan=\"2\"");
    }
    for (name, span) in
        [("CPU request", 3), ("Memory request", 3), (&format!("Cost a month, {currency}"), 2)]
    {
        first += &format!("<th scope=\"colgroup\" colspan=\"{span}\" class=\"edge\">{name}</th>");
    }
    let after = FIRST.len() + GROUPED.len();
    first += &heading(after, &LAST[0], " rowspan=\"2\"");
    let second: String = GROUPED
        .iter()
        .enumerate()
        .map(|(index, head)| heading(FIRST.len() + index, head, ""))
        .collect();
    let rows: String =
        report.rows.iter().enumerate().map(|(index, row)| line(index, row)).collect();
    format!(
        "<div class=\"frame\" tabindex=\"0\" role=\"region\" aria-label=\"Containers\"><table>\n<thead><tr>{first}</tr>\n\
         <tr>{second}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n"
    )
}

fn heading(column: usize, head: &Head, span: &str) -> String {
    let kind = if head.kind == Kind::Number { "number" } else { "text" };
    format!(
        "<th scope=\"col\"{span} data-column=\"{column}\" data-kind=\"{kind}\" aria-sort=\"none\"{}>\
         <button type=\"button\" title=\"Sort by {}\">{}</button></th>",
        class(column),
        head.full,
        head.name
    )
}

/// The class of a column's cells: numbers stand right, groups have an edge.
fn class(column: usize) -> String {
    let group = column.checked_sub(FIRST.len());
    let is_grouped = group.is_some_and(|index| index < GROUPED.len());
    let has_edge = group.is_some_and(|index| EDGES.contains(&index) || index == GROUPED.len());
    let classes = [(is_grouped || column == 3).then_some("n"), has_edge.then_some("edge")];
    let classes: Vec<&str> = classes.into_iter().flatten().collect();
    if classes.is_empty() { String::new() } else { format!(" class=\"{}\"", classes.join(" ")) }
}

fn line(index: usize, row: &Row) -> String {
    let cluster = row.cluster.as_deref().map(|name| format!("{name} · ")).unwrap_or_default();
    let place = format!("{cluster}{} · {}", row.namespace, row.kind);
    let words = format!("{place} {} {}", row.name, container(row)).to_lowercase();
    let severity = row.severity;
    let key = format!("{} {}", row.name, place);
    let mut cells = format!(
        "<td data-v=\"{}\"><span class=\"pill {severity}\">{severity}</span></td>",
        rank(severity)
    );
    cells += &format!(
        "<th scope=\"row\" data-v=\"{}\"><button type=\"button\" class=\"open\" aria-expanded=\"false\">\
         <span class=\"name\">{}</span><small>{}</small></button></th>",
        escape(&key),
        escape(&row.name),
        escape(&place)
    );
    cells += &cell(2, &row.container, &container(row), "");
    cells += &cell(3, &row.replicas.to_string(), &row.replicas.to_string(), "");
    cells += &change(4, row.cpu.request, Millicores::get);
    cells += &change(7, row.memory.request, Bytes::get);
    for (column, amount) in [(10, row.cost.current), (11, row.cost.recommended)] {
        let text = amount.map_or_else(|| text::UNKNOWN.to_owned(), money);
        cells += &cell(column, &sortable(amount), &text, "");
    }
    let level = row.confidence.level;
    cells += &cell(12, &(level as u8).to_string(), level.as_str(), "");
    format!(
        "<tr class=\"row\" data-key=\"{}\" data-row=\"{index}\" data-severity=\"{severity}\" data-text=\"{}\">{cells}</tr>\n",
        escape(&row.key()),
        escape(&words)
    )
}

fn rank(severity: Severity) -> usize {
    Severity::ALL.iter().position(|one| *one == severity).unwrap_or(0)
}

/// What is, what should be and the change, from `column` on.
fn change<Q: Amount>(column: usize, change: Change<Q>, unit: fn(Q) -> u64) -> String {
    let [now, next] = text::pair(change);
    let amount = |quantity: Option<Q>| sortable(quantity.map(|q| unit(q) as f64));
    let severity = change.severity.as_str();
    [
        cell(column, &amount(change.current), &now, ""),
        cell(column + 1, &amount(change.recommended.value()), &next, "becomes"),
        cell(
            column + 2,
            &sortable(change.change_percent),
            &percent(change.change_percent),
            severity,
        ),
    ]
    .concat()
}

/// A number as the script sorts it; empty where there is none.
fn sortable(number: Option<f64>) -> String {
    number.filter(|n| n.is_finite()).map(|n| n.to_string()).unwrap_or_default()
}

/// A cell that sorts by `value` and shows `text`, with a class of its own for the text.
fn cell(column: usize, value: &str, text: &str, of_text: &str) -> String {
    let text = escape(text);
    let text =
        if of_text.is_empty() { text } else { format!("<span class=\"{of_text}\">{text}</span>") };
    format!("<td{} data-v=\"{}\">{text}</td>", class(column), escape(value))
}
