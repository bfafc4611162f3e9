//! A plan and its recommendations in words.

use std::fmt::Display;

use mora_core::{Bytes, Capacity, Cause, Millicores, Part, Plan, Recommendation, Source, Verdict};

/// Longest summary of a plan, in bytes.
const SUMMARY: usize = 1024;

/// `text`, cut where it is longer than `most` bytes.
pub(crate) fn bounded(text: &str, most: usize) -> String {
    const CUT: &str = "...";
    if text.len() <= most {
        return text.to_owned();
    }
    let room = most.saturating_sub(CUT.len());
    let end = (0..=room).rev().find(|&i| text.is_char_boundary(i)).unwrap_or(0);
    format!("{}{CUT}", &text[..end])
}

/// The plan in a few sentences; `left_out` recommendations are not listed.
pub(super) fn of_plan(plan: &Plan, left_out: usize) -> String {
    let mut sentences = vec![steps(plan), amounts(plan)];
    let baselines = on_baseline(plan);
    if baselines > 0 {
        sentences.push(format!("{baselines} on the statistical baseline instead of a forecast."));
    }
    if !plan.violations.is_empty() {
        sentences.push(format!("{} rules of the cluster are not kept.", plan.violations.len()));
    }
    if left_out > 0 {
        sentences.push(format!(
            "{left_out} of {} recommendations are not listed; they are in the plan's file.",
            plan.recommendations.len()
        ));
    }
    bounded(&sentences.join(" "), SUMMARY)
}

/// How many containers are on their baseline.
pub(super) fn on_baseline(plan: &Plan) -> usize {
    let on_baseline = |r: &&Recommendation| matches!(r.source, Source::Baseline { .. });
    plan.recommendations.iter().filter(on_baseline).count()
}

fn steps(plan: &Plan) -> String {
    let decided = || plan.recommendations.iter().filter_map(|r| r.decision.as_ref());
    let count = |verdict| decided().filter(|d| d.verdict == verdict).count();
    let all = plan.recommendations.len();
    let kinds = [
        (count(Verdict::Raise), "raised"),
        (count(Verdict::Lower), "lowered"),
        (count(Verdict::RollBack), "rolled back"),
    ];
    let told: Vec<String> =
        kinds.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect();
    if told.is_empty() {
        format!("Of {all} containers none changes.")
    } else {
        format!("Of {all} containers {}.", told.join(", "))
    }
}

fn amounts(plan: &Plan) -> String {
    let requested =
        format!("{} CPU and {} memory requested", plan.total_cpu(), plan.total_memory());
    let under = |capacity: Capacity| {
        let memory = super::whole_mebibytes(capacity.memory());
        format!("{requested} of {} and {memory} under the cap.", capacity.cpu())
    };
    plan.capacity.map_or_else(|| format!("{requested}."), under)
}

/// Why a recommendation has its numbers.
pub(super) fn of_recommendation(recommendation: &Recommendation) -> String {
    let Recommendation { justification, source, .. } = recommendation;
    let cpu = parts(&justification.cpu_parts, |amount| Millicores::new(amount).to_string());
    let memory = parts(&justification.memory_parts, |amount| Bytes::new(amount).to_string());
    let mut text = match source {
        Source::Forecast { .. } => String::new(),
        Source::Baseline { reason } => format!("No forecast: {reason}. "),
        Source::Statistical => "By the statistical rule, as asked for. ".to_owned(),
    };
    text += &format!("CPU: {cpu}; memory: {memory}");
    if let Some(slot) = justification.decided_by {
        text += &format!("; the slot from {slot} decides");
    }
    text + "."
}

/// The parts of a request, as in `own forecast, median 174m, safety margin +43m`.
fn parts<T: Display>(parts: &[Part], text: impl Fn(u64) -> T) -> String {
    let sign = |index: usize, amount: i64| match (index, amount < 0) {
        (_, true) => "-",
        (0, false) => "",
        (_, false) => "+",
    };
    let told = parts.iter().filter(|part| part.amount != 0).enumerate().map(|(index, part)| {
        let Part { cause, amount } = *part;
        let cause: Cause = cause;
        format!("{} {}{}", cause.as_str(), sign(index, amount), text(amount.unsigned_abs()))
    });
    let told: Vec<String> = told.collect();
    if told.is_empty() { "nothing known of its parts".to_owned() } else { told.join(", ") }
}
