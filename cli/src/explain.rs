//! `mora explain`: why a workload's numbers are what they are.

use clap::Args;
use mora_coordinator::Format;
use mora_core::{Bytes, Justification, Millicores, Part, Plan, Recommendation, Source, Target};
use mora_runtime::Exit;

use crate::known_plan::{KnownPlan, PlanArguments};
use crate::stdout::print;

/// Options of `mora explain`.
#[derive(Debug, Args)]
pub(crate) struct ExplainArguments {
    /// The workload: namespace/name, namespace/Kind/name, or its name alone where that is enough
    workload: String,
    #[command(flatten)]
    plan: PlanArguments,
    /// Output format: table, json or yaml
    #[arg(long, short, default_value_t = Format::Table)]
    output: Format,
}

/// Runs the command; the explanation goes to standard output.
pub(crate) async fn explain(arguments: ExplainArguments) -> anyhow::Result<Exit> {
    let known = KnownPlan::find(&arguments.plan).await?;
    let workload = known.workload(&arguments.workload)?;
    let found: Vec<&Recommendation> = known.of(&workload).collect();
    let written: String = match arguments.output {
        Format::Table => found.iter().map(|r| text(&known.plan, r)).collect(),
        Format::Json => serde_json::to_string_pretty(&found)? + "\n",
        Format::Yaml => serde_saphyr::to_string(&found)?,
    };
    print(&written)?;
    Ok(Exit::Success)
}

/// The whole explanation of one container's numbers.
fn text(plan: &Plan, recommendation: &Recommendation) -> String {
    let Recommendation { workload, container, replicas, justification: why, .. } = recommendation;
    let pods = if *replicas == 1 { "1 replica".to_owned() } else { format!("{replicas} replicas") };
    let mut text = format!("{workload}, container {container}, {pods}, plan {}\n", plan.id);
    let millicores = |amount: u64| Millicores::new(amount).to_string();
    let bytes = |amount: u64| Bytes::new(amount).to_string();
    text += &headline("CPU", recommendation.cpu);
    text += &why
        .decided_by
        .map(|slot| format!("  decided by the slot from {slot}\n"))
        .unwrap_or_default();
    text += &listed(&why.cpu_parts, millicores);
    text += &callers(why);
    text += &headline("memory", recommendation.memory);
    text += &listed(&why.memory_parts, bytes);
    text += &model(recommendation);
    text += &data(why);
    text += &cuts(plan, recommendation);
    why.notes.iter().for_each(|note| text += &format!("  note: {note}\n"));
    text
}

fn headline<Q: std::fmt::Display + Copy>(resource: &str, target: Target<Q>) -> String {
    let now = target.current.map_or_else(|| "none".to_owned(), |now| now.to_string());
    format!(
        "{resource} request {} (now {now}, likely between {} and {})\n",
        target.target, target.lower_bound, target.upper_bound
    )
}

/// One line per part, with a sign.
fn listed(parts: &[Part], amount: impl Fn(u64) -> String) -> String {
    let line = |(index, part): (usize, &Part)| {
        let sign = if part.amount < 0 {
            "-"
        } else if index == 0 {
            " "
        } else {
            "+"
        };
        let value = amount(part.amount.unsigned_abs());
        format!("  {:<22}{:>14}\n", part.cause.as_str(), format!("{sign}{value}"))
    };
    parts.iter().enumerate().map(line).collect()
}

/// Who sends what, and the CPU that is due to each.
fn callers(why: &Justification) -> String {
    let total: f64 = why.callers.values().sum();
    if total <= 0.0 {
        return String::new();
    }
    let mut text = String::new();
    for (caller, rate) in &why.callers {
        let cores = why.propagated_cpu_peak.map(|peak| peak * rate / total);
        let cores = cores.map(|c| format!(", {c:.3} cores of all replicas")).unwrap_or_default();
        text += &format!("  from {caller}: {rate:.2} requests/s{cores}\n");
    }
    let weight = why.own_weight.map(|w| {
        format!(
            "  its own forecast of load counts {:.0} %, that of its callers {:.0} %\n",
            w * 100.0,
            (1.0 - w) * 100.0
        )
    });
    text + &weight.unwrap_or_default()
}

fn model(recommendation: &Recommendation) -> String {
    let why = &recommendation.justification;
    let skill =
        why.pinball_ratio.map(|ratio| format!(", pinball loss {ratio:.2} of the baseline's"));
    let coverage = why.observed_coverage.map(|share| {
        format!(", the stated quantile held in {:.1} % over {} origins", share * 100.0, why.origins)
    });
    let rest = skill.unwrap_or_default() + &coverage.unwrap_or_default();
    match &recommendation.source {
        Source::Forecast { rung, model_version } => {
            format!("  model {model_version}, {}{rest}\n", rung.as_str())
        }
        Source::Baseline { reason } => format!("  statistical baseline, because {reason}\n"),
        Source::Statistical => "  statistical rule, as asked for\n".to_owned(),
    }
}

fn data(why: &Justification) -> String {
    match (why.data_from, why.data_until) {
        (Some(from), Some(until)) => format!("  data from {from} to {until}\n"),
        (None, Some(until)) => format!("  data until {until}\n"),
        _ => String::new(),
    }
}

fn cuts(plan: &Plan, recommendation: &Recommendation) -> String {
    let own = plan.cuts.iter().filter(|cut| {
        cut.workload == recommendation.workload && cut.container == recommendation.container
    });
    own.map(|cut| {
        let (cpu, memory) = (cut.cpu, cut.memory);
        format!("  not given, over all replicas: {cpu} CPU and {memory} memory: {}\n", cut.reason)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use mora_core::Cause;

    #[test]
    fn parts_are_listed_with_their_signs_and_add_up_visibly() {
        let parts = [
            Part { cause: Cause::OwnForecast, amount: 450 },
            Part { cause: Cause::Margin, amount: 90 },
            Part { cause: Cause::Cluster, amount: -40 },
        ];
        let text = listed(&parts, |amount| Millicores::new(amount).to_string());
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[0].contains("own forecast, median") && lines[0].ends_with(" 450m"), "{text}");
        assert!(lines[1].ends_with("+90m") && lines[2].ends_with("-40m"), "{text}");
    }

    #[test]
    fn a_callers_part_is_its_share_of_the_requests() {
        let why = Justification {
            propagated_cpu_peak: Some(2.0),
            own_weight: Some(0.25),
            callers: [("shop/front".parse().unwrap(), 30.0), ("shop/back".parse().unwrap(), 10.0)]
                .into(),
            ..Justification::default()
        };
        let text = callers(&why);
        assert!(text.contains("shop/Deployment/front: 30.00 requests/s, 1.500 cores"), "{text}");
        assert!(text.contains("counts 25 %, that of its callers 75 %"), "{text}");
        assert_eq!(callers(&Justification::default()), "");
    }
}
