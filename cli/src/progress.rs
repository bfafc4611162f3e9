//! Progress of training, on standard error: bars on a terminal, lines elsewhere.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use mora_collector::{Collector, TrainingRound};
use mora_core::WorkloadRef;
use mora_runtime::with_causes;

const REFRESH: Duration = Duration::from_millis(200);

/// Says what is being done.
pub(crate) fn say(sentence: &str) {
    eprintln!("{sentence}");
}

/// Trains all workers of `collector` and shows how far each is.
pub(crate) async fn train_with_progress(
    collector: &Collector,
    now: jiff::Timestamp,
) -> TrainingRound {
    let workloads = collector.jobs().len();
    let bar = bar(workloads as u64 * 100);
    let training = collector.train(now);
    tokio::pin!(training);
    loop {
        tokio::select! {
            round = &mut training => {
                bar.finish_and_clear();
                tell(&round, workloads);
                return round;
            }
            () = tokio::time::sleep(REFRESH) => show(collector, &bar),
        }
    }
}

/// A bar of `length` steps on standard error; hidden where that is no terminal.
pub(crate) fn bar(length: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::hidden());
    }
    let style = ProgressStyle::with_template("  {bar:40} {percent:>3} %  {msg}");
    let bar = ProgressBar::new(length);
    // The template is a constant; were it wrong, the default style would do.
    style.map(|style| bar.set_style(style)).unwrap_or_default();
    bar
}

fn show(collector: &Collector, bar: &ProgressBar) {
    let jobs = collector.jobs();
    let done: f64 = jobs.iter().filter_map(|(_, job)| job.as_ref()).map(|job| job.progress).sum();
    bar.set_position((done * 100.0) as u64);
    let busy = jobs
        .iter()
        .find(|(_, job)| job.as_ref().is_some_and(|j| j.progress > 0.0 && j.progress < 1.0));
    if let Some((workload, Some(job))) = busy {
        bar.set_message(format!("{}: {}", workload.name(), job.message));
    }
}

fn tell(round: &TrainingRound, workloads: usize) {
    say(&format!("  {} of {workloads} model-workers trained", round.trained.len()));
    if !round.kept.is_empty() {
        say(&format!("  {} keep their version", round.kept.len()));
    }
    let listed = |names: &[WorkloadRef]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    if !round.without_worker.is_empty() {
        say(&format!("  no worker for {}", listed(&round.without_worker).join(", ")));
    }
    for (workload, faults) in &round.rejected {
        say(&format!(
            "  {workload} is not trained, its data is not good enough: {}",
            faults.join("; ")
        ));
    }
    for error in &round.failed {
        say(&format!("  {}", with_causes(error)));
    }
}
