//! Making the changes that a plan asks for, wave after wave.

use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use mora_core::{ApplyMode, Plan, WorkloadRef};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::actuator::said;
use crate::record::{AppliedPlan, Change, ChangeState, Place, RecordError, Records};
use crate::{
    Actuator, ApplyConfig, Intended, Intent, LeftAlone, Means, Outcome, Report, WorkloadOutcome,
    git_ops, intents,
};

mod autoscalers;
mod pods;
mod template;

/// Tries to change an object that others change too.
const TRIES: u32 = 5;

/// How long is waited, between two looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace(pub Duration);

impl Default for Pace {
    fn default() -> Self {
        Self(Duration::from_secs(1))
    }
}

/// What makes the changes that plans ask for.
pub struct Driver<'a, A, R> {
    /// Where they are made.
    pub actuator: &'a A,
    /// Where they are written down before they are made.
    pub records: &'a R,
    /// Modes and deadlines.
    pub config: &'a ApplyConfig,
    /// No further change is begun once this is cancelled.
    pub stop: &'a CancellationToken,
    /// Between two looks at what is waited for.
    pub pace: Pace,
    /// Who is told of what happens, in sentences.
    pub tell: &'a (dyn Fn(&str) + Sync),
}

/// What became of an attempt, and why.
pub(crate) type Ended = (Outcome, String);

/// One change in the making.
struct Making<'a> {
    plan: &'a str,
    intent: &'a Intent,
    applied: &'a mut AppliedPlan,
}

impl<A: Actuator, R: Records> Driver<'_, A, R> {
    /// Puts what `plan` asks for at `now` into force: all of a wave, and its workloads rolled out and ready, before any of the
    /// next. After a failure no later wave is begun.
    ///
    /// Fails only when what was there before cannot be written down; what was changed until then is recorded.
    pub async fn put_in_force(&self, plan: &Plan, now: Timestamp) -> Result<Report, RecordError> {
        let mut report = Report { plan: plan.id.clone(), workloads: Vec::new() };
        let Intended { changes, left } = intents(plan, self.config, now);
        report.workloads.extend(left.into_iter().map(alone));
        let (files, changes) = apart(changes);
        report.workloads.extend(write_files(self.config, &files));
        if changes.is_empty() {
            return Ok(report);
        }
        let mut applied = match self.records.load(&plan.id).await? {
            Some(applied) => applied,
            None => AppliedPlan::new(&plan.id),
        };
        self.waves(&changes, &mut applied, &mut report).await?;
        if !applied.changes.is_empty() {
            applied.outcomes.clone_from(&report.workloads);
            self.records.save(&applied).await?;
        }
        Ok(report)
    }

    async fn waves(
        &self,
        changes: &[Intent],
        applied: &mut AppliedPlan,
        report: &mut Report,
    ) -> Result<(), RecordError> {
        let mut why_not = None;
        for wave in changes.chunk_by(|a, b| a.wave == b.wave) {
            if why_not.is_none() && self.stop.is_cancelled() {
                why_not = Some("the run was told to stop".to_owned());
            }
            if let Some(reason) = &why_not {
                let not_reached = |i: &Intent| of(i, (Outcome::NotReached, reason.clone()));
                report.workloads.extend(wave.iter().map(not_reached));
                continue;
            }
            let ended = self.wave(wave, applied).await?;
            let failed = ended.iter().find(|w| w.outcome.stops());
            let number = wave[0].wave;
            why_not = failed.map(|w| format!("{} of wave {number} failed before it", w.workload));
            report.workloads.extend(ended);
        }
        Ok(())
    }

    /// Makes the changes of one wave and waits until its workloads are well.
    async fn wave(
        &self,
        wave: &[Intent],
        applied: &mut AppliedPlan,
    ) -> Result<Vec<WorkloadOutcome>, RecordError> {
        let mut ended = Vec::new();
        for intent in wave {
            if self.stop.is_cancelled() {
                let ending = (Outcome::NotReached, "the run was told to stop".to_owned());
                ended.push((of(intent, ending), false));
                continue;
            }
            (self.tell)(&format!("wave {}: {}, {}", intent.wave, intent.workload, intent.mode));
            let plan = applied.plan.clone();
            let making = Making { plan: &plan, intent, applied };
            let (ending, rolls_out) = self.make(making).await?;
            ended.push((of(intent, ending), rolls_out));
        }
        let deadline = Instant::now() + self.config.healthy();
        let mut well = Vec::new();
        for (mut one, rolls_out) in ended {
            if rolls_out
                && one.outcome == Outcome::Applied
                && let Err(reason) = self.rolled_out(&one.workload, deadline).await
            {
                one.outcome = Outcome::Failed;
                one.detail = format!("{}, but {reason}", one.detail);
            }
            (self.tell)(&format!("{}: {}, {}", one.workload, one.outcome, one.detail));
            well.push(one);
        }
        Ok(well)
    }

    /// Makes one change; says whether its pods are replaced by it.
    async fn make(&self, mut making: Making<'_>) -> Result<(Ended, bool), RecordError> {
        let making = &mut making;
        match making.intent.means {
            Means::Template => Ok((self.patch(making).await?, true)),
            Means::Pods => Ok((self.resize(making).await?, false)),
            Means::PodsOrTemplate => match self.resize(making).await? {
                (Outcome::LeftAlone | Outcome::SetBack, reason) => {
                    let workload = &making.intent.workload;
                    (self.tell)(&format!("{workload}: {reason}; its template is changed instead"));
                    Ok((self.patch(making).await?, true))
                }
                ended => Ok((ended, false)),
            },
            Means::Autoscaler => Ok((self.recommend(making).await?, false)),
            // Files were written before the first wave.
            Means::Files => Ok(((Outcome::Unchanged, "files are written apart".to_owned()), false)),
        }
    }

    /// Writes down that `place` is about to be changed; returns its place in the record.
    async fn begin(&self, making: &mut Making<'_>, place: Place) -> Result<usize, RecordError> {
        let change = Change {
            workload: making.intent.workload.clone(),
            mode: making.intent.mode,
            at: Timestamp::now(),
            state: ChangeState::Begun,
            place,
        };
        let index = making.applied.begin(change);
        self.records.save(making.applied).await?;
        Ok(index)
    }

    /// Writes down that the change at `index` is in `state`.
    async fn note(
        &self,
        making: &mut Making<'_>,
        index: usize,
        state: ChangeState,
    ) -> Result<(), RecordError> {
        making.applied.changes[index].state = state;
        self.records.save(making.applied).await
    }

    /// Waits until the newest template of `workload` is rolled out and its pods are ready.
    ///
    /// Fails with the reason when that does not come to pass by `deadline` or the run is told to stop.
    async fn rolled_out(&self, workload: &WorkloadRef, deadline: Instant) -> Result<(), String> {
        loop {
            let error = match self.actuator.template(workload).await {
                Ok(template) if template.settled => return Ok(()),
                Ok(_) => String::new(),
                Err(error) => format!(" ({})", said(&error)),
            };
            if Instant::now() >= deadline {
                let waited = self.config.healthy_seconds;
                return Err(format!(
                    "its pods were not all replaced and ready within {waited} s{error}; `kubectl describe` says what they lack"
                ));
            }
            if !self.paused().await {
                return Err(
                    "the run was told to stop before its pods were replaced and ready".to_owned()
                );
            }
        }
    }

    /// Waits for the next look; false when the run is told to stop.
    async fn paused(&self) -> bool {
        tokio::select! {
            () = sleep(self.pace.0) => true,
            () = self.stop.cancelled() => false,
        }
    }
}

/// What of `plan` at `now` is written to files alone; `None` where some change is to be made in a cluster.
#[must_use]
pub fn in_files(plan: &Plan, config: &ApplyConfig, now: Timestamp) -> Option<Report> {
    let Intended { changes, left } = intents(plan, config, now);
    let (files, changes) = apart(changes);
    if !changes.is_empty() {
        return None;
    }
    let left = left.into_iter().map(alone);
    let workloads = left.chain(write_files(config, &files)).collect();
    Some(Report { plan: plan.id.clone(), workloads })
}

/// The changes of files, and all others.
fn apart(changes: Vec<Intent>) -> (Vec<Intent>, Vec<Intent>) {
    changes.into_iter().partition(|intent| intent.means == Means::Files)
}

/// Writes the patches of `intents`, all of which are for files, where `config` says.
fn write_files(config: &ApplyConfig, intents: &[Intent]) -> Vec<WorkloadOutcome> {
    if intents.is_empty() {
        return Vec::new();
    }
    let Some(folder) = &config.git_ops.folder else {
        let reason =
            "no folder is named for its patch; set `apply.git_ops.folder` or give --output-folder";
        let left = |intent: &Intent| of(intent, (Outcome::LeftAlone, reason.to_owned()));
        return intents.iter().map(left).collect();
    };
    written(folder, intents)
}

fn written(folder: &Path, intents: &[Intent]) -> Vec<WorkloadOutcome> {
    let changes = match git_ops::write_patches(folder, intents) {
        Ok(changes) => changes,
        Err(error) => {
            return intents.iter().map(|i| of(i, (Outcome::Failed, said(&error)))).collect();
        }
    };
    let ended = |intent: &Intent| {
        let file = folder.join(git_ops::file_of(&intent.workload));
        let changed = changes.iter().any(|change| change.path == file && change.is_change());
        let outcome = if changed { Outcome::Applied } else { Outcome::Unchanged };
        of(intent, (outcome, format!("its patch is {}", file.display())))
    };
    intents.iter().map(ended).collect()
}

fn alone(left: LeftAlone) -> WorkloadOutcome {
    let LeftAlone { workload, mode, reason } = left;
    WorkloadOutcome { workload, mode, wave: None, outcome: Outcome::LeftAlone, detail: reason }
}

fn of(intent: &Intent, (outcome, detail): Ended) -> WorkloadOutcome {
    let (workload, mode): (WorkloadRef, ApplyMode) = (intent.workload.clone(), intent.mode);
    WorkloadOutcome { workload, mode, wave: Some(intent.wave), outcome, detail }
}

#[cfg(test)]
mod tests;
