//! What a folder of results says: a comparison for programs and papers, tables, figures and a page.

use std::fs;
use std::path::Path;

use anyhow::Context;
use mora_coordinator::write_whole;
use mora_evaluation::{Comparison, ServiceError, configuration_in, load, load_traces};
use mora_figures::{Evidence, Figure, Validated, figures, goals_table, html, main_table};
use mora_runtime::Exit;

use crate::progress::say;
use crate::stdout::print;

/// Seed of the resampling behind intervals: the same results give the same report.
const SEED: u64 = 1;
/// The scenario that is shown in full, where it was run.
const FIRST: &str = "realistic";
/// What `mora evaluate validate` wrote, where it was put beside the results.
const VALIDATION: &str = "validation.json";

/// Writes the report of the results in `folder` to it; the main table goes to standard output.
///
/// Fails when there are no results, and when a file cannot be written.
pub(super) fn report(folder: &Path) -> anyhow::Result<Exit> {
    let (rows, traces) = (load(folder)?, load_traces(folder)?);
    let comparison = Comparison::of(&rows, SEED);
    let shown = shown(&comparison);
    let objective = configuration_in(folder)?.map(|configuration| configuration.setup.objective);
    let validation = validation(&folder.join(VALIDATION))?;
    let evidence =
        Evidence { comparison: &comparison, traces: &traces, objective, validation: &validation };
    let figures = figures(&evidence, &shown);
    let json = serde_json::to_string_pretty(&comparison).context("it cannot be written as JSON")?;
    write_whole(&folder.join("comparison.json"), &(json + "\n"))?;
    write_whole(&folder.join("tables.md"), &tables(&comparison))?;
    write_whole(&folder.join("report.html"), &html(&comparison, &figures))?;
    figures.iter().try_for_each(|figure| draw(&folder.join("figures"), figure))?;
    if let Some(compared) = comparison.scenarios.get(&shown).or(comparison.measured.get(&shown)) {
        print(&format!("{shown}, {}\n\n{}", compared.seeds_in_words(), main_table(compared)))?;
    }
    say(&format!("report: {}", folder.join("report.html").display()));
    Ok(Exit::Success)
}

/// What was measured and simulated of each service, from the file at `path`; nothing where there is none.
fn validation(path: &Path) -> anyhow::Result<Vec<Validated>> {
    if !path.exists() {
        return Ok(Vec::new());
    }
    let unusable = || {
        format!(
            "{} cannot be used; write it anew with `mora evaluate validate --to`",
            path.display()
        )
    };
    let text = fs::read_to_string(path).with_context(unusable)?;
    let services: Vec<ServiceError> = serde_json::from_str(&text).with_context(unusable)?;
    let of = |service: ServiceError| {
        let name = service.workload.name().to_owned();
        service.compared.into_iter().map(move |compared| Validated {
            service: name.clone(),
            quantity: compared.quantity,
            measured: compared.measured,
            simulated: compared.simulated,
        })
    };
    Ok(services.into_iter().flat_map(of).collect())
}

/// The scenario that is shown in full: the realistic day, else the first that was run.
fn shown(comparison: &Comparison) -> String {
    let all = || comparison.scenarios.keys().chain(comparison.measured.keys());
    let first = all().find(|name| *name == FIRST).or_else(|| all().next());
    first.cloned().unwrap_or_default()
}

/// Every scenario's main table and goals.
fn tables(comparison: &Comparison) -> String {
    let simulated =
        comparison.scenarios.iter().map(|(name, compared)| (name, "simulated", compared));
    let measured = comparison.measured.iter().map(|(name, compared)| (name, "measured", compared));
    let sections = simulated.chain(measured).map(|(name, how, compared)| {
        format!(
            "## {name} ({how}, {})\n\n{}\n{}\n",
            compared.seeds_in_words(),
            main_table(compared),
            goals_table(compared)
        )
    });
    sections.collect()
}

fn draw(folder: &Path, figure: &Figure) -> anyhow::Result<()> {
    fs::create_dir_all(folder)
        .with_context(|| format!("{} cannot be made; check its folder", folder.display()))?;
    let path = folder.join(format!("{}.svg", figure.name()));
    write_whole(&path, &figure.svg())?;
    let path = path.with_extension("pdf");
    fs::write(&path, figure.pdf())
        .with_context(|| format!("{} cannot be written; check its folder", path.display()))
}
