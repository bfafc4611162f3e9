//! A plan that can be explained and asked what would be if: of a running coordinator, from the folder a coordinator
//! remembers plans in, or made here.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use mora_coordinator::{CoordinatorClient, Record, Store};
use mora_core::{Plan, Recommendation, WorkloadRef};
use mora_planning::what_if;

use crate::connect::{ConnectArguments, TokenArguments};
use crate::gather::{Gathered, SourceArguments, gather, layered, predictive};

/// Where the plan comes from; without either option it is made here from Prometheus.
#[derive(Debug, Args)]
pub(crate) struct PlanArguments {
    /// Address of a coordinator that serves, as in `http://localhost:50053`
    #[arg(long, conflicts_with = "state")]
    coordinator: Option<String>,
    /// Folder in which a coordinator remembers its plans, its key `state`
    #[arg(long)]
    state: Option<PathBuf>,
    #[command(flatten)]
    connect: ConnectArguments,
    #[command(flatten)]
    token: TokenArguments,
    #[command(flatten)]
    source: SourceArguments,
}

/// A plan and whom to ask about it.
pub(crate) struct KnownPlan {
    pub(crate) plan: Plan,
    origin: Origin,
}

enum Origin {
    Served(CoordinatorClient),
    Recorded(Box<Record>),
}

impl KnownPlan {
    /// The newest plan by `arguments`.
    pub(crate) async fn find(arguments: &PlanArguments) -> anyhow::Result<Self> {
        if let Some(endpoint) = &arguments.coordinator {
            let configured = layered(&arguments.source)?.tls;
            let security = arguments.connect.security(configured.as_ref())?;
            let token = arguments.token.token()?;
            let client = CoordinatorClient::new(endpoint, &security, token);
            let client = client.context("mend --coordinator")?;
            let plan = client.newest_plan().await?;
            return Ok(Self { plan, origin: Origin::Served(client) });
        }
        let record = match &arguments.state {
            Some(folder) => Store::newest(folder)?,
            None => made_here(&arguments.source).await?,
        };
        Ok(Self { plan: record.plan.clone(), origin: Origin::Recorded(Box::new(record)) })
    }

    /// The workload that `text` names: `namespace/name`, `namespace/Kind/name`, or a name that only one has.
    ///
    /// Fails when the plan has no such workload, or several.
    pub(crate) fn workload(&self, text: &str) -> anyhow::Result<WorkloadRef> {
        let planned = self.plan.recommendations.iter().map(|r| &r.workload);
        let named = |workload: &&WorkloadRef| match text.parse::<WorkloadRef>() {
            Ok(full) => **workload == full,
            Err(_) => workload.name() == text,
        };
        let mut found: Vec<&WorkloadRef> = planned.filter(named).collect();
        found.dedup();
        match found[..] {
            [workload] => Ok(workload.clone()),
            [] => anyhow::bail!("the plan has no workload `{text}`; it has {}", self.names()),
            _ => anyhow::bail!("several workloads are named `{text}`; write namespace/Kind/name"),
        }
    }

    /// What the plan recommends for the containers of `workload`.
    pub(crate) fn of<'a>(
        &'a self,
        workload: &'a WorkloadRef,
    ) -> impl Iterator<Item = &'a Recommendation> {
        self.plan.recommendations.iter().filter(move |r| r.workload == *workload)
    }

    /// The plan with the load of the workloads multiplied by `factors`.
    pub(crate) async fn supposing(&self, factors: &[(WorkloadRef, f64)]) -> anyhow::Result<Plan> {
        match &self.origin {
            Origin::Served(client) => Ok(client.what_if(factors).await?),
            Origin::Recorded(record) => Ok(what_if(&record.evidence, &record.policy, factors)?),
        }
    }

    fn names(&self) -> String {
        let mut names: Vec<&str> =
            self.plan.recommendations.iter().map(|r| r.workload.name()).collect();
        names.dedup();
        names.join(", ")
    }
}

async fn made_here(source: &SourceArguments) -> anyhow::Result<Record> {
    let Gathered { config, datasets, now } = gather(source).await?;
    Ok(predictive(&config, datasets, now).await?.into())
}
