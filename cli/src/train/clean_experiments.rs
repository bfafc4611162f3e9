//! `mora train clean-experiments`: a workload measured under known loads.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use mora_collector::SourceError;
use mora_core::{Lookback, Step};
use mora_experiments::{
    Bed, BedName, CellOutcome, Ended, Experiment, ExperimentsConfig, Foreign, JMeter,
    KubernetesBed, Measure, Plan, ProcessBed, Restored, Results, Setup, isolate, restore,
};
use mora_runtime::{Exit, until_stopped};
use tokio_util::sync::CancellationToken;

use super::measured::Measured;
use super::settings::{CleanExperimentsArguments, CleanExperimentsConfig, layered};
use super::table::table;
use crate::progress::say;
use crate::stdout::print;

/// Steps of the look at Prometheus before anything is changed.
const LOOK_STEPS: usize = 8;
/// Scrapes after which Prometheus knows what is there.
const SCRAPES: u64 = 5;

/// Runs the command; the table of cells, or the plan of a dry run, goes to standard output.
pub(super) async fn clean_experiments(
    arguments: &CleanExperimentsArguments,
) -> anyhow::Result<Exit> {
    let config = layered(arguments)?;
    let folder = &config.experiments.results;
    if arguments.restore {
        anyhow::ensure!(
            folder.is_dir(),
            "there is no folder {}; name it with --results",
            folder.display()
        );
        return restore_only(&mut Results::open(folder)?, arguments.force).await;
    }
    config.experiments.checked()?;
    let bed = bed(&config.experiments).await?;
    if arguments.dry_run {
        return dry_run(&config, bed.as_ref(), folder).await;
    }
    let load = JMeter::new(config.experiments.load.jmeter.clone())?;
    for scenario in &config.experiments.scenarios {
        load.knows(Path::new(scenario))?;
    }
    let measure = measured(&config).await?;
    let mut results = Results::open(folder)?;
    if arguments.resume && !results.journal.outstanding().is_empty() {
        restore_only(&mut results, arguments.force).await?;
    }
    let done = |cell: &_| results.outcome(cell).is_some();
    let plan = plan(&config.experiments, bed.as_ref(), &done).await?;
    results.begin(&plan.setup, arguments.resume)?;
    eprint!("{plan}");
    if plan.remaining.is_empty() {
        return conclude(
            Ended { failure: None, restored: Ok(Restored::default()) },
            &plan,
            &results,
        );
    }
    confirm(arguments.yes)?;
    let experiment =
        Experiment { plan: &plan, bed: bed.as_ref(), load: &load, measure: &measure, say: &say };
    let stop = CancellationToken::new();
    let ended = until_stopped(experiment.run(&mut results, &stop), &stop).await;
    conclude(ended, &plan, &results)
}

async fn bed(config: &ExperimentsConfig) -> anyhow::Result<Box<dyn Bed>> {
    let name = match config.bed.as_str() {
        "kubernetes" => BedName::Kubernetes { context: config.context.clone() },
        url => BedName::Control(url.to_owned()),
    };
    named_bed(&name).await
}

async fn named_bed(name: &BedName) -> anyhow::Result<Box<dyn Bed>> {
    Ok(match name {
        BedName::Kubernetes { context } => {
            Box::new(KubernetesBed::connect(context.as_deref()).await?)
        }
        BedName::Control(url) => Box::new(ProcessBed::new(url)?),
    })
}

/// The Prometheus, which has answered: without it nothing need be changed.
async fn measured(config: &CleanExperimentsConfig) -> anyhow::Result<Measured> {
    anyhow::ensure!(
        !config.prometheus.url.is_empty(),
        "no Prometheus is named; give its URL with --prometheus or the key `prometheus.url`"
    );
    let measure = Measured::new(&config.prometheus)?;
    let step = config.experiments.timing.step();
    // One that has just begun to scrape knows nothing yet.
    let scrapes = u64::from(config.prometheus.scrape_interval_seconds) * SCRAPES;
    let deadline = Instant::now() + Duration::from_secs(scrapes);
    for namespace in &config.prometheus.namespaces {
        while let Err(error) = look(&measure, namespace, step).await {
            let unknown = matches!(error.downcast_ref(), Some(SourceError::NoData { .. }));
            if !unknown || Instant::now() >= deadline {
                let place = measure.describe();
                let context =
                    format!("nothing can be measured with {place}, and nothing was changed");
                return Err(anyhow::Error::from_boxed(error).context(context));
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    Ok(measure)
}

/// Whether anything was measured in `namespace` lately.
async fn look(measure: &Measured, namespace: &str, step: Step) -> Result<(), Foreign> {
    let to = Timestamp::now();
    let from = to.saturating_sub(SignedDuration::from_mins(5).max(step.times(LOOK_STEPS)))?;
    measure.datasets(namespace, &Lookback { from, to, step }).await.map(drop)
}

async fn plan(
    config: &ExperimentsConfig,
    bed: &dyn Bed,
    done: &(dyn Fn(&mora_experiments::Cell) -> bool + Sync),
) -> anyhow::Result<Plan> {
    let (target, matrix) = config.checked()?;
    let states = bed.workloads(target.namespace()).await?;
    Ok(Plan {
        isolation: isolate(&states, &target, &config.isolation)?,
        remaining: matrix.cells().into_iter().filter(|cell| !done(cell)).collect(),
        setup: Setup {
            target,
            bed: bed.name(),
            timing: config.timing,
            gates: config.gates,
            isolation: config.isolation.clone(),
            load: config.load.clone(),
        },
        matrix,
        retries: config.retries,
    })
}

async fn dry_run(
    config: &CleanExperimentsConfig,
    bed: &dyn Bed,
    folder: &Path,
) -> anyhow::Result<Exit> {
    let (outstanding, finished) = Results::peek(folder)?;
    let plan = plan(&config.experiments, bed, &|cell| finished.contains_key(cell)).await?;
    let mut text = plan.to_string();
    for part in &outstanding {
        text += &format!(
            "to be restored first (--restore or --resume): {}: {} to {}\n",
            part.workload, part.aspect, part.original
        );
    }
    print(&(text + "nothing was changed\n"))?;
    Ok(Exit::Success)
}

/// Asks whether to begin, unless that is `agreed`.
fn confirm(agreed: bool) -> anyhow::Result<()> {
    if agreed {
        return Ok(());
    }
    anyhow::ensure!(
        std::io::stdin().is_terminal(),
        "nothing was changed; give --yes to begin without being asked"
    );
    eprint!("begin? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    anyhow::ensure!(
        ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()),
        "nothing was changed"
    );
    Ok(())
}

async fn restore_only(results: &mut Results, force: bool) -> anyhow::Result<Exit> {
    let Some(name) = results.journal.bed().cloned() else {
        say("there is nothing to restore");
        return Ok(Exit::Success);
    };
    let bed = named_bed(&name).await?;
    tell(&restore(bed.as_ref(), &mut results.journal, force).await?)?;
    Ok(Exit::Success)
}

/// Says what was restored; fails if something was not.
fn tell(restored: &Restored) -> anyhow::Result<()> {
    let Restored { set_back, were_so, left } = restored;
    say(&format!(
        "restored: {set_back} set back, {were_so} as before already, {} left",
        left.len()
    ));
    for part in left {
        say(&format!("  {part}"));
    }
    anyhow::ensure!(
        restored.is_complete(),
        "{} changes are not restored; see above, mend what keeps them, and run --restore again",
        left.len()
    );
    Ok(())
}

fn conclude(ended: Ended, plan: &Plan, results: &Results) -> anyhow::Result<Exit> {
    let restored = ended.restored.context("nothing can be noted in the journal").map(|r| tell(&r));
    let cells = plan.matrix.cells();
    let outcomes: Vec<&CellOutcome> =
        cells.iter().filter_map(|cell| results.outcome(cell)).collect();
    if !outcomes.is_empty() {
        print(&table(&outcomes))?;
    }
    if let Some(failure) = ended.failure {
        // The first failure is why there may be a second.
        if let Err(error) = restored.and_then(|told| told) {
            say(&format!("error: {error:#}"));
        }
        return Err(failure.into());
    }
    restored??;
    results.write_manifest(&plan.setup, &plan.matrix)?;
    let accepted = outcomes.iter().filter(|outcome| outcome.accepted).count();
    say(&format!("{accepted} of {} cells accepted", cells.len()));
    Ok(if accepted == cells.len() { Exit::Success } else { Exit::Degraded })
}
