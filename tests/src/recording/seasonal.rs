//! Sixteen days of production load with strong daily and weekly seasons.

use std::collections::BTreeMap;
use std::io::Read;

use jiff::Timestamp;
use mora_core::{Bytes, ContainerUsage, Dataset, Millicores, ResourceClaim, WorkloadRef};
use serde::Deserialize;

use super::RecordingError;
use super::grid::{Minutes, Shift, constant, minute};

pub(super) const FILE: &str = "service_metrics_1min.csv.gz";
const NAMESPACE: &str = "recorded";

/// The seasonal series and the cores one unit of their dimensionless load stands for: each is about
/// half a core on average.
const CORES_PER_UNIT: [(&str, f64); 4] =
    [("svc01", 0.2), ("svc08", 0.001), ("svc11", 0.16), ("svc13", 0.002)];
/// The rate and memory are derived from the same load, so that every signal has its seasons.
const REQUESTS_PER_CORE_SECOND: f64 = 100.0;
const IDLE_MEMORY_BYTES: f64 = 200.0 * 1_048_576.0;
const MEMORY_BYTES_PER_CORE: f64 = 100.0 * 1_048_576.0;

#[derive(Debug, Deserialize)]
struct Row {
    series: String,
    ts: i64,
    value: f64,
}

/// The seasonal workloads, one pod each, moved by whole days to end at `newest`.
pub(super) fn read(file: impl Read, newest: Timestamp) -> Result<Vec<Dataset>, RecordingError> {
    read_cores(file)?.iter().map(|(name, cores)| dataset(name, cores, newest)).collect()
}

fn read_cores(file: impl Read) -> Result<BTreeMap<String, Minutes>, RecordingError> {
    let scales = BTreeMap::from(CORES_PER_UNIT);
    let mut recorded: BTreeMap<String, Minutes> = BTreeMap::new();
    for row in csv::Reader::from_reader(file).deserialize() {
        let row: Row = row.map_err(|source| RecordingError::Malformed { file: FILE, source })?;
        if let Some(scale) = scales.get(row.series.as_str()) {
            recorded.entry(row.series).or_default().insert(minute(row.ts), row.value * scale);
        }
    }
    Ok(recorded)
}

fn dataset(name: &str, cores: &Minutes, newest: Timestamp) -> Result<Dataset, RecordingError> {
    let last = cores.keys().next_back().copied().unwrap_or(0);
    let shift = Shift::whole_days(last, newest);
    let derived = |of: fn(f64) -> f64| {
        let samples = cores.iter().map(|(at, cores)| (*at, of(*cores))).collect();
        shift.series(&samples)
    };
    let pod = format!("{name}-5f7d9c6b84-q2wzn");
    let cpu = shift.series(cores)?;
    let mut dataset = Dataset::new(WorkloadRef::deployment(NAMESPACE, name)?);
    dataset.replicas = Some(constant(&cpu, 1.0)?);
    dataset.request_rate = Some(derived(|cores| cores * REQUESTS_PER_CORE_SECOND)?);
    let memory = derived(|cores| IDLE_MEMORY_BYTES + cores * MEMORY_BYTES_PER_CORE)?;
    let usage = ContainerUsage {
        claim: claim(),
        cpu: [(pod.clone(), cpu)].into(),
        memory: [(pod, memory)].into(),
        ..ContainerUsage::default()
    };
    dataset.containers.insert("server".to_owned(), usage);
    Ok(dataset)
}

/// What such a workload would plausibly claim; no memory limit, so that an absent one is tried too.
fn claim() -> ResourceClaim {
    ResourceClaim {
        cpu_request: Some(Millicores::new(1000)),
        cpu_limit: Some(Millicores::new(4000)),
        memory_request: Some(Bytes::from_mebibytes(512)),
        memory_limit: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_load_is_scaled_to_cores_and_the_other_series_are_left_out() {
        let file = "series,ts,value,value_max\nsvc00,0,1,1\nsvc13,0,250,260\nsvc13,60,500,500\n";
        let newest = Timestamp::from_second(7 * 86_400 + 60).unwrap();
        let datasets = read(file.as_bytes(), newest).unwrap();
        let names: Vec<_> = datasets.iter().map(|d| d.workload.to_string()).collect();
        assert_eq!(names, ["recorded/Deployment/svc13"]);
        let cpu = datasets[0].containers["server"].cpu.values().next().unwrap();
        assert_eq!((cpu.time(1), cpu.values()), (newest, &[Some(0.5), Some(1.0)][..]));
        assert_eq!(datasets[0].request_rate.as_ref().unwrap().values(), [Some(50.0), Some(100.0)]);
    }
}
