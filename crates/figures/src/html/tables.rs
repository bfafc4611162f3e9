//! Tables of the page.

use mora_evaluation::{
    ArmName, AtEqualRisk, Comparison, CostAtRisk, Goal, Indicator, REFERENCES, ScenarioComparison,
    Summary, Versus, indicator, statistics::EqualRisk,
};
use mora_rendering::escape_html as escape;

use crate::table::{columns, found, heading, interval, verdict};

/// What differences and the tests over all scenarios are shown of.
const COMPARED: [&str; 4] = ["cpu_hours_requested", "violations", "scaling_events", "latency_p99"];

fn frame(class: &str, headings: &[String], rows: &str) -> String {
    let heads: String = headings
        .iter()
        .enumerate()
        .map(|(place, text)| {
            let class = if place == 0 { "" } else { " class=\"n\"" };
            format!("<th scope=\"col\"{class}>{}</th>", escape(text))
        })
        .collect();
    format!(
        "<div class=\"frame\"><table class=\"{class}\">\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table></div>\n"
    )
}

fn number(value: Option<f64>, shown: &str, below: &str) -> String {
    let value = value.map_or_else(String::new, |value| value.to_string());
    let below =
        if below.is_empty() { String::new() } else { format!("<small>{}</small>", escape(below)) };
    format!("<td class=\"n\" data-value=\"{value}\">{}{below}</td>", escape(shown))
}

/// Arms by indicators; under each arm what was predicted of it, where there is a prediction.
pub(super) fn arms(
    compared: &ScenarioComparison,
    predicted: Option<&ScenarioComparison>,
) -> String {
    let headings: Vec<String> =
        [String::from("arm")].into_iter().chain(columns().map(heading)).collect();
    let row = |from: &ScenarioComparison, arm: ArmName, class: &str, after: &str| {
        let figures = from.arms.get(&arm)?;
        let cells: String =
            columns().map(|indicator| cell(indicator, figures.get(indicator.name))).collect();
        Some(format!("<tr{class}><th scope=\"row\">{arm}{after}</th>{cells}</tr>\n"))
    };
    let mut rows = String::new();
    for arm in compared.arms.keys() {
        rows += &row(compared, *arm, "", "").unwrap_or_default();
        let simulated =
            predicted.and_then(|from| row(from, *arm, " class=\"predicted\"", ", simulated"));
        rows += &simulated.unwrap_or_default();
    }
    frame("sortable", &headings, &rows)
}

fn cell(indicator: &Indicator, summary: Option<&Summary>) -> String {
    let Some(summary) = summary else { return number(None, "\u{2013}", "") };
    let below = interval(indicator, summary.lower, summary.upper);
    number(Some(summary.mean), &indicator.shown(summary.mean), &below)
}

/// What arms differ by from the references, and what they cost at the risk of the baseline.
pub(super) fn differences(compared: &ScenarioComparison) -> String {
    let mut text =
        "<details><summary>Differences, seed by seed, and cost at equal risk</summary>\n"
            .to_owned();
    for reference in REFERENCES.into_iter().filter(|arm| compared.arms.contains_key(arm)) {
        let indicators: Vec<&Indicator> =
            COMPARED.iter().filter_map(|name| indicator(name)).collect();
        let headings: Vec<String> = [String::from("arm")]
            .into_iter()
            .chain(indicators.iter().map(|i| heading(i)))
            .collect();
        let mut rows = String::new();
        for (arm, figures) in compared.arms.iter().filter(|(arm, _)| **arm != reference) {
            let cells = indicators.iter().map(|indicator| {
                let versus =
                    figures.get(indicator.name).and_then(|summary| summary.versus.get(&reference));
                versus.map_or_else(
                    || number(None, "\u{2013}", ""),
                    |versus| difference(indicator, versus),
                )
            });
            rows +=
                &format!("<tr><th scope=\"row\">{arm}</th>{}</tr>\n", cells.collect::<String>());
        }
        text += &format!("<h4>Less {reference}</h4>\n{}", frame("sortable", &headings, &rows));
    }
    text + &equal_risk(compared) + "</details>\n"
}

fn difference(indicator: &Indicator, versus: &Versus) -> String {
    let difference = versus.difference;
    let shown = indicator.shown(difference.mean);
    let is_nothing = shown.chars().all(|c| "0.".contains(c));
    let sign = if difference.mean > 0.0 && !is_nothing { "+" } else { "" };
    let ends = difference.lower.zip(difference.upper);
    let ends = ends.map(|(lower, upper)| {
        format!("{} to {}, ", indicator.shown(lower), indicator.shown(upper))
    });
    let below = format!("{}p {:.3}", ends.unwrap_or_default(), versus.p_holm);
    number(Some(difference.mean), &format!("{sign}{shown}"), &below)
}

fn equal_risk(compared: &ScenarioComparison) -> String {
    if compared.equal_risk.is_empty() {
        return String::new();
    }
    let headings = [
        "arm",
        "at the baseline's share of missed minutes",
        "at the baseline's U",
        "with 1 % of minutes missed",
        "with a U of 1 %",
    ];
    let row = |(arm, at): (&ArmName, &AtEqualRisk)| {
        let all =
            [at.violations, at.cpu_under, at.violations_one_percent, at.cpu_under_one_percent];
        let cells: String = all.iter().map(cost).collect();
        format!("<tr><th scope=\"row\">{arm}</th>{cells}</tr>\n")
    };
    let rows: String = compared.equal_risk.iter().map(row).collect();
    let table = frame("sortable", &headings.map(str::to_owned), &rows);
    format!("<h4>CPU requested at equal risk, core h</h4>\n{table}")
}

fn cost(at: &CostAtRisk) -> String {
    let ratio = at.ratio.map_or_else(String::new, |ratio| {
        let end = |end: Option<f64>| end.map_or_else(|| "?".to_owned(), |end| format!("{end:.2}"));
        format!("{:.2} of the baseline, {} to {}", ratio.mean, end(ratio.lower), end(ratio.upper))
    });
    match at.cost {
        EqualRisk::Interpolated(cost) => number(Some(cost), &format!("{cost:.1}"), &ratio),
        EqualRisk::AtMost(cost) => number(Some(cost), &format!("at most {cost:.1}"), &ratio),
        EqualRisk::NotReached => number(None, "not reached", ""),
    }
}

/// Which goals are met where.
pub(super) fn goals(comparison: &Comparison) -> String {
    let simulated =
        comparison.scenarios.iter().map(|(name, compared)| (name, compared, "simulated"));
    let measured = comparison.measured.iter().map(|(name, compared)| (name, compared, "cluster"));
    let all: Vec<_> =
        simulated.chain(measured).filter(|(_, c, _)| c.arms.contains_key(&ArmName::Mora)).collect();
    let Some((_, first, _)) = all.first() else { return String::new() };
    let headings: Vec<String> = [String::from("scenario")]
        .into_iter()
        .chain(first.goals.values().map(|goal| goal.statement.clone()))
        .collect();
    let mut rows = String::new();
    for (name, compared, origin) in all {
        let cells: String = compared.goals.values().map(goal).collect();
        rows += &format!(
            "<tr><th scope=\"row\">{} <span class=\"origin\">{origin}</span></th>{cells}</tr>\n",
            escape(name)
        );
    }
    format!("<h2>Goals</h2>\n{}", frame("sortable", &headings, &rows))
}

fn goal(goal: &Goal) -> String {
    let class = match (goal.met, goal.certain) {
        (Some(true), true) => "yes",
        (Some(false), true) => "no",
        _ => "maybe",
    };
    let value = goal.value.map_or_else(String::new, |value| value.to_string());
    let (verdict, found) = (verdict(goal), escape(&found(goal)));
    format!(
        "<td class=\"n\" data-value=\"{value}\"><span class=\"{class}\">{verdict}</span><small>{found}</small></td>"
    )
}

/// Tests over all simulated scenarios.
pub(super) fn overall(comparison: &Comparison) -> String {
    let mut rows = String::new();
    for (arm, by_indicator) in &comparison.overall {
        for (name, indicator) in COMPARED.iter().filter_map(|name| Some((*name, indicator(name)?)))
        {
            for (reference, overall) in by_indicator.get(name).into_iter().flatten() {
                let median = overall.median_relative_difference;
                let shown = median.map_or_else(
                    || "\u{2013}".to_owned(),
                    |share| format!("{:+.1}", share * 100.0),
                );
                rows += &format!(
                    "<tr><th scope=\"row\">{arm}</th><td class=\"n\">{reference}</td><td class=\"n\">{}</td>{}{}{}</tr>\n",
                    escape(indicator.label),
                    number(Some(overall.pairs as f64), &overall.pairs.to_string(), ""),
                    number(median, &shown, ""),
                    number(Some(overall.p_holm), &format!("{:.4}", overall.p_holm), "")
                );
            }
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let headings = ["arm", "compared with", "indicator", "pairs", "median difference, %", "p"]
        .map(str::to_owned);
    format!(
        "<h2>Over all simulated scenarios</h2>\n<p class=\"note\">A pair is one scenario with one seed. Scenarios differ, and pairs of one \
         scenario are alike: p is of whether the direction is the same throughout, not of how large a difference is.</p>\n\
         <details><summary>Tests</summary>\n{}</details>\n",
        frame("sortable", &headings, &rows)
    )
}
