//! Two versions side by side.

use std::collections::BTreeMap;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use mora_coordinator::Format;
use mora_core::{Rung, Signal, WorkloadRef};
use mora_model_worker::{Comparison, Manifest, WorkloadModel};
use serde::Serialize;

/// What is said of two versions.
#[derive(Debug, Serialize)]
struct Compared {
    workload: WorkloadRef,
    first: Side,
    second: Side,
    /// `None` where no slot was unseen by both.
    comparison: Option<Comparison>,
}

#[derive(Debug, Serialize)]
struct Side {
    version: String,
    rungs: BTreeMap<Signal, Rung>,
    /// Why it was not to serve when it was trained.
    rejected: Option<String>,
}

/// `first` and `second` on the slots neither has seen, as text.
pub(super) fn comparison(
    first: &WorkloadModel,
    second: &WorkloadModel,
    format: Format,
) -> anyhow::Result<String> {
    let compared = Compared {
        workload: first.manifest.workload.clone(),
        first: Side::of(&first.manifest),
        second: Side::of(&second.manifest),
        comparison: first.compare(second)?,
    };
    super::structured(&compared, format, table)
}

impl Side {
    fn of(manifest: &Manifest) -> Self {
        let rungs = manifest.signals.iter().map(|(signal, summary)| (*signal, summary.rung));
        Self {
            version: manifest.version.clone(),
            rungs: rungs.collect(),
            rejected: manifest.rejection().map(str::to_owned),
        }
    }

    fn rung(&self, signal: Signal) -> &'static str {
        self.rungs.get(&signal).map_or("none", |rung| rung.as_str())
    }
}

fn table(compared: &Compared) -> String {
    let Compared { workload, first, second, comparison } = compared;
    let mut text = format!("{workload}\nfirst:  {}\nsecond: {}\n", first.version, second.version);
    for side in [first, second] {
        if let Some(reason) = &side.rejected {
            text += &format!("{} was rejected: {reason}\n", side.version);
        }
    }
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header([
        "signal",
        "slots",
        "since",
        "loss 1",
        "loss 2",
        "covered 1",
        "covered 2",
        "rung 1",
        "rung 2",
    ]);
    let signals = first.rungs.keys().chain(second.rungs.keys());
    for signal in signals.collect::<std::collections::BTreeSet<_>>() {
        table.add_row(row(compared, *signal));
    }
    text += &format!("{table}\n{}\n", comparison.as_ref().map_or_else(nothing, sentence));
    text
}

fn row(compared: &Compared, signal: Signal) -> Vec<String> {
    let figures = compared.comparison.as_ref().and_then(|c| c.signals.get(&signal));
    let mut cells = vec![signal.to_string()];
    cells.extend(figures.map_or_else(
        || vec!["–".to_owned(); 6],
        |figures| {
            vec![
                figures.slots.to_string(),
                figures.since.to_string(),
                amount(signal, figures.first_loss),
                amount(signal, figures.second_loss),
                percent(figures.first_coverage),
                percent(figures.second_coverage),
            ]
        },
    ));
    cells.extend([&compared.first, &compared.second].map(|side| side.rung(signal).to_owned()));
    cells
}

fn nothing() -> String {
    "no slot was held out by both versions: nothing to compare".to_owned()
}

fn sentence(comparison: &Comparison) -> String {
    let error = comparison.standard_error.map_or_else(
        || "one day has no standard error".to_owned(),
        |error| format!("standard error {:.1} %", 100.0 * error),
    );
    format!(
        "the second's pinball loss is {:+.1} % of the first's ({error}), over {} days and {} slots",
        100.0 * comparison.excess,
        comparison.days,
        comparison.slots()
    )
}

/// A share as text.
pub(super) fn percent(share: f64) -> String {
    format!("{:.1} %", 100.0 * share)
}

/// A value of `signal` in the unit a reader wants.
pub(super) fn amount(signal: Signal, value: f64) -> String {
    match signal {
        Signal::Cpu => format!("{value:.4} cores"),
        Signal::Memory => format!("{:.2} MiB", value / 1_048_576.0),
        Signal::RequestRate => format!("{value:.3} 1/s"),
    }
}
