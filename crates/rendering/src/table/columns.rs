//! The columns of the table, with what they say of each row.

use mora_core::ContainerRole;
use mora_scan::{Change, Row, ScanReport, Severity};

use super::Extent;
use super::colours::Style;
use super::layout::Wish;
use crate::text::{self, Amount, autoscaler, is_unchanged, money, numbered_notes, single_line};

/// What a column says of one row.
#[derive(Debug, Clone, Default)]
pub(super) struct Cell {
    /// Pieces of text with their styles, one after the other.
    pub(super) parts: Vec<(String, Style)>,
    /// Whether it ends, and does not start, where its column does.
    pub(super) to_the_right: bool,
}

impl Cell {
    fn new(text: impl Into<String>, style: Style) -> Self {
        Self { parts: vec![(text.into(), style)], to_the_right: false }
    }

    pub(super) fn head(text: &str) -> Self {
        Self::new(text, Style::Bold)
    }

    fn plain(text: impl Into<String>) -> Self {
        Self::new(text, Style::Plain)
    }

    fn number(text: impl Into<String>) -> Self {
        Self { to_the_right: true, ..Self::plain(text) }
    }

    pub(super) fn width(&self) -> usize {
        self.parts.iter().map(|(text, _)| text.chars().count()).sum()
    }
}

/// A column of the table.
pub(super) struct Column {
    /// Its heading.
    pub(super) head: &'static str,
    /// A cell for each row.
    pub(super) cells: Vec<Cell>,
    is_name: bool,
    hidden: Option<u8>,
}

impl Column {
    fn new(head: &'static str, rows: &[Row], cell: impl Fn(&Row) -> Cell) -> Self {
        Self { head, cells: rows.iter().map(cell).collect(), is_name: false, hidden: None }
    }

    fn name(head: &'static str, rows: &[Row], name: impl Fn(&Row) -> String) -> Self {
        let cell = |row: &Row| Cell::plain(single_line(&name(row)));
        Self { is_name: true, ..Self::new(head, rows, cell) }
    }

    /// Hidden for want of room, the lowest `order` first.
    fn hidden(self, order: u8) -> Self {
        Self { hidden: Some(order), ..self }
    }

    /// What decides its width.
    pub(super) fn wish(&self) -> Wish {
        let widest = self.cells.iter().map(Cell::width).max().unwrap_or(0);
        let width = widest.max(self.head.chars().count());
        Wish { width, is_name: self.is_name, hidden: self.hidden }
    }
}

/// The columns from left to right. For want of room strategy, cost, confidence, limits, kind, replicas, roles and changes go, in this order.
pub(super) fn columns(report: &ScanReport, extent: Extent) -> Vec<Column> {
    let rows = &report.rows;
    let mut columns = vec![Column::new("SEVERITY", rows, |row| word(row.severity))];
    if rows.iter().any(|row| row.cluster.is_some()) {
        let cluster = |row: &Row| row.cluster.clone().unwrap_or_default();
        columns.push(Column::name("CLUSTER", rows, cluster));
    }
    columns.extend([
        Column::name("NAMESPACE", rows, |row| row.namespace.clone()),
        Column::name("WORKLOAD", rows, |row| row.name.clone()),
        Column::new("KIND", rows, |row| Cell::plain(single_line(row.kind.as_str()))).hidden(6),
        Column::name("CONTAINER", rows, |row| row.container.clone()),
        Column::new("PODS", rows, |row| Cell::number(row.replicas.to_string())).hidden(7),
    ]);
    if rows.iter().any(|row| row.role != ContainerRole::Main) {
        let at = columns.len() - 1;
        let role = Column::new("ROLE", rows, |row| Cell::plain(row.role.as_str()));
        columns.insert(at, role.hidden(8));
    }
    let [cpu, cpu_change] = changes("CPU REQUEST", rows, |row| row.cpu.request);
    let [memory, memory_change] = changes("MEMORY REQUEST", rows, |row| row.memory.request);
    columns.extend([cpu, cpu_change.hidden(9), memory, memory_change.hidden(9)]);
    let [cpu, cpu_change] = changes("CPU LIMIT", rows, |row| row.cpu.limit);
    let [memory, memory_change] = changes("MEMORY LIMIT", rows, |row| row.memory.limit);
    match extent {
        Extent::Fitting => columns.extend([cpu.hidden(4), memory.hidden(5)]),
        Extent::Whole => columns.extend([cpu, cpu_change, memory, memory_change]),
    }
    columns.extend(reasons(report, extent));
    columns
}

/// The columns that say what a row costs and what it stands on.
fn reasons(report: &ScanReport, extent: Extent) -> Vec<Column> {
    let rows = &report.rows;
    let cost = Column { cells: costs(rows), ..Column::new("COST/MONTH", &[], |_| Cell::default()) };
    let strategy = Column::new("STRATEGY", rows, |row| Cell::plain(single_line(&row.strategy)));
    if extent == Extent::Fitting {
        let level = |row: &Row| Cell::plain(row.confidence.level.as_str());
        let confidence = Column::new("CONFIDENCE", rows, level);
        return vec![confidence.hidden(3), cost.hidden(2), strategy.hidden(1)];
    }
    let scaled = Column::new("AUTOSCALER", rows, |row| Cell::plain(autoscaler(row)));
    let full = |row: &Row| Cell::plain(text::confidence(&row.confidence));
    let (_, numbers) = numbered_notes(rows);
    let notes = numbers.iter().map(|of_row| {
        let marks: Vec<String> = of_row.iter().map(|number| format!("[{number}]")).collect();
        Cell::plain(marks.join(" "))
    });
    let notes = Column { cells: notes.collect(), ..Column::new("NOTES", &[], |_| Cell::default()) };
    vec![scaled, Column::new("CONFIDENCE", rows, full), cost, strategy, notes]
}

fn word(severity: Severity) -> Cell {
    Cell::new(severity.as_str(), Style::Severity(severity))
}

/// What is and what should be with the arrows one below the other, and by how much it changes.
fn changes<Q: Amount>(
    head: &'static str,
    rows: &[Row],
    change: impl Fn(&Row) -> Change<Q>,
) -> [Column; 2] {
    let now_of = |row: &Row| text::pair(change(row))[0].clone();
    let longest = rows.iter().map(|row| now_of(row).chars().count()).max().unwrap_or(0);
    let amounts = |row: &Row| {
        let [now, next] = text::pair(change(row));
        let now = format!("{now:>longest$}");
        if is_unchanged(change(row)) {
            return Cell::new(now, Style::Faint);
        }
        let next = (next, Style::Severity(change(row).severity));
        let arrow = (" → ".to_owned(), Style::Faint);
        Cell { parts: vec![(now, Style::Plain), arrow, next], to_the_right: false }
    };
    let percents = |row: &Row| {
        let change = change(row);
        let text = text::percent(change.change_percent);
        Cell { to_the_right: true, ..Cell::new(text, Style::Severity(change.severity)) }
    };
    [Column::new(head, rows, amounts), Column::new("CHANGE", rows, percents)]
}

fn costs(rows: &[Row]) -> Vec<Cell> {
    let text = |amount: Option<f64>| amount.map_or_else(|| text::UNKNOWN.to_owned(), money);
    let longest = rows.iter().map(|row| text(row.cost.current).len()).max().unwrap_or(0);
    let cell = |row: &Row| {
        let now = format!("{:>longest$}", text(row.cost.current));
        let next = text(row.cost.recommended);
        if now.trim_start() == next {
            return Cell::new(now, Style::Faint);
        }
        let arrow = (" → ".to_owned(), Style::Faint);
        Cell { parts: vec![(now, Style::Plain), arrow, (next, Style::Plain)], to_the_right: false }
    };
    rows.iter().map(cell).collect()
}
