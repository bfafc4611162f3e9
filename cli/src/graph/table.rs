//! The call graph as two tables.

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};

use super::view::{Call, Node, View, figure};

/// The workloads, then the calls.
pub(super) fn table(view: &View) -> String {
    let mut workloads = with_header(&["workload", "requests", "from outside"]);
    for node in &view.workloads {
        workloads.add_row(workload_row(node));
    }
    align_right(&mut workloads, 1..3);
    let mut calls = with_header(&[
        "caller",
        "callee",
        "calls per request",
        "q10 to q90",
        "windows",
        "known by",
    ]);
    for call in &view.calls {
        calls.add_row(call_row(view, call));
    }
    align_right(&mut calls, 2..5);
    format!("{workloads}\n{calls}\n")
}

fn with_header(names: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(names.iter().copied());
    table
}

fn align_right(table: &mut Table, columns: std::ops::Range<usize>) {
    for index in columns {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
}

fn workload_row(node: &Node) -> [String; 3] {
    let outside =
        if node.entry { format!("{:.0} %", 100.0 * node.external_share) } else { String::new() };
    [node.label.clone(), node.rate_text().unwrap_or_default(), outside]
}

fn call_row(view: &View, call: &Call) -> [String; 6] {
    let label = |index: usize| view.workloads[index].label.clone();
    let measured = call.windows > 0;
    let range = call.q10.zip(call.q90).filter(|_| measured);
    let drift = call.drift.map(|drift| format!(", was {}", figure(drift.before)));
    [
        label(call.between.0),
        label(call.between.1),
        call.ratio_text(),
        range
            .map_or_else(String::new, |(low, high)| format!("{} to {}", figure(low), figure(high))),
        if measured { call.windows.to_string() } else { String::new() },
        format!("{}{}", call.trust, drift.unwrap_or_default()),
    ]
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::shop;
    use super::*;

    #[test]
    fn every_workload_and_call_has_a_row() {
        let expected = "\
┌───────────────────┬──────────┬──────────────┐
│ workload          ┆ requests ┆ from outside │
╞═══════════════════╪══════════╪══════════════╡
│ ad                ┆          ┆              │
│ cart              ┆          ┆              │
│ frontend          ┆   8.00/s ┆        100 % │
│ StatefulSet/redis ┆          ┆              │
└───────────────────┴──────────┴──────────────┘
┌───────────────────┬───────────────────┬───────────────────┬────────────────┬─────────┬─────────────────────┐
│ caller            ┆ callee            ┆ calls per request ┆ q10 to q90     ┆ windows ┆ known by            │
╞═══════════════════╪═══════════════════╪═══════════════════╪════════════════╪═════════╪═════════════════════╡
│ cart              ┆ StatefulSet/redis ┆              2.00 ┆                ┆         ┆ stated              │
│ frontend          ┆ ad                ┆                 ? ┆                ┆         ┆ declared            │
│ frontend          ┆ cart              ┆             0.840 ┆ 0.800 to 0.900 ┆     288 ┆ measured, was 0.500 │
│ StatefulSet/redis ┆ cart              ┆            0.0100 ┆                ┆         ┆ stated              │
└───────────────────┴───────────────────┴───────────────────┴────────────────┴─────────┴─────────────────────┘
";
        assert_eq!(table(&shop()), expected);
    }
}
