//! An evaluation on a real cluster: one run after the other, each on the application as it was before.

mod force;
mod isolated;
mod run;
mod settings;
mod usage;
mod watch;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, ensure};
use mora_collector::PrometheusApi;
use mora_core::WorkloadRef;
use mora_evaluation::{
    Arm, ArmFactory, ArmName, Configuration, History, MOST_REPLICAS, Metrics, ResultRow, Results,
    RunContext, RunKey, Scenario, Setup, Trace, metrics,
};
use mora_experiments::JMeter;
use mora_runtime::{Exit, until_stopped};
use tokio_util::sync::CancellationToken;

use self::isolated::Isolated;
use self::run::{ClusterRun, Ran};
pub(super) use self::settings::{ClusterArguments, ClusterSettings};
use super::arms::Arms;
use crate::progress::say;
use crate::version::provenance;

/// Under which the settings of the cluster stand in the configuration of an evaluation.
pub(super) const CLUSTER: &str = "cluster";

/// Where the runs of `configuration` happen; `None` for a simulated cluster.
///
/// Fails when that is another version's.
pub(super) fn cluster_of(configuration: &Configuration) -> anyhow::Result<Option<ClusterSettings>> {
    let Some(value) = configuration.arms.get(CLUSTER) else { return Ok(None) };
    let settings = serde_json::from_value(value.clone()).context(
        "the settings of the cluster in configuration.json cannot be used; run it anew with another --results",
    )?;
    Ok(Some(settings))
}

/// Makes the runs that `results` lack on the cluster of `settings`; puts back first what an interrupted run left.
pub(super) async fn go_on(
    results: Results,
    folder: &Path,
    settings: ClusterSettings,
) -> anyhow::Result<Exit> {
    let evaluation = Evaluated::new(&results, folder, &settings)?;
    let namespace = namespace(&results.configuration().setup)?;
    let place = folder.join(CLUSTER);
    let mut isolated = Isolated::open(settings.context.as_deref(), &namespace, &place).await?;
    isolated.restore_earlier().await?;
    let runs = results.configuration().matrix.runs()?;
    let due: Vec<_> = runs.into_iter().filter(|(key, _)| !results.has(key)).collect();
    say(&format!("{} runs to make on the cluster, in {namespace}", due.len()));
    for (key, scenario) in &due {
        let setup = &results.configuration().setup;
        let events =
            scenario.events(&setup.application, key.seed, setup.start, setup.nodes.len())?;
        ensure!(
            events.is_empty(),
            "nothing causes the events of the scenario `{}` on a cluster; leave it out of --scenarios",
            key.scenario
        );
    }
    let mut histories = BTreeMap::new();
    for (key, scenario) in &due {
        let history = evaluation.history(&mut histories, key, scenario).await?;
        let (row, trace) = Box::pin(evaluation.one(&mut isolated, key, scenario, history)).await?;
        tell(key, &row.metrics);
        results.keep(&row, Some(&trace))?;
    }
    results.merge()?;
    say(&format!(
        "{} runs made; `mora evaluate report --results {}` compares them",
        due.len(),
        folder.display()
    ));
    Ok(Exit::Success)
}

/// The namespace of the application, which has one.
fn namespace(setup: &Setup) -> anyhow::Result<String> {
    let mut workloads = setup.application.microservices.iter().map(|one| &one.workload);
    let first = workloads.next().map(WorkloadRef::namespace).unwrap_or_default().to_owned();
    ensure!(
        workloads.all(|workload| workload.namespace() == first),
        "the application is in several namespaces; on a cluster it has to be in one"
    );
    Ok(first)
}

fn tell(key: &RunKey, metrics: &Metrics) {
    say(&format!(
        "{} with {}, seed {}: {:.2} CPU hours requested, {:.2} used, {:.2} % of minutes missed the objective",
        key.scenario,
        key.arm,
        key.seed,
        metrics.cpu_hours_requested,
        metrics.cpu_hours_used,
        metrics.violations * 100.0
    ));
}

type Histories = BTreeMap<(String, u64), Arc<History>>;

/// What all runs share.
struct Evaluated<'a> {
    results: &'a Results,
    folder: &'a Path,
    settings: &'a ClusterSettings,
    arms: Arms,
    api: PrometheusApi,
    load: JMeter,
}

impl<'a> Evaluated<'a> {
    fn new(
        results: &'a Results,
        folder: &'a Path,
        settings: &'a ClusterSettings,
    ) -> anyhow::Result<Self> {
        let configuration = results.configuration();
        ensure!(
            !configuration.matrix.arms.contains(&ArmName::Oracle),
            "the oracle knows a simulated future, which a cluster has not; leave it out of --arms"
        );
        let namespace = namespace(&configuration.setup)?;
        let load = JMeter::new(settings.jmeter())?;
        load.knows(Path::new("day"))?;
        Ok(Self {
            results,
            folder,
            settings,
            arms: Arms::new(configuration, folder)?,
            api: PrometheusApi::connect(&settings.prometheus(&namespace))?,
            load,
        })
    }

    /// What was observed before, simulated once for each seed and kind of load.
    async fn history(
        &self,
        known: &mut Histories,
        key: &RunKey,
        scenario: &Scenario,
    ) -> anyhow::Result<Arc<History>> {
        let named = (scenario.history().to_string(), key.seed);
        if let Some(history) = known.get(&named) {
            return Ok(history.clone());
        }
        say(&format!("simulating {} days of history", self.setup().history_days));
        let (setup, scenario, seed) = (self.setup().clone(), scenario.clone(), key.seed);
        let made = tokio::task::spawn_blocking(move || History::simulate(&setup, &scenario, seed));
        let history = Arc::new(made.await.context("the simulation of the history broke off")??);
        known.insert(named, history.clone());
        Ok(history)
    }

    fn setup(&self) -> &Setup {
        &self.results.configuration().setup
    }

    /// One run on the application as it was, which is put back afterwards however the run ends.
    async fn one(
        &self,
        isolated: &mut Isolated,
        key: &RunKey,
        scenario: &Scenario,
        history: Arc<History>,
    ) -> anyhow::Result<(ResultRow, Trace)> {
        say(&format!("{} with {}, seed {}: begins", key.scenario, key.arm, key.seed));
        let stop = CancellationToken::new();
        let context = RunContext { key, setup: self.setup(), scenario, history: &history };
        let ran = Box::pin(self.ran(isolated, &context, &stop));
        let ran = until_stopped(ran, &stop).await;
        let restored = isolated.restore().await;
        // The first failure is why there may be a second.
        let Ran { run, facts } = ran.inspect_err(|_| {
            if let Err(error) = &restored {
                say(&format!("error: {error:#}"));
            }
        })?;
        restored?;
        let recording = run.recording();
        let mut provenance = provenance();
        self.results.digest().clone_into(&mut provenance.configuration);
        CLUSTER.clone_into(&mut provenance.environment);
        provenance.facts.extend(facts);
        provenance.facts.extend(self.facts());
        let metrics = metrics(&recording, self.setup().objective);
        let trace = Trace::of(key.clone(), &recording);
        Ok((ResultRow { key: key.clone(), metrics, provenance }, trace))
    }

    fn facts(&self) -> [(String, String); 2] {
        [
            ("compression".to_owned(), self.settings.compression.to_string()),
            ("timers of HorizontalPodAutoscalers".to_owned(), "not compressed".to_owned()),
        ]
    }

    async fn ran(
        &self,
        isolated: &mut Isolated,
        context: &RunContext<'_>,
        stop: &CancellationToken,
    ) -> anyhow::Result<Ran> {
        let RunContext { key, setup, scenario, history } = *context;
        let containers = isolated.begin(&setup.application).await?;
        let mut arm = match autoscaled(key) {
            Some(percent) => {
                isolated.autoscale(&scaled(setup), MOST_REPLICAS, percent).await?;
                None
            }
            None => Some(self.make(context)?),
        };
        let folder =
            self.folder.join(CLUSTER).join(format!("{}-{}-{}", key.scenario, key.arm, key.seed));
        let run = ClusterRun {
            settings: self.settings,
            setup,
            scenario,
            seed: key.seed,
            cluster: &isolated.cluster,
            namespace: &isolated.namespace,
            api: &self.api,
            load: &self.load,
            history: Arc::new(history.datasets()),
            folder,
        };
        Box::pin(run.run(arm.as_mut(), containers, stop)).await
    }

    fn make(&self, context: &RunContext<'_>) -> anyhow::Result<Box<dyn Arm>> {
        self.arms.make(context).map_err(anyhow::Error::from_boxed)
    }
}

/// The target of the autoscalers that `key` asks for, in percent; `None` for an arm of ours.
fn autoscaled(key: &RunKey) -> Option<u32> {
    let percent = match key.arm {
        ArmName::Hpa50 => 50,
        ArmName::Hpa70 => 70,
        ArmName::Hpa80 => 80,
        _ => return None,
    };
    // A margin makes requests larger, and a target smaller.
    let target = f64::from(percent) * 1000.0 / f64::from(key.margin_thousandths.max(1));
    Some((target.round() as u32).clamp(1, 100))
}

/// The workloads that may have several replicas, and those of their manifests.
fn scaled(setup: &Setup) -> BTreeMap<WorkloadRef, u32> {
    let scaled = setup.application.microservices.iter().filter(|one| one.scales);
    scaled.map(|one| (one.workload.clone(), one.replicas)).collect()
}
