//! Running an experiment: isolate, go through the cells, restore whatever happens.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mora_core::{Dataset, Lookback};
use thiserror::Error;
use tokio_util::sync::CancellationToken;

use crate::config::seconds;
use crate::gates::{Observation, judge};
use crate::isolation::scaling;
use crate::pace::{Settling, Waiting};
use crate::plan::clock;
use crate::{
    Aspect, Attempt, Bed, BedError, Cell, Change, Figures, Foreign, JournalError, Load, LoadError,
    LoadReport, LoadRequest, Measure, Plan, Restored, Results, ResultsError, Value, WorkloadState,
    isolate, restore,
};

/// Why an experiment ended early.
#[derive(Debug, Error)]
pub enum ExperimentError {
    /// The bed did not do what it was asked.
    #[error(transparent)]
    Bed(#[from] BedError),
    /// State or journal cannot be written.
    #[error(transparent)]
    Results(#[from] ResultsError),
    /// Workloads are not ready in time.
    #[error("not ready within {seconds} s: {workloads}; look at their events and logs")]
    NotReady {
        /// Which.
        workloads: String,
        /// How long was waited.
        seconds: u32,
    },
    /// The load failed.
    #[error("the load of {cell} failed")]
    Load {
        /// The cell.
        cell: Cell,
        /// Why.
        #[source]
        source: LoadError,
    },
    /// The load made no request.
    #[error(
        "the load of {0} made no request at all; check host and port of the load, and its log in the results folder"
    )]
    EmptyLoad(Cell),
    /// Measurements cannot be read.
    #[error("what was used cannot be read from {from}")]
    Measure {
        /// Where from.
        from: String,
        /// Why.
        #[source]
        source: Foreign,
    },
    /// Somebody else changes what the experiment holds.
    #[error(
        "{change} was to be set, but it is {found} now: somebody else changed it; find out who before the next run"
    )]
    Meddled {
        /// What was to be done.
        change: Box<Change>,
        /// What is there instead of what the experiment set.
        found: Value,
    },
    /// Since the plan was made, something it changes has changed.
    #[error(
        "the application has changed since the plan was made, and nothing was changed by it; begin again"
    )]
    Outdated,
    /// It was asked to stop.
    #[error("the experiment was stopped; go on with --resume")]
    Stopped,
}

impl From<JournalError> for ExperimentError {
    fn from(error: JournalError) -> Self {
        Self::Results(error.into())
    }
}

/// How an experiment ended.
#[derive(Debug)]
pub struct Ended {
    /// Why it ended early; `None` if every cell is done.
    pub failure: Option<ExperimentError>,
    /// What became of everything that was changed.
    pub restored: Result<Restored, JournalError>,
}

/// An experiment about to run.
#[derive(Clone, Copy)]
pub struct Experiment<'a> {
    /// What is done.
    pub plan: &'a Plan,
    /// Where.
    pub bed: &'a dyn Bed,
    /// What puts load on it.
    pub load: &'a dyn Load,
    /// What knows what was used.
    pub measure: &'a dyn Measure,
    /// Told how far it is, a line at a time.
    pub say: &'a (dyn Fn(&str) + Sync),
}

impl Experiment<'_> {
    /// Runs what is left of the plan, and restores everything at the end, whatever the end is. After `stop` it ends as soon
    /// as what it is at can be left, and restores then.
    pub async fn run(&self, results: &mut Results, stop: &CancellationToken) -> Ended {
        let failure = self.cells(results, stop).await.err();
        if !results.journal.outstanding().is_empty() {
            self.tell(&format!("restoring {} changes", results.journal.outstanding().len()));
        }
        let restored = restore(self.bed, &mut results.journal, false).await;
        Ended { failure, restored }
    }

    async fn cells(
        &self,
        results: &mut Results,
        stop: &CancellationToken,
    ) -> Result<(), ExperimentError> {
        let Plan { setup, matrix, remaining, isolation, retries } = self.plan;
        let waiting = Waiting { target: &setup.target, timing: &setup.timing, stop };
        let states = waiting.ready(self.bed).await?;
        if isolate(&states, &setup.target, &setup.isolation).as_ref() != Ok(isolation) {
            return Err(ExperimentError::Outdated);
        }
        results.journal.begin(self.bed.name())?;
        for change in &isolation.changes {
            waiting.going_on()?;
            self.change(results, change.clone()).await?;
        }
        for (index, cell) in remaining.iter().enumerate() {
            self.tell(&format!("[{} of {}] {cell}", index + 1, remaining.len()));
            let mut attempts = Vec::new();
            let datasets = loop {
                let number = attempts.len() + 1;
                let (attempt, datasets) = self.attempt(results, (cell, number), waiting).await?;
                let done = attempt.reasons.is_empty() || number > *retries as usize;
                self.tell_verdict(&attempt, done);
                attempts.push(attempt);
                if done {
                    break datasets;
                }
            };
            results.keep(cell, attempts, &datasets)?;
            results.write_manifest(setup, matrix)?;
        }
        Ok(())
    }

    async fn attempt(
        &self,
        results: &mut Results,
        (cell, number): (&Cell, usize),
        waiting: Waiting<'_>,
    ) -> Result<(Attempt, Vec<Dataset>), ExperimentError> {
        waiting.going_on()?;
        let (target, started) = (waiting.target, Timestamp::now());
        for change in scaling(&self.bed.workload(target).await?, cell.replicas) {
            self.change(results, change).await?;
        }
        let states = waiting.ready(self.bed).await?;
        let mut notes = Vec::new();
        if let Settling::Moving(reason) = waiting.settled(self.measure).await? {
            notes.push(format!("began before the target had settled: {reason}"));
        }
        let (load, too_few) = self.put_load(results, (cell, number), waiting).await?;
        let expected = self.steady_part(&load);
        let datasets = if expected.steps() == 0 {
            Vec::new()
        } else {
            waiting.collected(self.measure, &expected).await?
        };
        let (gates, replicas) = (&self.plan.setup.gates, cell.replicas);
        let mut reasons = self.verdict(&states, (&datasets, &expected, &load), replicas);
        reasons.extend(too_few);
        let stable = gates.quality.stable_seconds;
        let figures = Figures::of(target, &datasets, &expected, stable);
        let ended = Timestamp::now();
        Ok((Attempt { started, ended, expected, load, figures, reasons, notes }, datasets))
    }

    fn verdict(
        &self,
        states: &[WorkloadState],
        (datasets, expected, load): (&[Dataset], &Lookback, &LoadReport),
        replicas: u32,
    ) -> Vec<String> {
        let target = &self.plan.setup.target;
        let observation = Observation { target, replicas, expected, datasets, states, load };
        judge(&observation, &self.plan.setup.gates)
    }

    async fn put_load(
        &self,
        results: &Results,
        (cell, number): (&Cell, usize),
        waiting: Waiting<'_>,
    ) -> Result<(LoadReport, Option<String>), ExperimentError> {
        waiting.going_on()?;
        let config = &self.plan.setup.load;
        let request = LoadRequest {
            plan: cell.scenario.clone().into(),
            host: config.host.clone(),
            port: config.port,
            users: cell.users,
            ramp: seconds(waiting.timing.ramp_seconds),
            duration: waiting.timing.load(),
            think_time: Duration::from_millis(config.think_milliseconds),
            properties: config.properties.clone(),
            results: results.load_folder(cell, number)?,
        };
        self.tell(&format!("  load for {}", clock(request.duration)));
        let ended = self.load.run(&request, waiting.stop).await;
        // A load that was stopped has failed too, but that is not why the experiment ends.
        waiting.going_on()?;
        match ended {
            Ok(load) if load.samples == 0 => Err(ExperimentError::EmptyLoad(cell.clone())),
            Ok(load) => Ok((load, None)),
            // It was a load, though not the one that was asked for.
            Err(LoadError::TooFew { report, wanted }) => {
                let reason = LoadError::TooFew { report: report.clone(), wanted }.to_string();
                Ok((*report, Some(reason)))
            }
            Err(source) => Err(ExperimentError::Load { cell: cell.clone(), source }),
        }
    }

    /// From the end of the warm-up to the end of the load, which may be earlier than it was to be.
    fn steady_part(&self, load: &LoadReport) -> Lookback {
        let timing = &self.plan.setup.timing;
        let after = |count: u32| {
            let length = SignedDuration::from_secs(i64::from(count));
            load.started.saturating_add(length).unwrap_or(load.ended)
        };
        let from = after(timing.ramp_seconds + timing.warm_seconds);
        let to = after(timing.ramp_seconds + timing.warm_seconds + timing.steady_seconds);
        Lookback { from, to: to.min(load.ended), step: timing.step() }
    }

    /// Makes `change` once the journal tells of it.
    async fn change(&self, results: &mut Results, change: Change) -> Result<(), ExperimentError> {
        let known = results.journal.of(&change.workload, &change.aspect);
        if known.is_some_and(|known| !known.ours.contains(&change.before)) {
            let found = change.before;
            return Err(ExperimentError::Meddled { change: Box::new(change), found });
        }
        if !matches!(change.aspect, Aspect::Claim(_)) {
            self.tell(&format!("  {change}"));
        }
        results.journal.note(change.clone())?;
        Ok(self.bed.set(&change.workload, &change.aspect, &change.after).await?)
    }

    fn tell(&self, sentence: &str) {
        (self.say)(sentence);
    }

    fn tell_verdict(&self, attempt: &Attempt, done: bool) {
        for note in &attempt.notes {
            self.tell(&format!("  {note}"));
        }
        let figures = &attempt.figures;
        let cpu = figures.cpu_cores.map_or_else(|| "no".to_owned(), |cores| format!("{cores:.3}"));
        let LoadReport { samples, throughput, .. } = attempt.load;
        let verdict = if attempt.reasons.is_empty() {
            "accepted".to_owned()
        } else {
            let then = if done { "" } else { "; once more" };
            format!("rejected: {}{then}", attempt.reasons.join("; "))
        };
        self.tell(&format!("  {samples} requests, {throughput:.1}/s, {cpu} cores: {verdict}"));
    }
}

#[cfg(test)]
mod tests;
