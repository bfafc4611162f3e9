//! The recorded day of Google Online Boutique.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Read;

use jiff::Timestamp;
use mora_core::{Bytes, ContainerUsage, Dataset, Millicores, ResourceClaim, WorkloadRef};
use serde::Deserialize;

use super::RecordingError;
use super::grid::{Minutes, Shift, constant, minute};

pub(super) const PODS_FILE: &str = "online_boutique_pods_1min.csv.gz";
pub(super) const CALLS_FILE: &str = "online_boutique_calls.csv.gz";
const NAMESPACE: &str = "hipster-shop";

#[derive(Debug, Deserialize)]
struct PodRow {
    ts: i64,
    service: String,
    cpu_mcores: f64,
    mem_mib: f64,
    req_per_s: f64,
    #[serde(default)]
    app_fault: u8,
}

#[derive(Debug, Deserialize)]
struct CallRow {
    caller: String,
    callee: String,
    calls: f64,
}

#[derive(Debug, Default)]
struct Recorded {
    cpu_cores: Minutes,
    memory_bytes: Minutes,
    request_rate: Minutes,
}

/// Calls over the day, by callee, then caller.
type Calls = BTreeMap<String, BTreeMap<String, f64>>;

/// What was recorded of the day.
#[derive(Debug, Default)]
pub(super) struct Day {
    services: BTreeMap<String, Recorded>,
    /// The minutes in which a fault was injected into any service.
    faults: BTreeSet<i64>,
}

/// The day's workloads, one pod each, moved so that the day ends at `newest`, and when a fault was
/// injected into any of them.
///
/// A callee's recorded request rate is divided over its callers by their share of the traced calls.
pub(super) fn read(
    pods: impl Read,
    calls: impl Read,
    newest: Timestamp,
) -> Result<(Vec<Dataset>, Vec<Timestamp>), RecordingError> {
    let Day { services: recorded, faults } = read_pods(pods)?;
    let calls = read_calls(calls)?;
    let last = recorded.values().filter_map(|r| r.cpu_cores.keys().next_back()).max();
    let shift = Shift::exact(last.copied().unwrap_or(0), newest);
    let dataset = |(name, recorded): (&String, &Recorded)| {
        dataset(name, recorded, calls.get(name).unwrap_or(&BTreeMap::new()), shift)
    };
    let datasets: Result<Vec<Dataset>, RecordingError> = recorded.iter().map(dataset).collect();
    Ok((datasets?, faults.into_iter().map(|at| shift.time(at)).collect()))
}

fn read_pods(file: impl Read) -> Result<Day, RecordingError> {
    let mut day = Day::default();
    for row in csv::Reader::from_reader(file).deserialize() {
        let row: PodRow =
            row.map_err(|source| RecordingError::Malformed { file: PODS_FILE, source })?;
        let (of, at) = (day.services.entry(row.service).or_default(), minute(row.ts));
        if row.app_fault == 1 {
            day.faults.insert(at);
        }
        of.cpu_cores.insert(at, row.cpu_mcores / 1000.0);
        of.memory_bytes.insert(at, row.mem_mib * Bytes::MEBIBYTE.get() as f64);
        of.request_rate.insert(at, row.req_per_s);
    }
    Ok(day)
}

fn read_calls(file: impl Read) -> Result<Calls, RecordingError> {
    let mut calls = Calls::new();
    for row in csv::Reader::from_reader(file).deserialize() {
        let row: CallRow =
            row.map_err(|source| RecordingError::Malformed { file: CALLS_FILE, source })?;
        *calls.entry(row.callee).or_default().entry(row.caller).or_default() += row.calls;
    }
    Ok(calls)
}

fn dataset(
    name: &str,
    recorded: &Recorded,
    callers: &BTreeMap<String, f64>,
    shift: Shift,
) -> Result<Dataset, RecordingError> {
    let mut dataset = Dataset::new(WorkloadRef::deployment(NAMESPACE, name)?);
    let pod = format!("{name}-6d5c8b7f9d-x7k2p");
    let cpu = shift.series(&recorded.cpu_cores)?;
    dataset.replicas = Some(constant(&cpu, 1.0)?);
    let usage = ContainerUsage {
        claim: stock_claim(name),
        cpu: [(pod.clone(), cpu)].into(),
        memory: [(pod, shift.series(&recorded.memory_bytes)?)].into(),
        ..ContainerUsage::default()
    };
    dataset.containers.insert("server".to_owned(), usage);
    dataset.request_rate = Some(shift.series(&recorded.request_rate)?);
    let traced: f64 = callers.values().sum();
    for (caller, calls) in callers {
        let rate = scaled(&recorded.request_rate, calls / traced);
        dataset.calls.insert(WorkloadRef::deployment(NAMESPACE, caller)?, shift.series(&rate)?);
    }
    Ok(dataset)
}

fn scaled(samples: &Minutes, factor: f64) -> Minutes {
    samples.iter().map(|(at, value)| (*at, value * factor)).collect()
}

/// The requests and limits of the application's stock manifests; two services were recorded with more
/// memory than their stock limit, so theirs is 512 MiB.
fn stock_claim(name: &str) -> ResourceClaim {
    let (cpu_request, cpu_limit, memory_request, memory_limit) = match name {
        "adservice" => (200, 300, 180, 512),
        "cartservice" => (200, 300, 64, 128),
        "emailservice" => (100, 200, 64, 512),
        "recommendationservice" => (100, 200, 220, 450),
        _ => (100, 200, 64, 128),
    };
    ResourceClaim {
        cpu_request: Some(Millicores::new(cpu_request)),
        cpu_limit: Some(Millicores::new(cpu_limit)),
        memory_request: Some(Bytes::from_mebibytes(memory_request)),
        memory_limit: Some(Bytes::from_mebibytes(memory_limit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PODS: &str = "day,ts,service,cpu_mcores,mem_mib,req_per_s,srv_p90_s,app_fault\n\
        d,79,cartservice,20.0,64,8.0,,0\nd,139,cartservice,30.0,65,10.0,,0\n\
        d,79,frontend,50.0,70,8.0,,1\nd,140,frontend,60.0,70,8.0,0.1,0\n";
    const CALLS: &str = "day,caller,callee,operation,calls\n\
        d,frontend,cartservice,A,2\nd,frontend,cartservice,B,1\nd,checkoutservice,cartservice,A,1\n";

    #[test]
    fn rows_become_cores_bytes_and_rates_and_end_at_the_newest_instant() {
        let newest = Timestamp::from_second(86_400).unwrap();
        let (datasets, faults) = read(PODS.as_bytes(), CALLS.as_bytes(), newest).unwrap();
        assert_eq!(faults, [Timestamp::from_second(86_340).unwrap()]);
        let cart = &datasets[0];
        assert_eq!(cart.workload.to_string(), "hipster-shop/Deployment/cartservice");
        let usage = &cart.containers["server"];
        let cpu = usage.cpu.values().next().unwrap();
        assert_eq!((cpu.time(1), cpu.values()), (newest, &[Some(0.02), Some(0.03)][..]));
        let memory = usage.memory.values().next().unwrap();
        assert_eq!(memory.values()[0], Some(67_108_864.0));
        assert_eq!(cart.request_rate.as_ref().unwrap().values(), [Some(8.0), Some(10.0)]);
    }

    #[test]
    fn a_rate_is_divided_over_callers_by_their_share_of_the_traced_calls() {
        let (datasets, _) = read(PODS.as_bytes(), CALLS.as_bytes(), Timestamp::UNIX_EPOCH).unwrap();
        let rates = |d: &Dataset| d.calls.values().map(|s| s.values()[1]).collect::<Vec<_>>();
        assert_eq!(rates(&datasets[0]), [Some(2.5), Some(7.5)]);
        assert_eq!(rates(&datasets[1]), []);
    }

    #[test]
    fn a_file_without_the_documented_columns_is_refused_by_name() {
        let error = read("ts,service\n1,a\n".as_bytes(), CALLS.as_bytes(), Timestamp::UNIX_EPOCH);
        assert!(error.unwrap_err().to_string().contains(PODS_FILE));
    }
}
