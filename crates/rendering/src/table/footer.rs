//! What stands below the table: sums, what the words mean, and what is not shown.

use mora_scan::ScanReport;

use super::Extent;
use super::colours::Style;
use crate::RenderOptions;
use crate::text::{
    self, cores, counted, memory, money, numbered_notes, percent, percent_between, severities,
    single_line,
};

/// The lines below the table.
pub(super) fn footer(
    report: &ScanReport,
    extent: Extent,
    hidden: &[&str],
    options: &RenderOptions,
) -> String {
    let width = options.width.map(usize::from).filter(|_| extent == Extent::Fitting);
    let mut text = format!("\n{}\n", counts(report, options.colours));
    for [name, now, next, change] in aligned(&sums(report)) {
        let name = Style::Bold.paint(&name, options.colours);
        let line = format!("  {name}  {now} → {next}  {change}");
        text += &(line.trim_end().to_owned() + "\n");
    }
    text += "\n";
    let mut lines = vec![text::provenance(report)];
    if report.rows.iter().any(|row| row.severity == mora_scan::Severity::Unknown) {
        lines.push("?  nothing can be said yet, and what is set stays".to_owned());
    }
    if extent == Extent::Whole {
        let (notes, _) = numbered_notes(&report.rows);
        lines.extend(notes.iter().enumerate().map(|(i, note)| format!("[{}] {note}", i + 1)));
        lines.extend(report.warnings.iter().map(|w| format!("warning: {}", single_line(w))));
    } else {
        lines.extend(left_out(report, hidden, options));
    }
    let wrapped = lines.iter().flat_map(|line| wrapped(line, width));
    text + &wrapped.map(|line| line + "\n").collect::<String>()
}

fn counts(report: &ScanReport, colours: bool) -> String {
    let summary = &report.summary;
    let by_severity: Vec<String> = severities(report)
        .into_iter()
        .map(|(severity, count)| {
            Style::Severity(severity).paint(&format!("{count} {severity}"), colours)
        })
        .collect();
    let of = counted(summary.workloads, "workload", "workloads");
    let containers = counted(summary.containers, "container", "containers");
    if by_severity.is_empty() {
        return format!("{containers} of {of}");
    }
    format!("{containers} of {of}: {}", by_severity.join(", "))
}

/// Name, now, recommended and change of each sum over all replicas.
fn sums(report: &ScanReport) -> Vec<[String; 4]> {
    let summary = &report.summary;
    let (now, next) = (&summary.current, &summary.recommended);
    let change = |from, to| percent(percent_between(from, to));
    let cost = format!("{} {} a month", money(next.cost), single_line(&summary.currency));
    vec![
        [
            "CPU requests".to_owned(),
            cores(now.cpu),
            cores(next.cpu),
            change(now.cpu.cores(), next.cpu.cores()),
        ],
        [
            "memory requests".to_owned(),
            memory(now.memory),
            memory(next.memory),
            change(now.memory.get() as f64, next.memory.get() as f64),
        ],
        ["cost".to_owned(), money(now.cost), cost, change(now.cost, next.cost)],
    ]
}

/// The rows with their columns filled: the second from the left, the others from the right.
fn aligned(rows: &[[String; 4]]) -> Vec<[String; 4]> {
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let [name, now, next, change] = [0, 1, 2, 3].map(|column| width(column).unwrap_or(0));
    rows.iter()
        .map(|row| {
            [
                format!("{:<name$}", row[0]),
                format!("{:>now$}", row[1]),
                format!("{:<next$}", row[2]),
                format!("{:>change$}", row[3]),
            ]
        })
        .collect()
}

/// What `-o wide` would show beside this.
fn left_out(report: &ScanReport, hidden: &[&str], options: &RenderOptions) -> Vec<String> {
    let noted = report.rows.iter().filter(|row| !row.notes.is_empty()).count();
    let mut lines = Vec::new();
    if noted > 0 {
        let has = if noted == 1 { "has" } else { "have" };
        let containers = counted(noted, "container", "containers");
        lines.push(format!("{containers} {has} notes: -o wide shows them."));
    }
    if let (Some(width), false) = (options.width, hidden.is_empty()) {
        let names = hidden.join(", ");
        lines.push(format!("Not shown at {width} columns: {names}; -o wide shows everything."));
    }
    lines
}

/// The text in lines of at most `width` characters, broken between words.
fn wrapped(text: &str, width: Option<usize>) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let last = lines.last_mut().filter(|line| {
            let longer = line.chars().count() + 1 + word.chars().count();
            line.is_empty() || width.is_none_or(|width| longer <= width)
        });
        match last {
            Some(line) if line.is_empty() => word.clone_into(line),
            Some(line) => *line += &format!(" {word}"),
            None => lines.push(format!("  {word}")),
        }
    }
    lines
}
