//! `mora evaluate`: ways to size an application compared in closed loop.

mod arms;
mod calibrate;
mod cluster;
mod mora_arm;
mod report;
mod settings;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use indicatif::ProgressBar;
use mora_evaluation::{Evaluation, MatrixSummary, Progress, Results, RunKey};
use mora_runtime::{Exit, until_stopped};
use tokio::runtime::Handle;
use tokio_util::sync::CancellationToken;

use self::arms::Arms;
use self::calibrate::{CalibrateArguments, ValidateArguments, calibration, validation};
use self::report::report;
use self::settings::{RunArguments, configuration};
use crate::progress::{bar, say};
use crate::version::provenance;

/// Options of `mora evaluate`; see `docs/evaluation.md`.
#[derive(Debug, Args)]
pub(crate) struct EvaluateArguments {
    #[command(subcommand)]
    command: EvaluateCommand,
}

#[derive(Debug, Subcommand)]
enum EvaluateCommand {
    /// Run every arm in every scenario with every seed, on a simulated cluster or a real one
    Run(Box<RunArguments>),
    /// Go on with an evaluation that was interrupted
    Resume(ResumeArguments),
    /// Fit the simulated application to what was measured of a real one
    Calibrate(Box<CalibrateArguments>),
    /// Hold a simulated application against what was measured of a real one
    Validate(Box<ValidateArguments>),
    /// Compare what was run: tables, figures and a page
    Report(ReportArguments),
}

/// Options of `mora evaluate resume`.
#[derive(Debug, Args)]
struct ResumeArguments {
    /// Folder of the evaluation
    #[arg(long, value_name = "DIR", alias = "output")]
    results: PathBuf,
    /// Runs at once; as many as there are processors when absent
    #[arg(long, value_name = "N", alias = "parallel")]
    jobs: Option<NonZeroUsize>,
}

/// Options of `mora evaluate report`.
#[derive(Debug, Args)]
struct ReportArguments {
    /// Folder of the evaluation; what is made is written to it
    #[arg(long, value_name = "DIR", alias = "output")]
    results: PathBuf,
}

/// Runs the command; tables go to standard output, everything else to files and standard error.
pub(crate) async fn evaluate(arguments: EvaluateArguments) -> anyhow::Result<Exit> {
    match arguments.command {
        EvaluateCommand::Run(arguments) => {
            let configuration = configuration(&arguments)?;
            let results = Results::create(&arguments.results, configuration)?;
            Box::pin(go_on(results, &arguments.results, arguments.jobs)).await
        }
        EvaluateCommand::Resume(ResumeArguments { results, jobs }) => {
            Box::pin(go_on(Results::open(&results)?, &results, jobs)).await
        }
        EvaluateCommand::Calibrate(arguments) => calibration(*arguments).await,
        EvaluateCommand::Validate(arguments) => validation(*arguments).await,
        EvaluateCommand::Report(ReportArguments { results }) => {
            let reporting = tokio::task::spawn_blocking(move || report(&results));
            reporting.await.context("the report broke off")?
        }
    }
}

/// Makes the runs that `results` lack, and stops between two of them when it is asked to.
async fn go_on(
    results: Results,
    folder: &Path,
    jobs: Option<NonZeroUsize>,
) -> anyhow::Result<Exit> {
    if let Some(settings) = cluster::cluster_of(results.configuration())? {
        return Box::pin(cluster::go_on(results, folder, settings)).await;
    }
    let arms = Arms::new(results.configuration(), folder)?;
    let parallel = jobs.or(available_parallelism().ok()).map_or(1, NonZeroUsize::get);
    let (runtime, stop) = (Handle::current(), Arc::new(AtomicBool::new(false)));
    let stopping = stop.clone();
    let running = tokio::task::spawn_blocking(move || {
        let provenance = provenance();
        let evaluation = Evaluation {
            results: &results,
            arms: &arms,
            provenance: &provenance,
            runtime: &runtime,
            parallel,
        };
        let bar = bar(0);
        let ended = evaluation.run(&stopping, &|progress| tell(&bar, &progress));
        bar.finish_and_clear();
        ended
    });
    let token = CancellationToken::new();
    let stopped = async {
        token.cancelled().await;
        say("stopping after the runs that have begun");
        stop.store(true, Ordering::Relaxed);
        std::future::pending().await
    };
    let running = async {
        tokio::select! {
            ended = running => ended,
            never = stopped => never,
        }
    };
    let MatrixSummary { before, made, left } =
        until_stopped(running, &token).await.context("the evaluation broke off")??;
    let place = folder.display();
    if left > 0 {
        bail!(
            "stopped with {left} runs to go; `mora evaluate resume --results {place}` makes them"
        );
    }
    say(&format!(
        "{made} runs made, {before} were there; `mora evaluate report --results {place}` compares them"
    ));
    Ok(Exit::Success)
}

/// Shows how far it is: a bar on a terminal, and a line for each run.
fn tell(bar: &ProgressBar, progress: &Progress<'_>) {
    match progress {
        Progress::Begun { due, finished } => {
            bar.set_length(*due as u64);
            say(&format!("{due} runs to make, {finished} are there"));
        }
        Progress::Started(key) => bar.set_message(named(key)),
        Progress::Finished { key, metrics, took } => {
            bar.inc(1);
            let line = format!(
                "{}: {:.1} CPU hours requested, {:.2} % of minutes missed the objective, in {:.0} s",
                named(key),
                metrics.cpu_hours_requested,
                metrics.violations * 100.0,
                took.as_secs_f64()
            );
            bar.suspend(|| say(&line));
        }
        Progress::Failed { key } => bar.suspend(|| say(&format!("{}: failed", named(key)))),
    }
}

fn named(key: &RunKey) -> String {
    let RunKey { scenario, arm, margin_thousandths, seed } = key;
    let margin = f64::from(*margin_thousandths) / 1000.0;
    let margin = if *margin_thousandths == 1000 { String::new() } else { format!(" x {margin}") };
    format!("{scenario}, {arm}{margin}, seed {seed}")
}

#[cfg(test)]
mod tests;
