//! Every metric that is asked for: name, unit, question, and who provides it.

mod table;

use std::fmt;

use mora_core::Step;

use super::traffic::mesh_queries;
use super::traffic_metric::TrafficMetric;

pub(super) use table::{Entry, TABLE};

/// Scrapes a rate is taken over: it needs two, and one or two may fail.
const SCRAPES_PER_RATE: u32 = 5;
/// Scrapes within which a container that runs was seen.
const SCRAPES_PER_SIGHT: u32 = 2;

/// Who tells Prometheus of a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Provider {
    /// The kubelet's `/metrics/cadvisor`.
    Cadvisor,
    /// kube-state-metrics.
    KubeStateMetrics,
    /// Prometheus' `node_exporter`.
    NodeExporter,
    /// Istio.
    Istio,
    /// Linkerd.
    Linkerd,
    /// Hubble of Cilium.
    Hubble,
    /// The service graph of OpenTelemetry or Tempo.
    ServiceGraph,
}

impl Provider {
    /// Its name as people write it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cadvisor => "kubelet cAdvisor",
            Self::KubeStateMetrics => "kube-state-metrics",
            Self::NodeExporter => "node_exporter",
            Self::Istio => "Istio",
            Self::Linkerd => "Linkerd",
            Self::Hubble => "Cilium Hubble",
            Self::ServiceGraph => "OpenTelemetry service graph",
        }
    }

    /// How to have its metrics in Prometheus, as a sentence without a full stop.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        match self {
            Self::Cadvisor => "let Prometheus scrape the kubelet's /metrics/cadvisor of every node",
            Self::KubeStateMetrics => "install kube-state-metrics and let Prometheus scrape it",
            Self::NodeExporter => {
                "run node_exporter as a DaemonSet and let Prometheus scrape it, or keep the cgroup id=\"/\" of cAdvisor"
            }
            Self::Istio | Self::Linkerd | Self::Hubble | Self::ServiceGraph => {
                "let Prometheus scrape the proxies of a mesh (Istio, Linkerd, Hubble) or a service graph, or write a query under source.prometheus.traffic"
            }
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What a metric is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum About {
    /// The workloads of one namespace.
    Workloads,
    /// The nodes of the cluster.
    Nodes,
}

/// A question to Prometheus and who provides what it reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Provided {
    /// Who.
    pub by: Provider,
    /// PromQL in which `$namespace`, `$window`, `$sight` and `$step` are to be filled.
    pub promql: String,
}

/// One metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// Its name in configurations and documents.
    pub name: &'static str,
    /// What its values are counted in.
    pub unit: &'static str,
    /// What it is about.
    pub about: About,
    /// Whether nothing can be recommended without it.
    pub needed: bool,
    /// What it says, as a sentence.
    pub meaning: &'static str,
    /// What MOrA does without it, as a sentence.
    pub without: &'static str,
    /// Why there may be nothing to tell although its provider is there.
    pub quiet: Option<&'static str>,
    /// How it is asked for, by provider; the first that is there counts.
    pub queries: Vec<Provided>,
}

/// Every metric, in the order of the documents.
#[must_use]
pub fn catalogue() -> Vec<Metric> {
    TABLE.iter().map(Entry::metric).collect()
}

impl Entry {
    fn metric(&self) -> Metric {
        let own = self.queries.iter().map(|(by, promql)| (*by, (*promql).to_owned()));
        let meshes = self.of_requests().then(|| of_meshes(self.name)).into_iter().flatten();
        let queries = own.chain(meshes).map(|(by, promql)| Provided { by, promql });
        Metric {
            name: self.name,
            unit: self.unit,
            about: self.about,
            needed: self.needed,
            meaning: self.meaning,
            without: self.without,
            quiet: self.quiet,
            queries: queries.collect(),
        }
    }

    /// Whether it is of requests, which meshes tell of, each in its own way.
    pub(super) const fn of_requests(&self) -> bool {
        self.queries.is_empty()
    }
}

fn of_meshes(metric: &str) -> Vec<(Provider, String)> {
    let meshes = [
        (TrafficMetric::Istio, Provider::Istio),
        (TrafficMetric::Linkerd, Provider::Linkerd),
        (TrafficMetric::Hubble, Provider::Hubble),
        (TrafficMetric::ServiceGraph, Provider::ServiceGraph),
    ];
    let asked = |(mesh, by): &(TrafficMetric, Provider)| {
        let queries = mesh_queries(mesh, "$namespace", "$window");
        queries.named(metric).into_iter().map(|question| (*by, question.promql.clone())).collect()
    };
    meshes.iter().flat_map::<Vec<_>, _>(asked).collect()
}

/// What stands for all namespaces but those of Kubernetes itself.
pub(super) const EVERY_NAMESPACE: &str = "";
/// How a selector of one namespace is written, and that of all of them.
const SELECTORS: [(&str, &str); 2] = [
    (r#"="$namespace""#, r#"!~"|kube-system|kube-public|kube-node-lease""#),
    (r#"=~"|$namespace""#, r#"=~".*""#),
];
/// What one namespace after another fits.
const ANY_NAMESPACE: &str = ".+";

/// What the placeholders of a question stand for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filling<'a> {
    /// The namespace; empty for all but those of Kubernetes itself, and for what is about nodes.
    pub namespace: &'a str,
    /// Spacing of the answers.
    pub step: Step,
    /// Longest time between two scrapes, in seconds.
    pub scrape_seconds: u32,
}

impl Filling<'_> {
    /// `promql` with its placeholders filled: the namespace; `$window`, the time that holds five scrapes and at least a
    /// step; `$sight`, two scrapes and at least a step; `$step`.
    #[must_use]
    pub fn fill(&self, promql: &str) -> String {
        let (selectors, namespace) = match self.namespace {
            EVERY_NAMESPACE => (&SELECTORS[..], ANY_NAMESPACE),
            one => (&[][..], one),
        };
        let fill = |promql: String, (of_one, of_all): &(&str, &str)| promql.replace(of_one, of_all);
        let promql = selectors.iter().fold(promql.to_owned(), fill);
        promql
            .replace("$namespace", namespace)
            .replace("$window", &self.window())
            .replace("$sight", &self.holding(SCRAPES_PER_SIGHT))
            .replace("$step", &format!("{}s", self.step.seconds()))
    }

    pub(super) fn window(&self) -> String {
        self.holding(SCRAPES_PER_RATE)
    }

    fn holding(&self, scrapes: u32) -> String {
        format!("{}s", self.scrape_seconds.saturating_mul(scrapes).max(self.step.seconds()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const SHOP: Filling<'static> =
        Filling { namespace: "shop", step: Step::MINUTE, scrape_seconds: 60 };

    fn filled(name: &str, filling: Filling<'_>) -> String {
        filling
            .fill(&catalogue().iter().find(|metric| metric.name == name).unwrap().queries[0].promql)
    }

    #[test]
    fn rates_span_five_scrapes_and_never_less_than_a_step() {
        assert!(filled("cpu", SHOP).ends_with("[300s]))"));
        assert!(filled("cpu", Filling { step: Step::HOUR, ..SHOP }).ends_with("[3600s]))"));
        assert!(filled("memory", SHOP).ends_with("[120s]))"));
    }

    #[test]
    fn every_counter_is_read_by_a_rate_before_it_is_summed() {
        let counts = |metric: &&Metric| !["restarts"].contains(&metric.name);
        for metric in catalogue().iter().filter(counts) {
            for Provided { promql, .. } in &metric.queries {
                let counters =
                    promql.matches("_total{").count() + promql.matches("_bucket{").count();
                assert_eq!(promql.matches("rate(").count(), counters, "{promql}");
                assert!(counters == 0 || !promql.contains("rate(sum"), "{promql}");
            }
        }
    }

    #[test]
    fn every_question_about_workloads_keeps_to_one_namespace_and_fills_every_placeholder() {
        for metric in catalogue() {
            assert!(!metric.queries.is_empty(), "{}", metric.name);
            for Provided { promql, .. } in &metric.queries {
                let spaces = promql.matches("$namespace").count();
                let expected =
                    if metric.about == About::Nodes { 0 } else { promql.matches('{').count() };
                assert_eq!(spaces, expected, "{promql}");
                assert!(!SHOP.fill(promql).contains('$'), "{promql}");
            }
        }
    }

    #[test]
    fn a_question_about_all_namespaces_leaves_out_those_of_kubernetes() {
        let all = Filling { namespace: EVERY_NAMESPACE, ..SHOP };
        let cpu = filled("cpu", all);
        assert!(cpu.contains(r#"{namespace!~"|kube-system|"#), "{cpu}");
        assert_eq!(all.fill(r#"x{n=~"|$namespace"}"#), r#"x{n=~".*"}"#);
        assert_eq!(all.fill(r#"x{n=~"$namespace"}"#), r#"x{n=~".+"}"#);
    }

    #[test]
    fn names_are_unique_and_sentences_end() {
        let metrics = catalogue();
        let names: BTreeSet<_> = metrics.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), metrics.len());
        for metric in &metrics {
            for sentence in [metric.meaning, metric.without] {
                assert!(sentence.ends_with('.') && !sentence.contains('|'), "{sentence}");
            }
        }
        let needed: Vec<_> = metrics.iter().filter(|m| m.needed).map(|m| m.name).collect();
        assert_eq!(needed, ["cpu", "memory"]);
    }
}
