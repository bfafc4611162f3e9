//! Undoing what an experiment changed.

use std::fmt;
use std::time::Duration;

use mora_core::WorkloadRef;

use crate::{Aspect, Bed, BedError, Journal, JournalError, Outstanding, Value};

/// Rounds over what could not be restored because the bed did not answer.
const ROUNDS: u32 = 3;
/// Pause between them.
const PAUSE: Duration = Duration::from_secs(1);

/// A part that is not as it was, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotRestored {
    /// The workload.
    pub workload: WorkloadRef,
    /// The part.
    pub aspect: Aspect,
    /// What it was before the experiment.
    pub original: Value,
    /// Why it is not that again, as a sentence.
    pub reason: String,
}

impl fmt::Display for NotRestored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workload, aspect, original, reason } = self;
        write!(f, "{workload}: {aspect} should be {original} again: {reason}")
    }
}

/// What restoring did.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Restored {
    /// Parts that were set back.
    pub set_back: usize,
    /// Parts that were as they had been already.
    pub were_so: usize,
    /// Parts that are not restored.
    pub left: Vec<NotRestored>,
}

impl Restored {
    /// Whether nothing is left.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.left.is_empty()
    }
}

/// Why one part was left.
enum Left {
    /// It may go better in another round.
    Bed(BedError),
    /// Somebody else changed it.
    Foreign(Option<Value>),
}

/// Sets everything in `journal` back on `bed`, each part on its own: one that fails keeps no other from being tried.
///
/// A part that is neither as it was before nor as the experiment set it was changed by somebody else; it is left as it
/// is unless `force`. What is done already is not done again. Fails only when the journal cannot be written; what it
/// could not restore is in the answer.
pub async fn restore(
    bed: &dyn Bed,
    journal: &mut Journal,
    force: bool,
) -> Result<Restored, JournalError> {
    let mut restored = Restored::default();
    for round in 1..=ROUNDS {
        restored.left.clear();
        let mut again = false;
        for part in in_order(journal) {
            match set_back(bed, &part, force).await {
                Ok(changed) => {
                    journal.restored(part.workload, part.aspect)?;
                    *(if changed { &mut restored.set_back } else { &mut restored.were_so }) += 1;
                }
                Err(left) => {
                    again |= matches!(left, Left::Bed(_));
                    restored.left.push(named(part, &left));
                }
            }
        }
        if !again || round == ROUNDS {
            break;
        }
        tokio::time::sleep(PAUSE).await;
    }
    Ok(restored)
}

fn in_order(journal: &Journal) -> Vec<Outstanding> {
    let mut parts = journal.outstanding().to_vec();
    parts.sort_by(|a, b| (&a.aspect, &a.workload).cmp(&(&b.aspect, &b.workload)));
    parts
}

/// Sets one part back; says whether it had to be.
async fn set_back(bed: &dyn Bed, part: &Outstanding, force: bool) -> Result<bool, Left> {
    let now = current(bed, part).await?;
    if now == Some(part.original) {
        return Ok(false);
    }
    if !force && !now.is_some_and(|now| part.ours.contains(&now)) {
        return Err(Left::Foreign(now));
    }
    bed.set(&part.workload, &part.aspect, &part.original).await.map_err(Left::Bed)?;
    let after = current(bed, part).await?;
    if after == Some(part.original) { Ok(true) } else { Err(Left::Foreign(after)) }
}

async fn current(bed: &dyn Bed, part: &Outstanding) -> Result<Option<Value>, Left> {
    let state = bed.workload(&part.workload).await.map_err(Left::Bed)?;
    Ok(state.value(&part.aspect))
}

fn named(part: Outstanding, left: &Left) -> NotRestored {
    let [_, ours] = part.ours;
    let reason = match left {
        Left::Bed(error) => with_causes(error),
        Left::Foreign(None) => "it is gone".to_owned(),
        Left::Foreign(Some(now)) => format!(
            "it is {now} and not the {ours} that the experiment set, so somebody else changed it; --force sets it back all the same"
        ),
    };
    NotRestored { workload: part.workload, aspect: part.aspect, original: part.original, reason }
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
