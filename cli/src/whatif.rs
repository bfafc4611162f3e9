//! `mora whatif`: the plan if more or less load came in.

use std::str::FromStr;

use anyhow::Context;
use clap::Args;
use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, Table};
use mora_coordinator::{Format, exit_of, render};
use mora_core::{Plan, Recommendation};
use mora_runtime::Exit;
use thiserror::Error;

use crate::known_plan::{KnownPlan, PlanArguments};
use crate::progress::say;
use crate::stdout::print;

/// Options of `mora whatif`.
#[derive(Debug, Args)]
pub(crate) struct WhatIfArguments {
    /// An entry workload and the factor on its load, as in `frontend=3x`; may be repeated
    #[arg(long = "entry", required = true, value_name = "WORKLOAD=FACTOR")]
    entries: Vec<Supposition>,
    #[command(flatten)]
    plan: PlanArguments,
    /// Output format: table, json or yaml
    #[arg(long, short, default_value_t = Format::Table)]
    output: Format,
}

/// A workload and the factor on its load.
#[derive(Debug, Clone, PartialEq)]
struct Supposition {
    workload: String,
    factor: f64,
}

/// A text that is no [`Supposition`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a workload and a factor; write as in frontend=3x")]
struct NoSupposition(String);

impl FromStr for Supposition {
    type Err = NoSupposition;

    fn from_str(text: &str) -> Result<Self, NoSupposition> {
        let wrong = || NoSupposition(text.to_owned());
        let (workload, factor) = text.rsplit_once('=').ok_or_else(wrong)?;
        let factor: f64 =
            factor.strip_suffix('x').unwrap_or(factor).parse().map_err(|_| wrong())?;
        let possible = factor.is_finite() && factor >= 0.0 && !workload.is_empty();
        possible.then(|| Self { workload: workload.to_owned(), factor }).ok_or_else(wrong)
    }
}

/// Runs the command; the plan goes to standard output. The exit code is that of the supposed plan.
pub(crate) async fn whatif(arguments: WhatIfArguments) -> anyhow::Result<Exit> {
    let known = KnownPlan::find(&arguments.plan).await?;
    let mut factors = Vec::new();
    for Supposition { workload, factor } in &arguments.entries {
        let workload = known.workload(workload).context("mend --entry")?;
        factors.push((workload, *factor));
    }
    let supposed = known.supposing(&factors).await?;
    print(&match arguments.output {
        Format::Table => table(&known.plan, &supposed),
        format => render(&supposed, format)?,
    })?;
    for cut in &supposed.cuts {
        say(&format!("not given: {} {}: {}", cut.workload, cut.container, cut.reason));
    }
    Ok(exit_of(&supposed))
}

/// Both plans side by side, a container a row.
fn table(plan: &Plan, supposed: &Plan) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED);
    let columns =
        ["workload", "container", "replicas", "cpu", "cpu then", "times", "memory", "memory then"];
    table.set_header(columns);
    for then in &supposed.recommendations {
        let same =
            |r: &&Recommendation| r.workload == then.workload && r.container == then.container;
        table.add_row(row(plan.recommendations.iter().find(same), then));
    }
    (2..columns.len()).for_each(|index| {
        if let Some(column) = table.column_mut(index) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    });
    format!(
        "{table}\nrequested {} CPU and {} memory now, {} and {} then\n",
        plan.total_cpu(),
        plan.total_memory(),
        supposed.total_cpu(),
        supposed.total_memory()
    )
}

fn row(now: Option<&Recommendation>, then: &Recommendation) -> [String; 8] {
    let replicas = match now {
        Some(now) if now.replicas != then.replicas => {
            format!("{} → {}", now.replicas, then.replicas)
        }
        _ => then.replicas.to_string(),
    };
    let total = |r: &Recommendation| r.cpu.target.cores() * f64::from(r.replicas);
    let times = now.map(|now| total(then) / total(now)).filter(|times| times.is_finite());
    let absent = || "-".to_owned();
    [
        format!("{}/{}", then.workload.namespace(), then.workload.name()),
        then.container.clone(),
        replicas,
        now.map_or_else(absent, |now| now.cpu.target.to_string()),
        then.cpu.target.to_string(),
        times.map_or_else(absent, |times| format!("{times:.2}")),
        now.map_or_else(absent, |now| now.memory.target.to_string()),
        then.memory.target.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_supposition_is_a_workload_and_a_factor_with_or_without_an_x() {
        let read = |text: &str| text.parse::<Supposition>().map(|s| (s.workload, s.factor));
        assert_eq!(read("frontend=3x"), Ok(("frontend".to_owned(), 3.0)));
        assert_eq!(
            read("shop/Deployment/frontend=0.5"),
            Ok(("shop/Deployment/frontend".to_owned(), 0.5))
        );
        for text in ["frontend", "frontend=", "=2", "frontend=-1", "frontend=x", "frontend=inf"] {
            let error = read(text).unwrap_err().to_string();
            assert!(error.contains("frontend=3x"), "{error}");
        }
    }
}
