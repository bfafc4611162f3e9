//! Training jobs: what was announced, what has arrived, where each stands.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use mora_core::{Signal, SignalForecast, Step};
use mora_proto::Checksum;
use thiserror::Error;
use tokio::sync::watch;

use crate::fit::Upload;

/// Jobs remembered, so that a client can ask how they ended.
const REMEMBERED: usize = 16;

/// What a client announced.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JobHeader {
    pub(crate) id: String,
    pub(crate) columns: Vec<Signal>,
    pub(crate) start: Timestamp,
    pub(crate) step: Step,
    pub(crate) rows: usize,
    pub(crate) checksum: u64,
    pub(crate) replicas: u32,
    pub(crate) slot: Step,
    pub(crate) seed: u64,
    pub(crate) force: bool,
}

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum JobState {
    Receiving,
    Fitting,
    Published,
    Refused,
    Kept,
    Failed,
    Cancelled,
}

impl JobState {
    pub(crate) const fn is_final(self) -> bool {
        !matches!(self, Self::Receiving | Self::Fitting)
    }
}

/// A job as it can be told to a client.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct JobStatus {
    pub(crate) id: String,
    pub(crate) state: JobState,
    pub(crate) next_offset: usize,
    pub(crate) progress: f64,
    pub(crate) message: String,
    pub(crate) version: String,
    pub(crate) skills: BTreeMap<Signal, SignalForecast>,
}

/// Why rows are refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum UploadError {
    #[error(
        "the next row expected is {expected}, not {got}; start the job again to learn where to resume"
    )]
    Offset { expected: usize, got: usize },
    #[error("{got} columns of rows, where the header announced {announced}")]
    Columns { announced: usize, got: usize },
    #[error("columns of one chunk differ in length")]
    Ragged,
    #[error("more rows than the {0} the header announced")]
    TooMany(usize),
    #[error("the checksum of the rows is not the announced one; send the job again under a new id")]
    Checksum,
}

/// Why a job cannot begin.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub(crate) enum BeginError {
    #[error("job {0} is still training; wait for it or cancel it")]
    Busy(String),
    #[error("job {0} was announced before with another header; choose a new id")]
    Different(String),
}

/// A job that was announced.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) header: JobHeader,
    rows: Mutex<BTreeMap<Signal, Vec<Option<f64>>>>,
    status: watch::Sender<JobStatus>,
    cancelled: AtomicBool,
}

impl Job {
    fn new(header: JobHeader) -> Self {
        let status = JobStatus {
            id: header.id.clone(),
            state: JobState::Receiving,
            next_offset: 0,
            progress: 0.0,
            message: "receiving".to_owned(),
            version: String::new(),
            skills: BTreeMap::new(),
        };
        let rows = header.columns.iter().map(|signal| (*signal, Vec::new())).collect();
        let cancelled = AtomicBool::new(false);
        Self { header, rows: Mutex::new(rows), status: watch::Sender::new(status), cancelled }
    }

    pub(crate) fn status(&self) -> JobStatus {
        self.status.borrow().clone()
    }

    pub(crate) fn watch(&self) -> watch::Receiver<JobStatus> {
        self.status.subscribe()
    }

    pub(crate) fn update(&self, change: impl FnOnce(&mut JobStatus)) {
        self.status.send_modify(change);
    }

    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Ordering::Relaxed);
        self.update(|status| {
            if status.state == JobState::Receiving {
                status.state = JobState::Cancelled;
                "cancelled before all rows arrived".clone_into(&mut status.message);
            }
        });
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Ordering::Relaxed)
    }

    /// Appends rows, one column per announced signal in the announced order.
    pub(crate) fn append(
        &self,
        offset: usize,
        columns: Vec<Vec<Option<f64>>>,
    ) -> Result<(), UploadError> {
        let announced = self.header.columns.len();
        if columns.len() != announced {
            return Err(UploadError::Columns { announced, got: columns.len() });
        }
        let expected = self.status.borrow().next_offset;
        if offset != expected {
            return Err(UploadError::Offset { expected, got: offset });
        }
        let length = columns.first().map_or(0, Vec::len);
        if columns.iter().any(|column| column.len() != length) {
            return Err(UploadError::Ragged);
        }
        if offset + length > self.header.rows {
            return Err(UploadError::TooMany(self.header.rows));
        }
        let mut rows = lock(&self.rows);
        for (signal, column) in self.header.columns.iter().zip(columns) {
            rows.entry(*signal).or_default().extend(column);
        }
        self.update(|status| status.next_offset = offset + length);
        Ok(())
    }

    /// Whether every announced row has arrived.
    pub(crate) fn is_complete(&self) -> bool {
        self.status.borrow().next_offset == self.header.rows
    }

    /// Takes the complete rows, once, and marks the job as being fitted; `None` if they were taken before.
    pub(crate) fn take(&self) -> Result<Option<Upload>, UploadError> {
        let mut taken = false;
        self.status.send_if_modified(|status| {
            taken = status.state == JobState::Receiving;
            if taken {
                status.state = JobState::Fitting;
                "waiting for a free processor".clone_into(&mut status.message);
            }
            taken
        });
        if !taken {
            return Ok(None);
        }
        let columns = std::mem::take(&mut *lock(&self.rows));
        let in_order = self.header.columns.iter().filter_map(|s| columns.get(s).map(Vec::as_slice));
        let announced = self.header.checksum;
        if announced != 0 && Checksum::of(in_order).get() != announced {
            self.fail(JobState::Failed, UploadError::Checksum.to_string());
            return Err(UploadError::Checksum);
        }
        Ok(Some(Upload { start: self.header.start, step: self.header.step, columns }))
    }

    pub(crate) fn fail(&self, state: JobState, message: String) {
        self.update(|status| {
            status.state = state;
            status.message = message;
        });
    }
}

/// The jobs of one worker.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    jobs: Mutex<Vec<Arc<Job>>>,
}

impl Jobs {
    /// The job `header` announces: the one known by its id, or a new one.
    pub(crate) fn begin(&self, header: JobHeader) -> Result<Arc<Job>, BeginError> {
        let mut jobs = lock(&self.jobs);
        if let Some(known) = jobs.iter().find(|job| job.header.id == header.id) {
            let same = known.header == header;
            return same.then(|| known.clone()).ok_or(BeginError::Different(header.id));
        }
        if let Some(busy) = jobs.iter().find(|job| job.status().state == JobState::Fitting) {
            return Err(BeginError::Busy(busy.header.id.clone()));
        }
        if jobs.len() >= REMEMBERED {
            jobs.remove(0);
        }
        let job = Arc::new(Job::new(header));
        jobs.push(job.clone());
        Ok(job)
    }

    pub(crate) fn get(&self, id: &str) -> Option<Arc<Job>> {
        lock(&self.jobs).iter().find(|job| job.header.id == id).cloned()
    }

    pub(crate) fn cancel_all(&self) {
        lock(&self.jobs).iter().for_each(|job| job.cancel());
    }
}

/// The guard, also after a panic elsewhere: every change under these locks is complete in itself.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(id: &str, rows: usize) -> JobHeader {
        JobHeader {
            id: id.to_owned(),
            columns: vec![Signal::Cpu],
            start: Timestamp::UNIX_EPOCH,
            step: Step::MINUTE,
            rows,
            checksum: 0,
            replicas: 1,
            slot: Step::HOUR,
            seed: 1,
            force: false,
        }
    }

    #[test]
    fn the_same_id_is_the_same_job_and_keeps_what_arrived() {
        let jobs = Jobs::default();
        let job = jobs.begin(header("a", 4)).unwrap();
        job.append(0, vec![vec![Some(1.0), None]]).unwrap();
        let again = jobs.begin(header("a", 4)).unwrap();
        assert_eq!(again.status().next_offset, 2);
        assert_eq!(jobs.begin(header("a", 5)).unwrap_err(), BeginError::Different("a".to_owned()));
    }

    #[test]
    fn rows_must_follow_one_another_and_stay_within_the_announced_number() {
        let jobs = Jobs::default();
        let job = jobs.begin(header("a", 2)).unwrap();
        let one = || vec![vec![Some(1.0)]];
        assert_eq!(job.append(1, one()), Err(UploadError::Offset { expected: 0, got: 1 }));
        assert_eq!(job.append(0, vec![vec![None; 3]]), Err(UploadError::TooMany(2)));
        assert_eq!(job.append(0, vec![]), Err(UploadError::Columns { announced: 1, got: 0 }));
        job.append(0, one()).unwrap();
        job.append(1, one()).unwrap();
        assert!(job.is_complete());
    }

    #[test]
    fn a_wrong_checksum_fails_the_job() {
        let jobs = Jobs::default();
        let job = jobs.begin(JobHeader { checksum: 7, ..header("a", 1) }).unwrap();
        job.append(0, vec![vec![Some(1.0)]]).unwrap();
        assert_eq!(job.take().unwrap_err(), UploadError::Checksum);
        assert_eq!(job.status().state, JobState::Failed);
    }

    #[test]
    fn one_job_trains_at_a_time() {
        let jobs = Jobs::default();
        let job = jobs.begin(header("a", 1)).unwrap();
        job.append(0, vec![vec![Some(1.0)]]).unwrap();
        assert!(job.take().unwrap().is_some());
        assert!(job.take().unwrap().is_none());
        assert_eq!(jobs.begin(header("b", 1)).unwrap_err(), BeginError::Busy("a".to_owned()));
    }
}
