//! A plan as table, JSON and YAML.

use std::fmt;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::str::FromStr;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{CellAlignment, ContentArrangement, Table};
use mora_core::{
    Bytes, Decision, Millicores, Plan, PlanStatus, Recommendation, Source, Target, Violation,
};
use mora_runtime::Exit;
use thiserror::Error;

/// How a plan is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// The plan as it is, for programs.
    Json,
    /// The same as YAML.
    Yaml,
}

/// A name that is no [`Format`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not an output format; use table, json or yaml")]
pub struct UnknownFormat(String);

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        match text {
            "table" => Ok(Self::Table),
            "json" => Ok(Self::Json),
            "yaml" => Ok(Self::Yaml),
            other => Err(UnknownFormat(other.to_owned())),
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Table => "table",
            Self::Json => "json",
            Self::Yaml => "yaml",
        })
    }
}

/// Why a plan was not written.
#[derive(Debug, Error)]
pub enum RenderError {
    /// The plan does not serialise.
    #[error("the plan cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The plan does not serialise.
    #[error("the plan cannot be written as YAML")]
    Yaml(#[from] serde_saphyr::ser::Error),
    /// The file system refused.
    #[error("cannot write {path}; check that its folder exists and is writable")]
    Write {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// The plan as text, ending with a line break.
pub fn render(plan: &Plan, format: Format) -> Result<String, RenderError> {
    match format {
        Format::Table => Ok(table(plan)),
        Format::Json => Ok(serde_json::to_string_pretty(plan)? + "\n"),
        Format::Yaml => Ok(serde_saphyr::to_string(plan)?),
    }
}

/// Writes `text` to `path` so that a reader sees the old file or the whole new one, never a part, also after a
/// power failure.
pub fn write_whole(path: &Path, text: &str) -> Result<(), RenderError> {
    let write = || {
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let readable = std::fs::Permissions::from_mode(0o644);
        let mut file = tempfile::Builder::new().permissions(readable).tempfile_in(folder)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path).map_err(|error| error.error)?;
        File::open(folder)?.sync_all()
    };
    write().map_err(|source| RenderError::Write { path: path.display().to_string(), source })
}

/// The exit code that says what a plan is.
#[must_use]
pub const fn exit_of(plan: &Plan) -> Exit {
    match plan.status {
        PlanStatus::Complete => Exit::Success,
        PlanStatus::Degraded => Exit::Degraded,
        PlanStatus::Violation => Exit::Violation,
    }
}

fn table(plan: &Plan) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header([
        "workload",
        "container",
        "replicas",
        "cpu now",
        "cpu",
        "memory now",
        "memory",
        "basis",
        "coverage",
        "above",
    ]);
    for recommendation in &plan.recommendations {
        table.add_row(row(recommendation));
    }
    for column in [2, 3, 4, 5, 6, 8, 9] {
        if let Some(column) = table.column_mut(column) {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text = format!("{table}\n{}\n", totals(plan));
    if let Some(policy) = &plan.policy {
        text += &format!("policy: {policy}\n");
    }
    for cut in &plan.cuts {
        let amounts = [
            (cut.cpu > Millicores::ZERO).then(|| format!("{} CPU", cut.cpu)),
            (cut.memory > Bytes::ZERO).then(|| format!("{} memory", cut.memory)),
        ];
        let amounts = amounts.into_iter().flatten().collect::<Vec<_>>().join(" and ");
        text +=
            &format!("not given: {} {}: {amounts}: {}\n", cut.workload, cut.container, cut.reason);
    }
    for violation in &plan.violations {
        text += &format!("violation: {}\n", sentence(violation));
    }
    for advice in advices(plan) {
        text += &format!("advice: {advice}\n");
    }
    text += &changes(plan);
    for warning in &plan.warnings {
        text += &format!("warning: {warning}\n");
    }
    text
}

/// What the change gate lets through, in the order in which it is to be made.
fn changes(plan: &Plan) -> String {
    let decided = plan.recommendations.iter().filter_map(|r| Some((r, r.decision.as_ref()?)));
    let mut changes: Vec<_> = decided.filter_map(|(r, d)| Some((d.wave?, r, d))).collect();
    changes.sort_by_key(|(wave, ..)| *wave);
    let line = |(wave, recommendation, decision): (u32, &Recommendation, &Decision)| {
        let Recommendation { workload, container, .. } = recommendation;
        format!("change, wave {wave}: {workload} {container}: {}\n", decision.reason)
    };
    changes.into_iter().map(line).collect()
}

/// A violation in one line: the kind, whom it concerns, what is missing and why.
#[must_use]
pub fn sentence(violation: &Violation) -> String {
    let Violation { kind, workload, container, shortfall, reason, .. } = violation;
    let whom = workload.as_ref().map_or_else(String::new, |workload| format!(" {workload}"));
    let container = container.as_ref().map_or_else(String::new, |name| format!(" {name}"));
    format!("{kind}{whom}{container}: {shortfall} are missing: {reason}")
}

/// What to set on autoscalers, one sentence for each whose target should change.
fn advices(plan: &Plan) -> Vec<String> {
    let mut advices: Vec<String> = Vec::new();
    for recommendation in &plan.recommendations {
        let Some(advice) = recommendation.autoscaler else { continue };
        let text = format!(
            "set the HorizontalPodAutoscaler of {} from {} % to {} % of the CPU request, which keeps {} replicas at the peak",
            recommendation.workload,
            advice.current_target_percent,
            advice.target_percent,
            advice.peak_replicas
        );
        let changes = advice.target_percent != advice.current_target_percent;
        if changes && advices.last() != Some(&text) {
            advices.push(text);
        }
    }
    advices
}

fn row(recommendation: &Recommendation) -> [String; 10] {
    let current = |text: Option<String>| text.unwrap_or_else(|| "none".to_owned());
    let percent = |share: Option<f64>, digits: usize| {
        share.map_or_else(|| "-".to_owned(), |share| format!("{:.digits$} %", share * 100.0))
    };
    let justification = &recommendation.justification;
    let workload = &recommendation.workload;
    let Target { current: cpu, target: cpu_target, .. } = recommendation.cpu;
    let Target { current: memory, target: memory_target, .. } = recommendation.memory;
    [
        format!("{}/{}", workload.namespace(), workload.name()),
        recommendation.container.clone(),
        recommendation.replicas.to_string(),
        current(cpu.map(|c| c.to_string())),
        cpu_target.to_string(),
        current(memory.map(|m| m.to_string())),
        memory_target.to_string(),
        basis(&recommendation.source),
        percent(justification.observed_coverage, 1),
        percent(justification.request_record.map(|record| record.above), 2),
    ]
}

fn basis(source: &Source) -> String {
    match source {
        Source::Forecast { rung, .. } => rung.as_str().to_owned(),
        Source::Baseline { .. } => "baseline".to_owned(),
        Source::Statistical => "statistical".to_owned(),
    }
}

fn totals(plan: &Plan) -> String {
    let status = match plan.status {
        PlanStatus::Complete => "complete",
        PlanStatus::Degraded => "degraded: some workloads are on their baseline",
        PlanStatus::Violation => "violation: the demand does not fit what the cluster allows",
    };
    let requested =
        format!("requested {} CPU and {} memory", plan.total_cpu(), plan.total_memory());
    match plan.capacity {
        None => format!("{requested}; plan {status}"),
        Some(capacity) => {
            format!(
                "{requested} of {} and {} under the cap; plan {status}",
                capacity.cpu(),
                Bytes::from_mebibytes(capacity.memory().get() >> 20)
            )
        }
    }
}
