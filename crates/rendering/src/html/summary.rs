//! The cards at the top of the page, and what filters the table.

use mora_scan::{ScanReport, Severity};

use super::escape;
use crate::text::{cores, counted, memory, money, percent, percent_between, severities};

/// Sums over all replicas now and as recommended, and the containers by severity.
pub(super) fn cards(report: &ScanReport) -> String {
    let (now, next) = (&report.summary.current, &report.summary.recommended);
    let cost = |amount| format!("{} {}", money(amount), report.summary.currency);
    let bytes = |memory: mora_core::Bytes| memory.get() as f64;
    let cards = [
        card(
            "CPU requests",
            [cores(now.cpu), cores(next.cpu)],
            [now.cpu.cores(), next.cpu.cores()],
        ),
        card(
            "Memory requests",
            [memory(now.memory), memory(next.memory)],
            [bytes(now.memory), bytes(next.memory)],
        ),
        card("Cost a month", [cost(now.cost), cost(next.cost)], [now.cost, next.cost]),
        containers(report),
    ];
    format!("<section class=\"cards\" aria-label=\"Summary\">\n{}</section>\n", cards.concat())
}

fn card(title: &str, [now, next]: [String; 2], amounts: [f64; 2]) -> String {
    let change = percent(percent_between(amounts[0], amounts[1]));
    let change = if change.is_empty() { change } else { format!(", {change}") };
    let most = amounts[0].max(amounts[1]);
    let share = |amount: f64| if most > 0.0 { amount / most * 100.0 } else { 0.0 };
    let [is, becomes] = amounts.map(share);
    format!(
        "<div class=\"card\"><h2>{title}</h2><p class=\"sum\">{} <span class=\"from\">from {}{change}</span></p>\
         <svg viewBox=\"0 0 100 14\" preserveAspectRatio=\"none\" aria-hidden=\"true\">\
         <rect class=\"is\" width=\"{is:.1}\" height=\"5\" rx=\"1\"/>\
         <rect class=\"becomes\" y=\"8\" width=\"{becomes:.1}\" height=\"5\" rx=\"1\"/></svg></div>\n",
        escape(&next),
        escape(&now)
    )
}

fn containers(report: &ScanReport) -> String {
    let summary = &report.summary;
    let found = severities(report);
    let total: usize = found.iter().map(|(_, count)| count).sum();
    let mut x = 0.0;
    let bars = found.iter().map(|(severity, count)| {
        let width = *count as f64 / total as f64 * 100.0;
        let bar =
            format!("<rect class=\"{severity}\" x=\"{x:.1}\" width=\"{width:.1}\" height=\"13\"/>");
        x += width;
        bar
    });
    let bars: String = bars.collect();
    let urgent = found.iter().filter(|(severity, _)| *severity >= Severity::Warning);
    let urgent: usize = urgent.map(|(_, count)| count).sum();
    format!(
        "<div class=\"card\"><h2>Containers</h2><p class=\"sum\">{urgent} to change\
         <span class=\"from\">of {} in {}</span></p>\
         <svg viewBox=\"0 0 100 14\" preserveAspectRatio=\"none\" aria-hidden=\"true\">{bars}</svg></div>\n",
        counted(summary.containers, "container", "containers"),
        counted(summary.workloads, "workload", "workloads")
    )
}

/// The field and the buttons that filter; hidden until the script is there to act on them.
pub(super) fn tools(report: &ScanReport) -> String {
    let chips: String = severities(report)
        .iter()
        .map(|(severity, count)| {
            format!(
                "<button type=\"button\" class=\"chip {severity}\" data-severity=\"{severity}\" aria-pressed=\"true\">\
                 {severity} {count}</button>\n"
            )
        })
        .collect();
    format!(
        "<div class=\"tools\" role=\"group\" aria-label=\"Filter\" hidden>\n\
         <input id=\"filter\" type=\"search\" aria-label=\"Filter by namespace, kind, workload or container\" \
         placeholder=\"Filter by namespace, workload, container\" autocomplete=\"off\" spellcheck=\"false\">\n\
         {chips}<output id=\"shown\" aria-live=\"polite\"></output></div>\n"
    )
}
