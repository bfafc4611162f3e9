//! What was observed before the judged time.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mora_core::{ContainerUsage, Dataset, Lookback, Series, WorkloadRef};

/// What was observed of an application under its stock claims before arms act, by the minute; shared by all arms with one
/// seed and one kind of load.
#[derive(Debug, Clone, PartialEq)]
pub struct History {
    datasets: BTreeMap<WorkloadRef, Dataset>,
    until: Timestamp,
}

impl History {
    /// `datasets` of what was observed up to `until`.
    #[must_use]
    pub fn new(datasets: Vec<Dataset>, until: Timestamp) -> Self {
        let datasets = datasets.into_iter().map(|dataset| (dataset.workload.clone(), dataset));
        Self { datasets: datasets.collect(), until }
    }

    /// The instant after the last observation.
    #[must_use]
    pub const fn until(&self) -> Timestamp {
        self.until
    }

    /// Everything observed, ordered by workload.
    pub fn datasets(&self) -> impl Iterator<Item = &Dataset> {
        self.datasets.values()
    }

    /// `live`, which began when this history ended, with what of `lookback` lies before.
    #[must_use]
    pub fn continued(&self, live: Vec<Dataset>, lookback: &Lookback) -> Vec<Dataset> {
        if lookback.from >= self.until {
            return live;
        }
        let join = |dataset: Dataset| match self.datasets.get(&dataset.workload) {
            Some(before) => joined(&within(before, lookback), dataset),
            None => dataset,
        };
        live.into_iter().map(join).collect()
    }
}

/// What of `dataset` lies in `lookback`; pods that did not run then are not in it.
fn within(dataset: &Dataset, lookback: &Lookback) -> Dataset {
    let cut = |series: &Series| series.between(lookback.from, lookback.to);
    let pods = |pods: &BTreeMap<String, Series>| {
        let cut = pods.iter().map(|(pod, series)| (pod.clone(), cut(series)));
        cut.filter(|(_, series)| !series.is_empty()).collect()
    };
    let containers = dataset.containers.iter().map(|(name, usage)| {
        let kills = usage.oom_kills.iter().filter(|kill| lookback.holds(kill.killed));
        let usage = ContainerUsage {
            claim: usage.claim,
            cpu: pods(&usage.cpu),
            memory: pods(&usage.memory),
            oom_kills: kills.cloned().collect(),
        };
        (name.clone(), usage)
    });
    Dataset {
        workload: dataset.workload.clone(),
        containers: containers.collect(),
        request_rate: dataset.request_rate.as_ref().map(cut),
        replicas: dataset.replicas.as_ref().map(cut),
        calls: dataset.calls.iter().map(|(caller, series)| (caller.clone(), cut(series))).collect(),
        indicators: dataset.indicators.iter().map(|(what, series)| (*what, cut(series))).collect(),
    }
}

/// What two datasets of one workload say together; claims are those of the later.
fn joined(earlier: &Dataset, mut later: Dataset) -> Dataset {
    for (name, usage) in &earlier.containers {
        let into = later.containers.entry(name.clone()).or_default();
        prepend(&usage.cpu, &mut into.cpu);
        prepend(&usage.memory, &mut into.memory);
        into.oom_kills.extend(usage.oom_kills.iter().cloned());
    }
    later.request_rate = either(earlier.request_rate.as_ref(), later.request_rate);
    later.replicas = either(earlier.replicas.as_ref(), later.replicas);
    prepend(&earlier.calls, &mut later.calls);
    prepend(&earlier.indicators, &mut later.indicators);
    later
}

fn prepend<K: Ord + Clone>(earlier: &BTreeMap<K, Series>, later: &mut BTreeMap<K, Series>) {
    for (key, series) in earlier {
        let known = later.remove(key);
        later.extend(either(Some(series), known).map(|series| (key.clone(), series)));
    }
}

fn either(earlier: Option<&Series>, later: Option<Series>) -> Option<Series> {
    match (earlier, later) {
        (Some(earlier), Some(later)) => Some(one_after_the_other(earlier, later)),
        (earlier, later) => later.or_else(|| earlier.cloned()),
    }
}

/// Both with gaps between them; only the later one where they do not follow one another in the same step.
fn one_after_the_other(earlier: &Series, later: Series) -> Series {
    let step = i64::from(later.step().seconds());
    let gap = later.start().as_second() - earlier.end().as_second();
    if later.is_empty() {
        return earlier.clone();
    }
    if earlier.is_empty() || earlier.step() != later.step() || gap < 0 || gap % step != 0 {
        return later;
    }
    let gaps = std::iter::repeat_n(None, (gap / step) as usize);
    let values = earlier.values().iter().copied().chain(gaps).chain(later.values().iter().copied());
    Series::new(earlier.start(), earlier.step(), values.collect()).unwrap_or(later)
}

#[cfg(test)]
mod tests {
    use mora_core::Step;

    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_second(minute * 60).unwrap()
    }

    fn series(start: i64, values: &[f64]) -> Series {
        let values = values.iter().copied().map(Some).collect();
        Series::new(at(start), Step::MINUTE, values).unwrap()
    }

    fn dataset(start: i64, pods: &[(&str, &[f64])]) -> Dataset {
        let mut dataset = Dataset::new(WorkloadRef::deployment("shop", "cart").unwrap());
        let usage = dataset.containers.entry("server".into()).or_default();
        usage.cpu = pods.iter().map(|(pod, v)| ((*pod).to_owned(), series(start, v))).collect();
        dataset.request_rate = Some(series(start, pods[0].1));
        dataset
    }

    #[test]
    fn live_series_continue_those_of_the_history_and_cut_them_to_the_lookback() {
        let history =
            History::new(vec![dataset(0, &[("a", &[1.0, 2.0, 3.0]), ("b", &[9.0; 3])])], at(3));
        let live = || vec![dataset(4, &[("a", &[5.0]), ("c", &[7.0])])];
        let lookback = |from| Lookback { from: at(from), to: at(5), step: Step::MINUTE };
        let all = &history.continued(live(), &lookback(1))[0];
        let pods = &all.containers["server"].cpu;
        assert_eq!(pods.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(pods["a"].values(), [Some(2.0), Some(3.0), None, Some(5.0)]);
        assert_eq!((pods["a"].start(), pods["b"].len(), pods["c"].start()), (at(1), 2, at(4)));
        assert_eq!(all.request_rate.as_ref().unwrap().len(), 4);
        assert_eq!(history.continued(live(), &lookback(3)), live());
    }
}
