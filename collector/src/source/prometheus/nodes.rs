//! What is known of nodes.

use std::collections::BTreeMap;

use mora_core::{Bytes, Millicores, NodeSeries, Series};

use super::answer::Labelled;
use super::api::Api;
use super::catalogue::{Filling, TABLE};
use super::config::PrometheusConfig;
use super::error::PrometheusError;
use super::queries::QuerySetting;
use crate::Lookback;
use crate::regularise::regularise;

/// The nodes over `lookback`, ordered by name.
pub(super) async fn nodes(
    api: &Api,
    config: &PrometheusConfig,
    lookback: &Lookback,
) -> Result<Vec<NodeSeries>, PrometheusError> {
    let filling = Filling {
        namespace: "",
        step: lookback.step,
        scrape_seconds: config.scrape_interval_seconds,
    };
    let mut nodes = Nodes::default();
    let set: [fn(&mut NodeSeries, Series); 2] =
        [|node, series| node.cpu = Some(series), |node, series| node.memory = Some(series)];
    for (metric, set) in ["node_cpu", "node_memory"].into_iter().zip(set) {
        for promql in questions(config, metric) {
            let answer = api.range(&filling.fill(&promql), lookback).await?;
            if nodes.add_usage(answer, lookback, set) {
                break;
            }
        }
    }
    for promql in questions(config, "node_allocatable") {
        nodes.add_allocatable(&api.instant(&filling.fill(&promql), lookback.to).await?);
    }
    Ok(nodes.0.into_values().collect())
}

/// The questions of `metric`, of which the first with an answer counts.
fn questions(config: &PrometheusConfig, metric: &str) -> Vec<String> {
    match config.queries.get(metric) {
        Some(QuerySetting::Off) => Vec::new(),
        Some(QuerySetting::Own(promql)) => vec![promql.clone()],
        None => {
            let entries = TABLE.iter().filter(|entry| entry.name == metric);
            entries.flat_map(|e| e.queries).map(|(_, promql)| (*promql).to_owned()).collect()
        }
    }
}

#[derive(Debug, Default)]
struct Nodes(BTreeMap<String, NodeSeries>);

impl Nodes {
    fn of(&mut self, series: &Labelled) -> Option<&mut NodeSeries> {
        let name = name(series)?.to_owned();
        Some(self.0.entry(name.clone()).or_insert_with(|| NodeSeries::new(name)))
    }

    /// Adds usage; whether there was any.
    fn add_usage(
        &mut self,
        answer: Vec<Labelled>,
        lookback: &Lookback,
        set: fn(&mut NodeSeries, Series),
    ) -> bool {
        let mut any = false;
        for mut series in answer {
            let samples = std::mem::take(&mut series.samples);
            let Some(usage) = regularise(samples, lookback) else { continue };
            if let Some(node) = self.of(&series) {
                set(node, usage);
                any = true;
            }
        }
        any
    }

    fn add_allocatable(&mut self, answer: &[Labelled]) {
        for series in answer {
            let (Some(resource), Some(sample)) = (series.label("resource"), series.samples.last())
            else {
                continue;
            };
            let Some(node) = self.of(series) else { continue };
            match resource {
                "cpu" => node.allocatable.cpu = Millicores::from_cores(sample.value).ok(),
                "memory" if sample.value >= 0.0 => {
                    node.allocatable.memory = Some(Bytes::new(sample.value as u64));
                }
                _ => {}
            }
        }
    }
}

/// The node a series is about: as its kernel, Kubernetes or at last the address calls it.
fn name(series: &Labelled) -> Option<&str> {
    let stated = ["nodename", "node"].into_iter().find_map(|label| series.label(label));
    let address = series.label("instance");
    stated.or_else(|| {
        address.map(|instance| instance.rsplit_once(':').map_or(instance, |(host, _)| host))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::regularise::Sample;
    use jiff::Timestamp;
    use mora_core::Step;

    fn series(labels: &[(&str, &str)], value: f64) -> Labelled {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Labelled { labels: labels.collect(), samples: vec![Sample { second: 0.0, value }] }
    }

    #[test]
    fn a_node_comes_together_by_the_name_that_each_metric_gives_it() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let lookback = Lookback { from: at(0), to: at(60), step: Step::MINUTE };
        let mut nodes = Nodes::default();
        let cpu = vec![series(&[("nodename", "a"), ("instance", "10.0.0.1:9100")], 1.5)];
        assert!(nodes.add_usage(cpu, &lookback, |node, series| node.cpu = Some(series)));
        let memory = vec![series(&[("instance", "b:10250")], 7.0), series(&[], 1.0)];
        assert!(nodes.add_usage(memory, &lookback, |node, series| node.memory = Some(series)));
        assert!(!nodes.add_usage(Vec::new(), &lookback, |_, _| {}));
        let stated = |resource, value| series(&[("node", "a"), ("resource", resource)], value);
        nodes.add_allocatable(&[stated("cpu", 3.92), stated("memory", 8e9), stated("pods", 110.0)]);
        let [a, b] = &nodes.0.into_values().collect::<Vec<_>>()[..] else { panic!("two nodes") };
        assert_eq!((a.name.as_str(), b.name.as_str()), ("a", "b"));
        assert_eq!(a.allocatable.cpu, Some(Millicores::new(3920)));
        assert_eq!(a.allocatable.memory, Some(Bytes::new(8_000_000_000)));
        assert_eq!(a.cpu.as_ref().unwrap().values(), [Some(1.5)]);
        assert_eq!((b.allocatable.cpu, &b.cpu), (None, &None));
        assert_eq!(b.memory.as_ref().unwrap().values(), [Some(7.0)]);
    }
}
