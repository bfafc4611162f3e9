//! `mora rollback`: undoing what was changed for a plan.

use anyhow::Context;
use clap::Args;
use mora_apply::{Journal, Outcome, RecordError, Records, Undone, roll_back};
use mora_kubernetes::Cluster;
use mora_runtime::Exit;

use crate::apply::{StateArguments, of_undone};

/// Options of `mora rollback`.
#[derive(Debug, Args)]
pub(crate) struct RollbackArguments {
    /// Identifier of the plan that was put in force
    plan: String,
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
    let RollbackArguments { plan, state, context, force } = arguments;
    let journal = Journal::new(&state.folder(None)?);
    let _held = journal.hold()?;
    let mut applied = journal.load(&plan).await?.ok_or_else(|| RecordError::Unknown {
        plan: plan.clone(),
        place: journal.folder().display().to_string(),
    })?;
    let cluster = Cluster::connect(context.as_deref()).await.context("nothing was undone")?;
    let undone = roll_back(&cluster, &journal, &mut applied, force).await?;
    print!("{}", of_undone(&plan, &undone));
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
