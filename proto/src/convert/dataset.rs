//! Datasets, streamed in parts.

use std::collections::BTreeMap;

use mora_core::{
    Bytes, ContainerUsage, Dataset, Indicator, OomKill, ResourceClaim, Series, Signal, WorkloadRef,
};
use thiserror::Error;

use super::each;
use super::time::{timestamp_from_wire, timestamp_to_wire};
use crate::v1::export_dataset_response::Part;
use crate::{FieldError, required, v1};

/// Why received parts are not a dataset.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("part {index} of the dataset of {workload} cannot be used")]
pub struct DatasetError {
    /// Index of the part.
    pub index: usize,
    /// The workload.
    pub workload: WorkloadRef,
    /// The field.
    #[source]
    pub field: FieldError,
}

/// A dataset cut into messages, one per series and claim, and one per container that ran out of memory.
#[must_use]
pub fn dataset_parts(dataset: &Dataset) -> Vec<v1::ExportDatasetResponse> {
    let containers =
        dataset.containers.iter().flat_map(|(name, usage)| container_parts(name, usage));
    let request_rate = dataset.request_rate.iter().map(|s| Part::RequestRate(s.into()));
    let replicas = dataset.replicas.iter().map(|s| Part::Replicas(s.into()));
    let calls = dataset.calls.iter().map(|(caller, series)| {
        Part::Calls(v1::CallerRate { caller: Some(caller.into()), series: Some(series.into()) })
    });
    let indicators = dataset.indicators.iter().map(|(indicator, series)| {
        let indicator = v1::Indicator::from(*indicator).into();
        Part::Indicator(v1::IndicatorSeries { indicator, series: Some(series.into()) })
    });
    containers
        .chain(request_rate)
        .chain(replicas)
        .chain(calls)
        .chain(indicators)
        .map(|part| v1::ExportDatasetResponse { part: Some(part) })
        .collect()
}

fn container_parts(name: &str, usage: &ContainerUsage) -> Vec<Part> {
    let claim = v1::ContainerClaim { container: name.to_owned(), claim: Some(usage.claim.into()) };
    let pods = |signal: v1::Signal, pods: &BTreeMap<String, Series>| -> Vec<Part> {
        let part = |(pod, series): (&String, &Series)| {
            Part::Usage(v1::PodUsage {
                container: name.to_owned(),
                pod: pod.clone(),
                signal: signal.into(),
                series: Some(series.into()),
            })
        };
        pods.iter().map(part).collect()
    };
    [
        vec![Part::Claim(claim)],
        pods(v1::Signal::Cpu, &usage.cpu),
        pods(v1::Signal::Memory, &usage.memory),
        oom_part(name, usage).into_iter().collect(),
    ]
    .concat()
}

fn oom_part(name: &str, usage: &ContainerUsage) -> Option<Part> {
    let kills: Vec<_> = usage.oom_kills.iter().map(Into::into).collect();
    let part = v1::ContainerOomKills { container: name.to_owned(), kills };
    (!part.kills.is_empty()).then_some(Part::OomKills(part))
}

impl From<&OomKill> for v1::OomKill {
    fn from(kill: &OomKill) -> Self {
        Self {
            time: Some(timestamp_to_wire(kill.killed)),
            pod: kill.pod.clone(),
            peak_bytes: kill.peak.get(),
        }
    }
}

impl TryFrom<v1::OomKill> for OomKill {
    type Error = FieldError;

    fn try_from(wire: v1::OomKill) -> Result<Self, FieldError> {
        if wire.pod.is_empty() {
            return Err(FieldError::new("pod", "is missing"));
        }
        if wire.peak_bytes == 0 {
            return Err(FieldError::new("peak_bytes", "must be above 0"));
        }
        let killed = timestamp_from_wire(wire.time, "time")?;
        Ok(Self { killed, pod: wire.pod, peak: Bytes::new(wire.peak_bytes) })
    }
}

/// The dataset of `workload` put together from its parts, in any order.
///
/// Fails on the first part with a bad or missing field.
pub fn dataset_from_parts(
    workload: WorkloadRef,
    parts: impl IntoIterator<Item = v1::ExportDatasetResponse>,
) -> Result<Dataset, DatasetError> {
    let mut dataset = Dataset::new(workload);
    for (index, part) in parts.into_iter().enumerate() {
        add(&mut dataset, part).map_err(|field| DatasetError {
            index,
            workload: dataset.workload.clone(),
            field,
        })?;
    }
    Ok(dataset)
}

fn add(dataset: &mut Dataset, message: v1::ExportDatasetResponse) -> Result<(), FieldError> {
    let part = message.part.ok_or_else(|| FieldError::new("part", "is missing"))?;
    match part {
        Part::Claim(part) => {
            let claim = part.claim.ok_or_else(|| FieldError::new("claim.claim", "is missing"))?;
            dataset.containers.entry(part.container).or_default().claim =
                ResourceClaim::from(claim);
        }
        Part::Usage(part) => add_usage(dataset, part).map_err(|e| e.within("usage"))?,
        Part::RequestRate(series) => {
            dataset.request_rate = Some(required(Some(series), "request_rate")?);
        }
        Part::Replicas(series) => dataset.replicas = Some(required(Some(series), "replicas")?),
        Part::Calls(part) => {
            let caller = required(part.caller, "calls.caller")?;
            dataset.calls.insert(caller, required(part.series, "calls.series")?);
        }
        Part::OomKills(part) => {
            let kills: Vec<OomKill> =
                each(part.kills, "kills").map_err(|e| e.within("oom_kills"))?;
            dataset.containers.entry(part.container).or_default().oom_kills.extend(kills);
        }
        Part::Indicator(part) => {
            add_indicator(dataset, part).map_err(|e| e.within("indicator"))?;
        }
    }
    Ok(())
}

fn add_usage(dataset: &mut Dataset, part: v1::PodUsage) -> Result<(), FieldError> {
    let signal = Signal::try_from(part.signal()).map_err(|e| e.within("signal"))?;
    let series = required(part.series, "series")?;
    let container = dataset.containers.entry(part.container).or_default();
    let pods = match signal {
        Signal::Cpu => &mut container.cpu,
        Signal::Memory => &mut container.memory,
        Signal::RequestRate => {
            return Err(FieldError::new(
                "signal",
                "must be CPU or memory; rates are not per container",
            ));
        }
    };
    pods.insert(part.pod, series);
    Ok(())
}

fn add_indicator(dataset: &mut Dataset, part: v1::IndicatorSeries) -> Result<(), FieldError> {
    let indicator = Indicator::try_from(part.indicator()).map_err(|e| e.within("indicator"))?;
    let series: Series = required(part.series, "series")?;
    let most = indicator.most();
    let allowed = |value: &Option<f64>| value.is_none_or(|value| (0.0..=most).contains(&value));
    if let Some(index) = series.values().iter().position(|value| !allowed(value)) {
        let path = format!("series.values[{index}]");
        return Err(FieldError::new(&path, format!("must be from 0 to {most}")));
    }
    dataset.indicators.insert(indicator, series);
    Ok(())
}

impl From<Indicator> for v1::Indicator {
    fn from(indicator: Indicator) -> Self {
        match indicator {
            Indicator::ThrottledRatio => Self::ThrottledRatio,
            Indicator::LatencyP50 => Self::LatencyP50,
            Indicator::LatencyP95 => Self::LatencyP95,
            Indicator::LatencyP99 => Self::LatencyP99,
            Indicator::ErrorRatio => Self::ErrorRatio,
            Indicator::NetworkReceive => Self::NetworkReceive,
            Indicator::NetworkTransmit => Self::NetworkTransmit,
            Indicator::Restarts => Self::Restarts,
        }
    }
}

impl TryFrom<v1::Indicator> for Indicator {
    type Error = FieldError;

    fn try_from(wire: v1::Indicator) -> Result<Self, FieldError> {
        match wire {
            v1::Indicator::ThrottledRatio => Ok(Self::ThrottledRatio),
            v1::Indicator::LatencyP50 => Ok(Self::LatencyP50),
            v1::Indicator::LatencyP95 => Ok(Self::LatencyP95),
            v1::Indicator::LatencyP99 => Ok(Self::LatencyP99),
            v1::Indicator::ErrorRatio => Ok(Self::ErrorRatio),
            v1::Indicator::NetworkReceive => Ok(Self::NetworkReceive),
            v1::Indicator::NetworkTransmit => Ok(Self::NetworkTransmit),
            v1::Indicator::Restarts => Ok(Self::Restarts),
            v1::Indicator::Unspecified => Err(FieldError::new("", "must name an indicator")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use mora_core::{Millicores, Step};

    fn dataset() -> Dataset {
        let series =
            Series::new(Timestamp::UNIX_EPOCH, Step::MINUTE, vec![Some(1.0), None]).unwrap();
        let mut dataset = Dataset::new("shop/cart".parse().unwrap());
        let claim = ResourceClaim { cpu_request: Some(Millicores::new(100)), ..Default::default() };
        let pods: BTreeMap<String, Series> = [("cart-1".to_owned(), series.clone())].into();
        let kill = OomKill {
            killed: Timestamp::UNIX_EPOCH,
            pod: "cart-1".to_owned(),
            peak: Bytes::MEBIBYTE,
        };
        let oom_kills = [kill].into();
        let usage = ContainerUsage { claim, cpu: pods.clone(), memory: pods, oom_kills };
        dataset.containers.insert("server".to_owned(), usage);
        dataset.request_rate = Some(series.clone());
        dataset.replicas = Some(series.clone());
        dataset.calls.insert("shop/frontend".parse().unwrap(), series.clone());
        dataset.indicators = Indicator::ALL.map(|indicator| (indicator, series.clone())).into();
        dataset
    }

    #[test]
    fn a_dataset_survives_the_wire_in_any_order_of_parts() {
        let mut parts = dataset_parts(&dataset());
        parts.reverse();
        assert_eq!(dataset_from_parts(dataset().workload, parts), Ok(dataset()));
    }

    #[test]
    fn a_bad_part_is_named_by_index_and_field() {
        let mut parts = dataset_parts(&dataset());
        parts.push(v1::ExportDatasetResponse { part: None });
        let error = dataset_from_parts(dataset().workload, parts).unwrap_err();
        assert_eq!((error.index, error.field.path()), (15, "part"));
    }

    #[test]
    fn an_indicator_without_name_or_out_of_its_range_is_refused() {
        let path = |indicator: v1::Indicator, value: f64| {
            let values = vec![Some(0.5), Some(value)];
            let series = Series::new(Timestamp::UNIX_EPOCH, Step::MINUTE, values).unwrap();
            let series = Some(v1::Series::from(&series));
            let part = v1::IndicatorSeries { indicator: indicator.into(), series };
            let part = v1::ExportDatasetResponse { part: Some(Part::Indicator(part)) };
            let made = dataset_from_parts(dataset().workload, [part]);
            made.err().map(|error| error.field.path().to_owned())
        };
        let bad_value = Some("indicator.series.values[1]".to_owned());
        let bad_name = Some("indicator.indicator".to_owned());
        assert_eq!(path(v1::Indicator::Unspecified, 1.0), bad_name);
        assert_eq!(path(v1::Indicator::ErrorRatio, 1.5), bad_value);
        assert_eq!(path(v1::Indicator::ThrottledRatio, -0.5), bad_value);
        assert_eq!(path(v1::Indicator::LatencyP95, -0.5), bad_value);
        assert_eq!(path(v1::Indicator::LatencyP95, 30.0), None);
    }

    #[test]
    fn a_kill_without_pod_time_or_memory_is_refused() {
        let path = |change: fn(&mut v1::OomKill)| {
            let kill = dataset().containers["server"].oom_kills.first().map(Into::into);
            let mut kill: v1::OomKill = kill.unwrap();
            change(&mut kill);
            let part = v1::ContainerOomKills { container: "server".to_owned(), kills: vec![kill] };
            let part = v1::ExportDatasetResponse { part: Some(Part::OomKills(part)) };
            let error = dataset_from_parts(dataset().workload, [part]).unwrap_err();
            error.field.path().to_owned()
        };
        assert_eq!(path(|kill| kill.pod.clear()), "oom_kills.kills[0].pod");
        assert_eq!(path(|kill| kill.time = None), "oom_kills.kills[0].time");
        assert_eq!(path(|kill| kill.peak_bytes = 0), "oom_kills.kills[0].peak_bytes");
    }
}
