//! Tables in Markdown.

use mora_evaluation::{ArmName, Goal, INDICATORS, Indicator, ScenarioComparison, Summary};

/// What the main table shows.
const COLUMNS: [&str; 9] = [
    "cpu_hours_requested",
    "memory_hours_requested",
    "violations",
    "latency_mean",
    "latency_p95",
    "latency_p99",
    "error_ratio",
    "scaling_events",
    "cpu_under",
];

/// The columns of the main table.
pub(crate) fn columns() -> impl Iterator<Item = &'static Indicator> {
    COLUMNS.iter().filter_map(|name| INDICATORS.iter().find(|indicator| indicator.name == *name))
}

/// What heads a column: name and unit.
pub(crate) fn heading(indicator: &Indicator) -> String {
    let Indicator { label, unit, .. } = indicator;
    if unit.is_empty() { (*label).to_owned() } else { format!("{label}, {unit}") }
}

/// An interval as readers see it; empty where there is none.
pub(crate) fn interval(indicator: &Indicator, lower: Option<f64>, upper: Option<f64>) -> String {
    match (lower, upper) {
        (Some(lower), Some(upper)) => {
            format!("{}\u{2013}{}", indicator.shown(lower), indicator.shown(upper))
        }
        _ => String::new(),
    }
}

fn cell(indicator: &Indicator, summary: Option<&Summary>) -> String {
    let Some(summary) = summary else { return "\u{2013}".to_owned() };
    let mean = indicator.shown(summary.mean);
    match interval(indicator, summary.lower, summary.upper) {
        // Where all seeds agree the interval is the mean again.
        interval if interval.is_empty() || interval == format!("{mean}\u{2013}{mean}") => mean,
        interval => format!("{mean} ({interval})"),
    }
}

/// Arms by indicators: means over seeds, in brackets their intervals.
#[must_use]
pub fn main_table(compared: &ScenarioComparison) -> String {
    let headings: Vec<String> = columns().map(heading).collect();
    let mut table = format!(
        "| arm | {} |\n| --- |{}\n",
        headings.join(" | "),
        " ---: |".repeat(headings.len())
    );
    for arm in ArmName::ALL {
        let Some(figures) = compared.arms.get(&arm) else { continue };
        let cells: Vec<String> =
            columns().map(|indicator| cell(indicator, figures.get(indicator.name))).collect();
        table += &format!("| {arm} | {} |\n", cells.join(" | "));
    }
    table
}

/// The goals in a scenario, and whether they are met.
#[must_use]
pub fn goals_table(compared: &ScenarioComparison) -> String {
    let mut table = "| goal | found (95 % interval) | met |\n| --- | ---: | --- |\n".to_owned();
    for goal in compared.goals.values() {
        table += &format!("| {} | {} | {} |\n", goal.statement, found(goal), verdict(goal));
    }
    table
}

/// What was found, with its interval.
pub(crate) fn found(goal: &Goal) -> String {
    let Some(value) = goal.value else { return "\u{2013}".to_owned() };
    match (goal.lower, goal.upper) {
        (Some(lower), Some(upper)) => format!("{value:.3} ({lower:.3} to {upper:.3})"),
        (Some(lower), None) => format!("{value:.3} (from {lower:.3})"),
        (None, Some(upper)) => format!("{value:.3} (to {upper:.3})"),
        (None, None) => format!("{value:.3}"),
    }
}

/// Whether it is met, in words.
pub(crate) const fn verdict(goal: &Goal) -> &'static str {
    let of_one_seed = goal.lower.is_none() && goal.upper.is_none();
    match (goal.met, goal.certain) {
        (Some(true), _) if of_one_seed => "yes, without an interval",
        (Some(false), _) if of_one_seed => "no, without an interval",
        (Some(true), true) => "yes",
        (Some(true), false) => "yes, but the interval reaches beyond",
        (Some(false), true) => "no",
        (Some(false), false) => "no, but the interval reaches it",
        (None, _) => "cannot be said",
    }
}
