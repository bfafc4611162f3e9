//! `mora apply`: putting a plan in force.

mod source;
mod table;

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;
use mora_apply::{
    ApplyConfig, Driver, Intended, Journal, Kept, Pace, PlanObjects, Preview, RecordError, Records,
    Report, in_files, intents, preview,
};
use mora_coordinator::CoordinatorConfig;
use mora_core::{ApplyMode, Plan, WorkloadRef};
use mora_kubernetes::Cluster;
use mora_planning::Pattern;
use mora_runtime::{Exit, load_config, until_stopped};
use tokio_util::sync::CancellationToken;

pub(crate) use self::source::StateArguments;
use self::source::find;
pub(crate) use self::table::of_undone;
use crate::progress::say;
use crate::stdout::print;

/// What is said where no workload has a mode.
const NO_MODE: &str = "no workload has a mode, so nothing is changed; choose one with --mode (patch, in_place, scheduled, vpa or git_ops), or with the key `apply` of a coordinator's configuration given by --config";

/// Options of `mora apply`.
#[derive(Debug, Args)]
pub(crate) struct ApplyArguments {
    /// The plan: its identifier in the state folder, a file with a plan in JSON or YAML, or with --namespace the name of a
    /// RightsizingPlan; the newest of the state folder when absent
    plan: Option<String>,
    /// Namespace of the RightsizingPlan; what was there before is then also recorded in its status
    #[arg(long, short, requires = "plan")]
    namespace: Option<String>,
    #[command(flatten)]
    state: StateArguments,
    /// How it is put in force: `patch`, `in_place`, `scheduled`, `vpa` or `git_ops`; the modes of the configuration when
    /// absent
    #[arg(long)]
    mode: Option<ApplyMode>,
    /// Only these workloads: patterns over namespace/name with `*` and `?`; may be repeated
    #[arg(long, value_name = "PATTERN")]
    workload: Vec<String>,
    /// Show what would be changed, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Folder for the files of the mode `git_ops`
    #[arg(long, value_name = "DIR")]
    output_folder: Option<PathBuf>,
    /// Context of the kubeconfig
    #[arg(long)]
    context: Option<String>,
    /// YAML configuration file of a coordinator, whose keys `apply`, `state` and `cluster.context` are read
    #[arg(long)]
    config: Option<PathBuf>,
}

/// A plan and how it is put in force.
struct Asked {
    plan: Plan,
    config: ApplyConfig,
    context: Option<String>,
    journal: Journal,
    /// Where the plan's object is.
    namespace: Option<String>,
}

impl Asked {
    fn records(&self, cluster: &Cluster) -> Result<Kept, RecordError> {
        let cluster = cluster.clone();
        let namespace = self.namespace.clone();
        let objects = namespace.map(|namespace| PlanObjects { cluster, namespace });
        Kept::new(Some(self.journal.clone()), objects)
    }
}

/// Runs the command; a dry run's differences and the table of what became of the workloads go to standard output.
pub(crate) async fn apply(arguments: ApplyArguments) -> anyhow::Result<Exit> {
    let dry_run = arguments.dry_run;
    let asked = asked(arguments).await?;
    if !asked.config.has_modes() {
        say(NO_MODE);
        return Ok(Exit::Success);
    }
    if dry_run { show(&asked).await } else { put_in_force(&asked).await }
}

async fn asked(arguments: ApplyArguments) -> anyhow::Result<Asked> {
    let coordinator: CoordinatorConfig = load_config(arguments.config.as_deref())?;
    let mut config = coordinator.apply;
    if let Some(mode) = arguments.mode {
        (config.default_mode, config.modes) = (mode, Vec::new());
    }
    if arguments.output_folder.is_some() {
        config.git_ops.folder = arguments.output_folder;
    }
    let state = arguments.state.folder(coordinator.state)?;
    let context = arguments.context.or(coordinator.cluster.context);
    let mut plan = match (&arguments.namespace, &arguments.plan) {
        (Some(namespace), Some(name)) => {
            of_object(&config, context.as_deref(), (namespace, name)).await?
        }
        (_, named) => find(named.as_deref(), &state)?,
    };
    let patterns: Vec<Pattern> = arguments.workload.into_iter().map(Pattern).collect();
    if !patterns.is_empty() {
        let wanted =
            |workload: &WorkloadRef| patterns.iter().any(|pattern| pattern.matches(workload));
        plan.recommendations.retain(|recommendation| wanted(&recommendation.workload));
        anyhow::ensure!(
            !plan.recommendations.is_empty(),
            "plan {} has no workload that --workload names; write namespace/name, with `*` for any text",
            plan.id
        );
    }
    let (journal, namespace) = (Journal::new(&state), arguments.namespace);
    Ok(Asked { plan, config, context, journal, namespace })
}

/// The plan that the object `name` in `namespace` holds.
async fn of_object(
    config: &ApplyConfig,
    context: Option<&str>,
    (namespace, name): (&str, &str),
) -> anyhow::Result<Plan> {
    let found = Cluster::connect(context).await?.plan_of(namespace, name).await?;
    let mut modes = config.modes.iter().map(|rule| rule.mode).chain([config.default_mode]);
    anyhow::ensure!(
        modes.all(|mode| mode != ApplyMode::Scheduled),
        "the object of a plan holds no schedule; name the plan in the state folder, or use another mode"
    );
    if found.left_out > 0 {
        say(&format!("{} recommendations are not in the object and stay advice", found.left_out));
    }
    Ok(found.plan)
}

async fn put_in_force(asked: &Asked) -> anyhow::Result<Exit> {
    let (plan, now) = (&asked.plan, Timestamp::now());
    let report = match in_files(plan, &asked.config, now) {
        Some(report) => report,
        None => in_cluster(asked, now).await?,
    };
    if report.workloads.is_empty() {
        say(&format!("plan {} asks for no change of the workloads that have a mode", plan.id));
        return Ok(Exit::Success);
    }
    print(&table::of_report(&report))?;
    Ok(exit_of(&report))
}

async fn in_cluster(asked: &Asked, now: Timestamp) -> anyhow::Result<Report> {
    let Asked { plan, config, context, journal, .. } = asked;
    let cluster = Cluster::connect(context.as_deref()).await?;
    let records = asked.records(&cluster)?;
    let _held = records.hold()?;
    let stop = CancellationToken::new();
    let driver = Driver {
        actuator: &cluster,
        records: &records,
        config,
        stop: &stop,
        pace: Pace::default(),
        tell: &say,
    };
    let report = until_stopped(driver.put_in_force(plan, now), &stop).await?;
    if records.load(&plan.id).await?.is_some_and(|applied| applied.is_outstanding()) {
        say(&format!("to undo it: mora rollback {} --state {}", plan.id, state_of(journal)));
    }
    Ok(report)
}

fn state_of(journal: &Journal) -> String {
    journal.folder().parent().unwrap_or(journal.folder()).display().to_string()
}

fn exit_of(report: &Report) -> Exit {
    if report.has_failed() {
        Exit::Failure
    } else if report.is_complete() {
        Exit::Success
    } else {
        Exit::Degraded
    }
}

/// Shows what would be changed.
async fn show(asked: &Asked) -> anyhow::Result<Exit> {
    let Asked { plan, config, context, .. } = asked;
    let Intended { changes, left } = intents(plan, config, Timestamp::now());
    let in_cluster = changes.iter().any(|intent| intent.mode != ApplyMode::GitOps);
    let cluster = if in_cluster {
        Some(Cluster::connect(context.as_deref()).await.context("a dry run reads it")?)
    } else {
        None
    };
    let mut previews: Vec<Preview> = left.into_iter().map(Preview::from).collect();
    for intent in &changes {
        previews.push(preview(&plan.id, intent, cluster.as_ref(), config).await);
    }
    print(&previews.iter().map(|preview| preview.diff.as_str()).collect::<String>())?;
    if previews.is_empty() {
        say(&format!("plan {} asks for no change of the workloads that have a mode", plan.id));
        return Ok(Exit::Success);
    }
    print(&table::of_previews(&previews))?;
    let complete = previews.iter().all(|preview| preview.left.is_none());
    Ok(if complete { Exit::Success } else { Exit::Degraded })
}
