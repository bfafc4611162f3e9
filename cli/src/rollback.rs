//! `mora rollback`: undoing what was changed for a plan.

use anyhow::Context;
use clap::Args;
use mora_apply::{Journal, Kept, Outcome, PlanObjects, RecordError, Records, Undone, roll_back};
use mora_kubernetes::Cluster;
use mora_runtime::Exit;

use crate::apply::{StateArguments, of_undone};
use crate::stdout::print;

/// Options of `mora rollback`.
#[derive(Debug, Args)]
pub(crate) struct RollbackArguments {
    /// Identifier of the plan that was put in force, or with --namespace the name of its RightsizingPlan
    plan: String,
    /// Namespace of the RightsizingPlan, whose status is read where the state folder has no record
    #[arg(long, short)]
    namespace: Option<String>,
    #[command(flatten)]
    state: StateArguments,
    /// Context of the kubeconfig
    #[arg(long)]
    context: Option<String>,
    /// Also set back what somebody else changed since
    #[arg(long)]
    force: bool,
}

/// Runs the command; a table of what became of each change goes to standard output.
pub(crate) async fn rollback(arguments: RollbackArguments) -> anyhow::Result<Exit> {
    let RollbackArguments { plan, namespace, state, context, force } = arguments;
    let journal = Journal::new(&state.folder(None)?);
    let cluster = Cluster::connect(context.as_deref()).await.context("nothing was undone")?;
    let in_cluster = cluster.clone();
    let objects = namespace.map(|namespace| PlanObjects { cluster: in_cluster, namespace });
    let records = Kept::new(Some(journal), objects)?;
    let _held = records.hold()?;
    let found = records.load(&plan).await?;
    let places = records.places();
    let unknown = || RecordError::Unknown { plan: plan.clone(), place: places };
    let mut applied = found.ok_or_else(unknown)?;
    let undone = roll_back(&cluster, &records, &mut applied, force).await?;
    print(&of_undone(&plan, &undone))?;
    Ok(exit_of(&undone))
}

fn exit_of(undone: &[Undone]) -> Exit {
    let has = |outcome| undone.iter().any(|one| one.outcome == outcome);
    if has(Outcome::Failed) {
        Exit::Failure
    } else if has(Outcome::LeftAlone) {
        Exit::Degraded
    } else {
        Exit::Success
    }
}
