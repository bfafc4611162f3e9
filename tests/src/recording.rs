//! The series the Prometheus fixture holds: real recorded days, moved to end shortly before now.

mod boutique;
mod grid;
mod seasonal;

use std::collections::BTreeSet;
use std::env;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use jiff::{SignedDuration, Timestamp};
use mora_core::{
    Bytes, ContainerUsage, Dataset, OomKill, Series, SeriesError, Step, WorkloadError,
};
use mora_simulation::{Boutique, BoutiqueError, BoutiqueOptions};
use thiserror::Error;

/// Why there is no recording.
#[derive(Debug, Error)]
pub enum RecordingError {
    /// A file cannot be opened.
    #[error(
        "cannot open {}; set MORA_SHARED_DATA to the folder that holds it", .path.display()
    )]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A file does not have the columns or values it is documented to have.
    #[error("{file} is not the recorded file its README describes")]
    Malformed {
        /// The file.
        file: &'static str,
        /// Where it differs.
        #[source]
        source: csv::Error,
    },
    /// A name in a file is not a Kubernetes name.
    #[error("a recorded name cannot be a workload's")]
    Name(#[from] WorkloadError),
    /// Recorded values do not form a series.
    #[error("recorded values do not form a series")]
    Series(#[from] SeriesError),
    /// What stands in for absent data cannot be simulated.
    #[error("the simulation that stands in for the recorded data cannot run")]
    Simulation(#[from] BoutiqueError),
    /// Standard output is closed.
    #[error("standard output is closed")]
    Output(#[source] io::Error),
}

/// Where a recording comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The recorded files in this folder.
    Recorded(PathBuf),
    /// The simulated Online Boutique, because the files are not on this machine.
    Simulated,
}

/// Datasets on a one-minute grid that end at one instant.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Where they come from.
    pub origin: Origin,
    /// One per workload, ordered by workload; each has one container.
    pub datasets: Vec<Dataset>,
    /// The instant of the newest observation.
    pub newest: Timestamp,
}

impl Recording {
    /// How far before now a recording ends: backfilled blocks must be older than Prometheus' head,
    /// which spans up to 3 hours.
    pub const AGE: SignedDuration = SignedDuration::from_hours(3);

    /// The recorded Online Boutique day (namespace `hipster-shop`) and 16 days of seasonal load
    /// (namespace `recorded`), moved to end [`Recording::AGE`] before `now`.
    ///
    /// They are read from the folder `MORA_SHARED_DATA` names, by default `../shared/data` beside the
    /// repository. Where neither is, nine simulated days of the boutique stand in, and standard output
    /// says so. The last workload with a memory limit reaches it two hours before the end. Fails when a file is absent from the folder or malformed.
    pub fn load(now: Timestamp) -> Result<Self, RecordingError> {
        let newest = Step::MINUTE.floor(now.saturating_sub(Self::AGE).unwrap_or(now));
        let mut recording = match shared_data() {
            Some(folder) => Self::recorded(folder, newest),
            None => Self::simulated(newest),
        }?;
        let killed = newest.saturating_sub(SignedDuration::from_hours(2)).unwrap_or(newest);
        let containers =
            recording.datasets.iter_mut().rev().flat_map(|d| d.containers.values_mut());
        let mut limited = containers.filter_map(|usage| Some((usage.claim.memory_limit?, usage)));
        if let Some((limit, usage)) = limited.next() {
            usage.oom_kills = kills(usage, killed, limit);
        }
        drop(limited);
        Ok(recording)
    }

    fn recorded(folder: PathBuf, newest: Timestamp) -> Result<Self, RecordingError> {
        let pods = open(&folder, boutique::PODS_FILE)?;
        let calls = open(&folder, boutique::CALLS_FILE)?;
        let (mut datasets, _) = boutique::read(pods, calls, newest)?;
        datasets.extend(seasonal::read(open(&folder, seasonal::FILE)?, newest)?);
        datasets.sort_by(|a, b| a.workload.cmp(&b.workload));
        Ok(Self { origin: Origin::Recorded(folder), datasets, newest })
    }

    /// Nine days of the boutique at the load of the recorded day, which one pod per workload serves.
    fn simulated(newest: Timestamp) -> Result<Self, RecordingError> {
        say_simulated()?;
        let end = newest.saturating_add(Step::MINUTE.times(1)).unwrap_or(newest);
        let mut options = BoutiqueOptions::new(1, end);
        (options.days, options.frontend_rate) = (9, 8.6);
        let datasets = Boutique::new(options)?.datasets();
        Ok(Self { origin: Origin::Simulated, datasets, newest })
    }
}

/// A day of the Online Boutique by the minute, and when it was disturbed.
#[derive(Debug, Clone)]
pub struct BoutiqueDay {
    /// Where it comes from.
    pub origin: Origin,
    /// One per workload, ordered by workload.
    pub datasets: Vec<Dataset>,
    /// The minutes in which a fault was injected, ascending.
    pub faults: Vec<Timestamp>,
}

impl BoutiqueDay {
    /// The recorded day, moved to end at `newest`; found as [`Recording::load`] finds it. Where it is not,
    /// a simulated day without faults stands in, and standard output says so.
    ///
    /// Fails when a file is absent from the folder or malformed.
    pub fn load(newest: Timestamp) -> Result<Self, RecordingError> {
        if let Some(folder) = shared_data() {
            let pods = open(&folder, boutique::PODS_FILE)?;
            let calls = open(&folder, boutique::CALLS_FILE)?;
            let (datasets, faults) = boutique::read(pods, calls, newest)?;
            return Ok(Self { origin: Origin::Recorded(folder), datasets, faults });
        }
        say_simulated()?;
        let mut options = BoutiqueOptions::new(1, newest);
        (options.days, options.frontend_rate) = (1, 8.6);
        let datasets = Boutique::new(options)?.datasets();
        Ok(Self { origin: Origin::Simulated, datasets, faults: Vec::new() })
    }
}

/// The folder with the recorded data, if it is on this machine.
#[must_use]
pub fn shared_data() -> Option<PathBuf> {
    let folder = env::var_os("MORA_SHARED_DATA").map(PathBuf::from);
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    folder.or_else(|| beside.is_dir().then_some(beside))
}

fn say_simulated() -> Result<(), RecordingError> {
    // Past the test harness, which keeps what `println!` writes to itself.
    let told = writeln!(
        io::stdout(),
        "the recorded data is not on this machine (MORA_SHARED_DATA); simulated days stand in"
    );
    told.map_err(RecordingError::Output)
}

/// The kill of every pod that was observed at `killed`, each at its limit.
fn kills(usage: &ContainerUsage, killed: Timestamp, limit: Bytes) -> BTreeSet<OomKill> {
    let until = killed.saturating_add(Step::MINUTE.times(1)).unwrap_or(killed);
    let observed = |series: &Series| series.between(killed, until).coverage() > 0.0;
    let pods = usage.memory.iter().filter(|(_, series)| observed(series));
    pods.map(|(pod, _)| OomKill { killed, pod: pod.clone(), peak: limit }).collect()
}

fn open(folder: &Path, file: &str) -> Result<GzDecoder<File>, RecordingError> {
    let path = folder.join(file);
    let opened = File::open(&path);
    opened.map(GzDecoder::new).map_err(|source| RecordingError::Open { path, source })
}
