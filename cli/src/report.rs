//! The HTML report: one file, no network, light and dark.

pub(crate) mod plot;
mod style;

use std::collections::BTreeMap;

use mora_coordinator::sentence;
use mora_core::{Bytes, Dataset, Plan, Recommendation, Series, Source, WorkloadRef};
use mora_planning::Evidence;

use self::plot::plot;
pub(crate) use self::style::STYLE;
pub(crate) use mora_rendering::escape_html as escape;

/// What the report shows.
pub(crate) struct Report<'a> {
    pub(crate) title: &'a str,
    pub(crate) plan: &'a Plan,
    pub(crate) evidence: &'a Evidence,
    /// The histories that are drawn.
    pub(crate) datasets: &'a BTreeMap<WorkloadRef, Dataset>,
    /// CPU used on the planned day, in cores over all pods, where it is known.
    pub(crate) actual: &'a BTreeMap<WorkloadRef, Series>,
    /// Sentences for the top of the page.
    pub(crate) findings: &'a [String],
}

/// The whole page.
pub(crate) fn html(report: &Report<'_>) -> String {
    let mut page = String::new();
    let title = escape(report.title);
    let plan = report.plan;
    page += "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n";
    page += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
    page += &format!("<title>{title}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n");
    page += &format!(
        "<h1>{title}</h1>\n<p>Plan {} of {}, for {} slots from {}.</p>\n",
        escape(&plan.id),
        plan.created_at,
        slots(plan),
        plan.start
    );
    page += &paragraphs("finding", report.findings);
    page += &paragraphs("warning", &plan.warnings);
    page += &summary(plan);
    page += &cuts(plan);
    page += &violations(plan);
    page += LEGEND;
    for recommendation in &plan.recommendations {
        page += &section(report, recommendation);
    }
    page += "</body>\n</html>\n";
    page
}

const LEGEND: &str = "<h2>Workloads</h2>\n<p class=\"legend\"><span class=\"history\">history</span> \
    <span class=\"median\">forecast, median</span> <span class=\"upper\">forecast, upper quantile</span> \
    <span class=\"request\">request, all replicas</span> <span class=\"now\">request now</span> <span class=\"actual\">what came</span></p>\n";

fn slots(plan: &Plan) -> usize {
    plan.recommendations.iter().map(|r| r.schedule.len()).max().unwrap_or(0)
}

fn paragraphs(class: &str, sentences: &[String]) -> String {
    sentences.iter().map(|s| format!("<p class=\"{class}\">{}</p>\n", escape(s))).collect()
}

fn summary(plan: &Plan) -> String {
    let head = [
        "workload",
        "replicas",
        "CPU now",
        "CPU",
        "memory now",
        "memory",
        "basis",
        "pinball ratio",
        "coverage",
        "requested per used",
        "above request",
    ];
    let head: String = head.iter().map(|name| format!("<th>{name}</th>")).collect();
    let rows: String = plan.recommendations.iter().map(summary_row).collect();
    format!("<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>\n")
}

fn summary_row(recommendation: &Recommendation) -> String {
    let justification = &recommendation.justification;
    let current = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
    let share = |value: Option<f64>, digits: usize| {
        value.map_or_else(|| "–".to_owned(), |v| format!("{v:.digits$}"))
    };
    let record = justification.request_record;
    let cells = [
        format!(
            "<a href=\"#{}\">{}</a>",
            anchor(recommendation),
            escape(recommendation.workload.name())
        ),
        recommendation.replicas.to_string(),
        current(recommendation.cpu.current.map(|c| c.to_string())),
        recommendation.cpu.target.to_string(),
        current(recommendation.memory.current.map(|m| m.to_string())),
        recommendation.memory.target.to_string(),
        escape(&basis(&recommendation.source)),
        share(justification.pinball_ratio, 2),
        share(justification.observed_coverage, 3),
        share(record.map(|record| record.overhead), 2),
        share(record.map(|record| record.above), 4),
    ];
    let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
    format!("<tr>{cells}</tr>\n")
}

fn basis(source: &Source) -> String {
    match source {
        Source::Forecast { rung, .. } => rung.as_str().to_owned(),
        Source::Baseline { reason } => format!("baseline: {reason}"),
        Source::Statistical => "statistical".to_owned(),
    }
}

fn cuts(plan: &Plan) -> String {
    let items: String = plan
        .cuts
        .iter()
        .map(|cut| {
            let workload = escape(&cut.workload.to_string());
            let memory = if cut.memory == Bytes::ZERO {
                String::new()
            } else {
                format!(" and {} memory", cut.memory)
            };
            format!(
                "<li>{workload}: {} CPU{memory} not given: {}</li>\n",
                cut.cpu,
                escape(&cut.reason)
            )
        })
        .collect();
    if items.is_empty() { items } else { format!("<h2>Cuts</h2>\n<ul>\n{items}</ul>\n") }
}

fn violations(plan: &Plan) -> String {
    let item = |violation| format!("<li>{}</li>\n", escape(&sentence(violation)));
    let items: String = plan.violations.iter().map(item).collect();
    if items.is_empty() { items } else { format!("<h2>Violations</h2>\n<ul>\n{items}</ul>\n") }
}

fn section(report: &Report<'_>, recommendation: &Recommendation) -> String {
    let workload = &recommendation.workload;
    let notes = paragraphs("note", &recommendation.justification.notes);
    let plots = plot(report, recommendation);
    format!(
        "<section id=\"{}\">\n<h3>{} <small>{}</small></h3>\n{notes}{plots}</section>\n",
        anchor(recommendation),
        escape(workload.name()),
        escape(&format!(
            "{} in {}, container {}",
            workload.kind(),
            workload.namespace(),
            recommendation.container
        )),
    )
}

fn anchor(recommendation: &Recommendation) -> String {
    let workload = &recommendation.workload;
    escape(&format!("{}-{}-{}", workload.namespace(), workload.name(), recommendation.container))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_become_markup() {
        assert_eq!(escape("<b a=\"1\">&'"), "&lt;b a=&quot;1&quot;&gt;&amp;&#39;");
    }
}
