//! One run on a real cluster.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use mora_cluster_simulator::{ScalingEvent, ScalingKind};
use mora_collector::PrometheusApi;
use mora_core::{Dataset, WorkloadRef};
use mora_evaluation::{
    Arm, Clock, ContainerOf, MeasuredRun, MeasuredView, Page, Scenario, Setup, load_schedule,
    next_decision,
};
use mora_experiments::{JMeter, LoadReport, LoadRequest, page_samples};
use mora_kubernetes::Cluster;
use tokio_util::sync::CancellationToken;

use super::force::Force;
use super::settings::ClusterSettings;
use super::usage::Usage;
use super::watch::{Seen, Watch};
use crate::progress::say;

/// From the start of JMeter until the first visit: its virtual machine and plan are ready by then.
const LEAD: SignedDuration = SignedDuration::from_secs(15);
/// Minutes of the clock between two points of the load's schedule.
const LOAD_MINUTES: usize = 10;
/// Requests that a visit of the plan `day` makes of the frontend, redirects included; measured, see docs/load.md.
const REQUESTS_PER_VISIT: f64 = 4.8;
/// Pause of a visitor before each page: a visit is over within minutes of a compressed day.
const THINK: Duration = Duration::from_millis(200);
/// For the last visits to end, in seconds.
const REST: f64 = 7.0;

/// What a run is made with.
pub(super) struct ClusterRun<'a> {
    pub(super) settings: &'a ClusterSettings,
    pub(super) setup: &'a Setup,
    pub(super) scenario: &'a Scenario,
    pub(super) seed: u64,
    pub(super) cluster: &'a Cluster,
    pub(super) namespace: &'a str,
    pub(super) api: &'a PrometheusApi,
    pub(super) load: &'a JMeter,
    pub(super) history: Arc<Vec<Dataset>>,
    /// Where JMeter's files, and records of changes, are kept.
    pub(super) folder: PathBuf,
}

/// What came of it, and what should be known with it.
pub(super) struct Ran {
    pub(super) run: MeasuredRun,
    pub(super) facts: BTreeMap<String, String>,
}

/// What goes on while an arm acts.
#[derive(Clone, Copy)]
struct During<'a> {
    watch: &'a Watch<'a>,
    clock: Clock,
    stop: &'a CancellationToken,
}

/// What an arm did meanwhile.
#[derive(Debug, Default)]
struct Acted {
    changes: Vec<ScalingEvent>,
    decisions: u32,
    missed: u32,
    refused: u32,
    /// Real seconds from when decisions were due until they were in force.
    delay: f64,
}

impl ClusterRun<'_> {
    /// Lets `arm` act on the application, whose containers are `containers`, under the load of the scenario; without an arm
    /// something in the cluster acts by itself.
    ///
    /// Fails when the cluster, Prometheus or JMeter do, and when it is told to stop.
    pub(super) async fn run(
        &self,
        arm: Option<&mut Box<dyn Arm>>,
        containers: BTreeMap<WorkloadRef, ContainerOf>,
        stop: &CancellationToken,
    ) -> anyhow::Result<Ran> {
        let watch = Watch::new(self.cluster, self.namespace, containers);
        watch.look(true).await?;
        let mut arm = arm;
        let mut acted = Acted::default();
        let from = self.setup.acts_from();
        if let Some(arm) = &mut arm {
            // Before the load: models are trained here, which takes longer than the day that follows.
            let before = During { watch: &watch, clock: self.clock(Timestamp::now())?, stop };
            self.decide(arm, before, from, &mut acted).await?;
        }
        let clock = self.clock(Timestamp::now() + LEAD)?;
        let ended = CancellationToken::new();
        let acting = async {
            let acted = match arm {
                Some(arm) => self.act(arm, During { watch: &watch, clock, stop }, acted).await,
                None => Ok(acted),
            };
            // An arm that failed ends the load, a load that failed ends the looks.
            if acted.is_err() {
                stop.cancel();
            }
            acted
        };
        let request = self.request(&clock);
        let loading = async {
            let report = self.load.run(&request, stop).await;
            ended.cancel();
            if report.is_err() {
                stop.cancel();
            }
            report
        };
        let (acted, report, ()) = tokio::join!(acting, loading, watch.keep_looking(&ended));
        let (acted, report) = (acted?, report.context("there was no load to judge by")?);
        let seen = watch.seen();
        let run = self.measured(&clock, &seen, &request.results, acted.changes.clone()).await?;
        let facts = facts(&acted, &report, &run);
        Ok(Ran { run, facts })
    }

    fn clock(&self, begun: Timestamp) -> anyhow::Result<Clock> {
        Ok(Clock::new(begun, self.setup.acts_from(), self.settings.compression)?)
    }

    fn minutes(&self) -> usize {
        let lasts = self.setup.end(self.scenario).duration_since(self.setup.acts_from());
        usize::try_from(lasts.as_secs() / 60).unwrap_or(0)
    }

    fn request(&self, clock: &Clock) -> LoadRequest {
        let demand = self.scenario.demand(self.seed, self.setup.rate, self.setup.start);
        let minutes = self.minutes();
        let span = (minutes, LOAD_MINUTES);
        let schedule = load_schedule(demand.as_ref(), clock, span, REQUESTS_PER_VISIT, REST);
        let lasts = clock.takes(SignedDuration::from_mins(minutes as i64));
        let begin = clock.begun().as_millisecond().to_string();
        let seed = self.seed.to_string();
        let properties = [("schedule", schedule), ("begin_at_ms", begin), ("seed", seed)];
        LoadRequest {
            plan: Path::new("day").to_owned(),
            host: self.settings.host.clone(),
            port: self.settings.port,
            // Only what the users of another schedule would ask for is judged by them.
            users: 1,
            ramp: Duration::ZERO,
            duration: lasts + LEAD.unsigned_abs() + Duration::from_secs_f64(REST),
            think_time: THINK,
            properties: properties.map(|(key, value)| (key.to_owned(), value)).into(),
            results: self.folder.join("load"),
        }
    }

    /// Decides whenever that is due until the end; what is due while a decision is made is left out.
    async fn act(
        &self,
        arm: &mut Box<dyn Arm>,
        during: During<'_>,
        mut acted: Acted,
    ) -> anyhow::Result<Acted> {
        let During { clock, stop, .. } = during;
        let end = self.setup.end(self.scenario);
        let mut now = self.setup.acts_from();
        while let Some(due) = next_decision(now, arm.every()).filter(|due| *due < end) {
            now = due;
            let wait = clock.real(due).duration_since(Timestamp::now());
            let Ok(wait) = Duration::try_from(wait) else {
                acted.missed += 1;
                continue;
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                () = stop.cancelled() => anyhow::bail!("it was told to stop"),
            }
            self.decide(arm, during, due, &mut acted).await?;
            let late = Timestamp::now().duration_since(clock.real(due));
            acted.delay += late.as_secs_f64();
        }
        Ok(acted)
    }

    /// Shows `arm` what there is, and makes what it asks for.
    async fn decide(
        &self,
        arm: &mut Box<dyn Arm>,
        during: During<'_>,
        now: Timestamp,
        acted: &mut Acted,
    ) -> anyhow::Result<()> {
        let During { watch, clock, stop } = during;
        let seen = watch.seen();
        let run = self.so_far(&clock, &seen).await?;
        let containers = seen.containers.clone();
        let view = MeasuredView::new(self.history.clone(), &run, now, containers);
        let changes = arm.decide(&view, now).await?;
        let state = self.folder.join("state");
        let force =
            Force { cluster: self.cluster, state: &state, containers: &seen.containers, stop };
        let forced = force.make(&changes).await?;
        let at = clock.shows(Timestamp::now());
        let resized = forced.resized.into_iter();
        acted.changes.extend(resized.map(|workload| ScalingEvent {
            at,
            workload,
            kind: ScalingKind::InPlace,
        }));
        acted.refused += forced.refused;
        acted.decisions += 1;
        Ok(())
    }

    /// What was measured since the clock began.
    async fn so_far(&self, clock: &Clock, seen: &Seen) -> anyhow::Result<MeasuredRun> {
        let now = Timestamp::now();
        let tracks = if clock.begun() < now {
            self.usage(seen).between(clock.begun(), now).await?
        } else {
            BTreeMap::new()
        };
        Ok(self.gathered(clock, seen, tracks))
    }

    /// Everything that was measured.
    async fn measured(
        &self,
        clock: &Clock,
        seen: &Seen,
        load: &Path,
        changes: Vec<ScalingEvent>,
    ) -> anyhow::Result<MeasuredRun> {
        let to = clock.real(self.setup.end(self.scenario));
        let tracks = self.usage(seen).between(clock.begun(), to).await?;
        let pages = page_samples(&load.join("samples.csv"))?.into_iter();
        let pages = pages
            .map(|page| Page { began: page.began, seconds: page.seconds, failed: page.failed })
            .collect();
        Ok(MeasuredRun { pages, changes, ..self.gathered(clock, seen, tracks) })
    }

    fn usage<'b>(&'b self, seen: &'b Seen) -> Usage<'b> {
        let (api, namespace) = (self.api, self.namespace);
        Usage { api, namespace, scrape_seconds: self.settings.scrape_seconds, owners: &seen.owners }
    }

    fn gathered(
        &self,
        clock: &Clock,
        seen: &Seen,
        tracks: BTreeMap<WorkloadRef, mora_evaluation::WorkloadTracks>,
    ) -> MeasuredRun {
        let application = &self.setup.application;
        MeasuredRun {
            clock: *clock,
            minutes: self.minutes(),
            first: self.setup.settling_minutes as usize,
            workloads: application.microservices.iter().map(|one| one.workload.clone()).collect(),
            entry: application.entry,
            held: seen.held.clone(),
            tracks,
            pages: Vec::new(),
            changes: Vec::new(),
        }
    }
}

fn facts(acted: &Acted, report: &LoadReport, run: &MeasuredRun) -> BTreeMap<String, String> {
    let decided = f64::from(acted.decisions.saturating_sub(1).max(1));
    say(&format!(
        "{} pages, {} failed; {} decisions, {} missed, {} changes refused",
        report.samples, report.errors, acted.decisions, acted.missed, acted.refused
    ));
    [
        ("load", report.by.clone()),
        ("pages", report.samples.to_string()),
        ("decisions", acted.decisions.to_string()),
        ("decisions missed", acted.missed.to_string()),
        ("decision to effect, seconds", format!("{:.1}", acted.delay / decided)),
        ("changes refused", acted.refused.to_string()),
        ("minutes without CPU usage", format!("{:.4}", run.unobserved())),
    ]
    .map(|(name, fact)| (name.to_owned(), fact))
    .into()
}
