//! Waiting for what an experiment needs, never longer than is bearable.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use mora_core::{Lookback, Series, SeriesQuality, Signal, WorkloadRef};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::config::seconds;
use crate::run::ExperimentError;
use crate::{Bed, Measure, Timing, WorkloadState};

/// Pause between two looks at the bed.
const LOOK: Duration = Duration::from_secs(1);

/// What is waited for, and where.
#[derive(Clone, Copy)]
pub(crate) struct Waiting<'a> {
    pub(crate) target: &'a WorkloadRef,
    pub(crate) timing: &'a Timing,
    pub(crate) stop: &'a CancellationToken,
}

/// How the wait for the target's CPU usage to settle ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Settling {
    Settled,
    /// It did not in time, for this reason.
    Moving(String),
}

impl Waiting<'_> {
    /// The workloads of the target's namespace once all are ready.
    ///
    /// Fails when they are not in time, when the bed does not answer, or when the experiment is stopped.
    pub(crate) async fn ready(&self, bed: &dyn Bed) -> Result<Vec<WorkloadState>, ExperimentError> {
        let deadline = Instant::now() + seconds(self.timing.ready_seconds);
        loop {
            let states = bed.workloads(self.target.namespace()).await?;
            let waiting: Vec<&WorkloadState> = states.iter().filter(|s| !s.settled).collect();
            if waiting.is_empty() {
                return Ok(states);
            }
            if Instant::now() >= deadline {
                let text = |s: &&WorkloadState| {
                    format!("{} ({} of {} ready)", s.workload, s.ready, s.replicas)
                };
                let workloads = waiting.iter().map(text).collect::<Vec<_>>().join(", ");
                let seconds = self.timing.ready_seconds;
                return Err(ExperimentError::NotReady { workloads, seconds });
            }
            self.pause(LOOK).await?;
        }
    }

    /// Waits until the target's CPU usage hardly varies, or is that of something that idles.
    ///
    /// Fails only when the experiment is stopped.
    pub(crate) async fn settled(&self, measure: &dyn Measure) -> Result<Settling, ExperimentError> {
        let deadline = Instant::now() + seconds(self.timing.settle_seconds);
        let mut moving = "it was not waited for".to_owned();
        while Instant::now() < deadline {
            match self.usage(measure).await {
                Ok(None) => return Ok(Settling::Settled),
                Ok(Some(reason)) => moving = reason,
                Err(error) => moving = error.to_string(),
            }
            self.pause(seconds(self.timing.step_seconds)).await?;
        }
        Ok(Settling::Moving(moving))
    }

    /// Why the target's CPU usage has not settled; `None` if it has.
    async fn usage(&self, measure: &dyn Measure) -> Result<Option<String>, crate::Foreign> {
        let window = self.timing.settle_window_seconds;
        let to = Timestamp::now();
        let from = to.saturating_sub(SignedDuration::from_secs(i64::from(window)))?;
        let expected = Lookback { from, to, step: self.timing.step() };
        let datasets = measure.datasets(self.target.namespace(), &expected).await?;
        let dataset = datasets.iter().find(|d| d.workload == *self.target);
        let cpu = dataset.and_then(|d| d.signals().remove(&Signal::Cpu));
        let Some(cpu) = cpu else { return Ok(Some("its CPU usage was not measured".to_owned())) };
        let quality = SeriesQuality::of(&cpu, &expected, window);
        let largest = cpu.observed().fold(0.0, f64::max);
        Ok(match quality.variation {
            None => Some(format!("its CPU usage was seen {} times", quality.observed)),
            Some(_) if largest <= self.timing.settle_idle_cores => None,
            Some(found) if found <= self.timing.settle_variation => None,
            Some(found) => Some(format!(
                "its CPU usage of up to {largest:.3} cores varies by {:.0} % over {window} s",
                found * 100.0
            )),
        })
    }

    /// What was measured at the `expected` instants, once the last of them has been.
    ///
    /// Fails when nothing can be read in time, or when the experiment is stopped. What is still missing at the end is left to
    /// the gates.
    pub(crate) async fn collected(
        &self,
        measure: &dyn Measure,
        expected: &Lookback,
    ) -> Result<Vec<mora_core::Dataset>, ExperimentError> {
        let deadline = Instant::now() + seconds(self.timing.collect_seconds);
        loop {
            let answer = measure.datasets(self.target.namespace(), expected).await;
            let late = Instant::now() >= deadline;
            match answer {
                Ok(datasets) if late || self.reaches_end(&datasets, expected) => {
                    return Ok(datasets);
                }
                Err(source) if late => {
                    return Err(ExperimentError::Measure { from: measure.describe(), source });
                }
                _ => {}
            }
            self.pause(seconds(self.timing.step_seconds).min(Duration::from_secs(5))).await?;
        }
    }

    fn reaches_end(&self, datasets: &[mora_core::Dataset], expected: &Lookback) -> bool {
        let dataset = datasets.iter().find(|d| d.workload == *self.target);
        let ends = |series: &Series| {
            let last = expected.to.saturating_sub(expected.step.times(1));
            last.is_ok_and(|last| series.between(last, expected.to).coverage() > 0.0)
        };
        let signals = dataset.map(mora_core::Dataset::signals).unwrap_or_default();
        [Signal::Cpu, Signal::Memory].iter().all(|signal| signals.get(signal).is_some_and(ends))
    }

    /// Fails once the experiment is to be stopped.
    pub(crate) fn going_on(&self) -> Result<(), ExperimentError> {
        if self.stop.is_cancelled() { Err(ExperimentError::Stopped) } else { Ok(()) }
    }

    async fn pause(&self, time: Duration) -> Result<(), ExperimentError> {
        tokio::select! {
            () = self.stop.cancelled() => Err(ExperimentError::Stopped),
            () = sleep(time) => Ok(()),
        }
    }
}
