//! Plans that others make, seen in the folder where they are remembered: a server shows what a CronJob made.

use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mora_runtime::with_causes;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::memory::Memory;
use crate::{Metrics, Record, Store, StoreError};

/// How often the names in the folder are looked at; a plan is made every few minutes.
const EVERY: Duration = Duration::from_secs(3);

/// Watches a folder of plans and takes the newest into memory and metrics.
#[derive(Debug)]
pub(crate) struct Follower {
    folder: PathBuf,
    memory: Arc<Memory>,
    metrics: Arc<Metrics>,
    /// The file that was read last, whether it could be or not: a file is never changed.
    seen: Option<PathBuf>,
    /// What went wrong last, so that it is told once.
    told: Option<String>,
}

impl Follower {
    pub(crate) fn new(folder: PathBuf, memory: Arc<Memory>, metrics: Arc<Metrics>) -> Self {
        Self { folder, memory, metrics, seen: None, told: None }
    }

    /// Looks at the folder again and again until `stop` is cancelled.
    pub(crate) async fn follow(mut self, stop: CancellationToken) {
        while stop.run_until_cancelled(sleep(EVERY)).await.is_some() {
            self.look().await;
        }
    }

    /// Takes the newest plan in, if its file was not seen before.
    pub(crate) async fn look(&mut self) {
        match self.unseen().await {
            Ok(None) => {}
            Ok(Some(record)) => {
                self.told = None;
                let record = Arc::new(record);
                if self.memory.remember(Arc::clone(&record)) {
                    tracing::info!("plan {} is the newest", record.plan.id);
                    self.metrics.show(&record.plan);
                }
            }
            Err(error) => self.tell(with_causes(&error)),
        }
    }

    /// The newest plan, if its file was not seen before.
    async fn unseen(&mut self) -> Result<Option<Record>, StoreError> {
        let folder = self.folder.clone();
        let newest = blocking(move || Store::newest_file(&folder)).await?;
        if newest == self.seen {
            return Ok(None);
        }
        self.seen.clone_from(&newest);
        let Some(path) = newest else { return Ok(None) };
        blocking(move || Store::read(&path)).await.map(Some)
    }

    fn tell(&mut self, reason: String) {
        if self.told.as_ref() != Some(&reason) {
            tracing::warn!("the newest plan of {} is not shown: {reason}", self.folder.display());
            self.told = Some(reason);
        }
    }
}

/// What `work` gives, done where it holds nothing up.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|failed| resume_unwind(failed.into_panic()))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use mora_planning::GateState;
    use tempfile::TempDir;
    use tokio::time::timeout;

    use super::*;
    use crate::store::tests::{outcome, plan};

    fn save(folder: &TempDir, minutes: i64) -> String {
        let store = Store::open(folder.path(), 9).unwrap().lock().unwrap();
        let outcome = outcome(plan("cart", minutes));
        store.save(&outcome, &GateState::default()).unwrap();
        outcome.plan.id
    }

    fn follower(folder: &TempDir) -> (Follower, Arc<Memory>) {
        let memory = Arc::new(Memory::default());
        let metrics = Arc::default();
        (Follower::new(folder.path().to_owned(), Arc::clone(&memory), metrics), memory)
    }

    fn newest(memory: &Memory) -> Option<String> {
        memory.newest().map(|record| record.plan.id.clone())
    }

    #[tokio::test]
    async fn a_plan_that_another_run_made_is_shown_also_after_a_restart() {
        let folder = TempDir::new().unwrap();
        let (mut follower, memory) = self::follower(&folder);
        follower.look().await;
        assert_eq!(newest(&memory), None);
        let first = save(&folder, 5);
        follower.look().await;
        assert_eq!(newest(&memory), Some(first.clone()));
        assert!(follower.metrics.text(jiff::Timestamp::UNIX_EPOCH).contains("workload=\"cart\""));
        let second = save(&folder, 10);
        follower.look().await;
        assert_eq!(newest(&memory), Some(second.clone()));
        assert!(memory.find(&first).is_some(), "the one before is remembered");
        let (mut restarted, memory) = self::follower(&folder);
        restarted.look().await;
        assert_eq!(newest(&memory), Some(second));
    }

    #[tokio::test]
    async fn a_file_that_was_seen_is_not_read_again_and_a_damaged_one_leaves_the_plan_before() {
        let folder = TempDir::new().unwrap();
        let first = save(&folder, 5);
        let (mut follower, memory) = self::follower(&folder);
        follower.look().await;
        let file = Store::newest_file(folder.path()).unwrap().unwrap();
        fs::write(&file, "half").unwrap();
        follower.look().await;
        assert_eq!(follower.told, None, "it was not read again");
        save(&folder, 10);
        let file = Store::newest_file(folder.path()).unwrap().unwrap();
        fs::write(&file, "half").unwrap();
        follower.look().await;
        assert_eq!(newest(&memory), Some(first));
        assert!(follower.told.unwrap().contains("cannot be read"));
    }

    #[tokio::test(start_paused = true)]
    async fn watchers_hear_of_a_plan_that_another_run_made_and_following_ends_when_stopped() {
        let folder = TempDir::new().unwrap();
        let (follower, memory) = self::follower(&folder);
        let mut watched = memory.watch();
        let stop = CancellationToken::new();
        let following = tokio::spawn(follower.follow(stop.clone()));
        let id = save(&folder, 5);
        timeout(Duration::from_mins(1), watched.changed()).await.unwrap().unwrap();
        assert_eq!(watched.borrow().as_ref().unwrap().plan.id, id);
        stop.cancel();
        following.await.unwrap();
    }
}
