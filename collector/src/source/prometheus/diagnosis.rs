//! Whether a Prometheus has what MOrA needs, and what to do where it has not.

mod clusters;
mod history;
mod metrics;
mod server;

use std::fmt;

use jiff::Timestamp;
use serde::Serialize;

use super::answer::Labelled;
use super::api::{Api, Metadata};
use super::catalogue::{EVERY_NAMESPACE, Filling};
use super::config::PrometheusConfig;
use super::error::PrometheusError;
use super::queries::{Presence, Questions};
use super::{PrometheusSource, promql};
use crate::Lookback;

/// How what was looked at is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// As it should be.
    Good,
    /// Something is missing or amiss that MOrA can do without.
    Lacking,
    /// Nothing can be recommended like this.
    Broken,
}

impl State {
    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Lacking => "lacking",
            Self::Broken => "broken",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What: a metric of the catalogue, or a property of the Prometheus.
    pub check: &'static str,
    /// The namespace; `None` for what is about all.
    pub namespace: Option<String>,
    /// How it is.
    pub state: State,
    /// What was found.
    pub detail: String,
    /// What to do about it; `None` where nothing is to do.
    pub fix: Option<String>,
}

/// Everything that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosis {
    /// The address, without credentials.
    pub prometheus: String,
    /// In the order in which things depend on one another.
    pub findings: Vec<Finding>,
}

impl Diagnosis {
    /// The worst that was found.
    #[must_use]
    pub fn worst(&self) -> State {
        self.findings.iter().map(|finding| finding.state).max().unwrap_or(State::Good)
    }
}

impl Finding {
    /// That all is well.
    #[must_use]
    pub const fn good(check: &'static str, namespace: Option<String>, detail: String) -> Self {
        Self { check, namespace, state: State::Good, detail, fix: None }
    }

    /// That something is not, and what to do.
    #[must_use]
    pub fn bad(
        state: State,
        (check, namespace): (&'static str, Option<String>),
        detail: String,
        fix: impl Into<String>,
    ) -> Self {
        Self { check, namespace, state, detail, fix: Some(fix.into()) }
    }
}

impl PrometheusSource {
    /// Looks at what there is, as [`PrometheusConfig::diagnose`] does.
    pub async fn diagnose(&self, lookback: &Lookback, now: fn() -> Timestamp) -> Diagnosis {
        self.config.diagnose(lookback, now).await
    }
}

impl PrometheusConfig {
    /// Looks at what there is over `lookback` and compares it with what is wanted; `now` is the time on our clock. Where no
    /// namespaces are named, all but those of Kubernetes itself are looked at together.
    ///
    /// Whatever goes wrong is a finding.
    pub async fn diagnose(&self, lookback: &Lookback, now: fn() -> Timestamp) -> Diagnosis {
        let prometheus = self.shown();
        let findings = match Patient::new(self, lookback) {
            Ok(patient) => patient.examine(now).await,
            Err(error) => vec![server::unreachable(&error)],
        };
        Diagnosis { prometheus, findings }
    }
}

/// What is looked at.
struct Patient<'a> {
    api: Api,
    metadata: Metadata,
    config: &'a PrometheusConfig,
    lookback: &'a Lookback,
}

impl<'a> Patient<'a> {
    fn new(config: &'a PrometheusConfig, lookback: &'a Lookback) -> Result<Self, PrometheusError> {
        let (api, metadata) = (Api::connect(config)?, Metadata::connect(config)?);
        Ok(Self { api, metadata, config, lookback })
    }

    async fn examine(&self, now: fn() -> Timestamp) -> Vec<Finding> {
        let (mut findings, reachable) = self.server(now).await;
        if !reachable {
            return findings;
        }
        let known = self.api.instant(promql::NAMESPACES, self.lookback.to).await;
        let known = namespaces(&known.unwrap_or_default());
        let mut seen = Vec::new();
        findings.extend(self.clusters().await);
        let every = [EVERY_NAMESPACE.to_owned()];
        let named = &self.config.namespaces[..];
        for namespace in if named.is_empty() { &every } else { named } {
            findings.push(self.namespace(namespace, &known).await);
            findings.extend(self.history(namespace).await);
            seen.extend(self.metrics(namespace).await);
        }
        seen.extend(self.nodes().await);
        findings.push(metrics::kube_state_metrics(&seen));
        findings.extend(seen.into_iter().map(|seen| seen.finding));
        findings
    }

    fn questions<'b>(&'b self, namespace: &'b str, presence: &'b Presence) -> Questions<'b> {
        let filling = Filling {
            namespace,
            step: self.lookback.step,
            scrape_seconds: self.config.scrape_interval_seconds,
        };
        Questions { settings: &self.config.queries, presence, filling }
    }

    /// How many series `promql` has at the end of the lookback.
    async fn count(&self, promql: &str) -> Result<u64, PrometheusError> {
        let answer = self.api.instant(&format!("count({promql})"), self.lookback.to).await?;
        Ok(answer.first().and_then(|series| series.samples.last()).map_or(0, |s| s.value as u64))
    }

    /// Whether usage of `namespace` is known, by pod and container.
    async fn namespace(&self, namespace: &str, known: &[String]) -> Finding {
        let place = ("namespace", named(namespace));
        let absent = Presence::default();
        let promql = self.questions(namespace, &absent).of("cpu").unwrap_or_default();
        match self.count(&promql).await {
            Ok(1..) => {
                let detail = "its containers are known by pod and container".to_owned();
                return Finding::good(place.0, place.1, detail);
            }
            Err(error) => return server::failed(State::Broken, place, &error),
            Ok(0) => {}
        }
        let any = r#"container_cpu_usage_seconds_total{namespace="$namespace"}"#;
        let any = self.questions(namespace, &absent).filling.fill(any);
        if self.count(&any).await.is_ok_and(|count| count > 0) {
            let detail = "there is CPU usage, but none with the labels pod and container";
            let fix = "keep both labels; where they are called pod_name and container_name, rename them with metric_relabel_configs";
            return Finding::bad(State::Broken, place, detail.to_owned(), fix);
        }
        let whose = if namespace == EVERY_NAMESPACE { "" } else { " of it" };
        let detail = format!("no container{whose} has CPU usage at {}", self.lookback.to);
        let fix = if known.is_empty() {
            "let Prometheus scrape the kubelet's /metrics/cadvisor of every node".to_owned()
        } else {
            format!("give one of the namespaces that are known: {}", known.join(", "))
        };
        Finding::bad(State::Broken, place, detail, fix)
    }
}

/// The namespace a finding is about; `None` for all.
fn named(namespace: &str) -> Option<String> {
    Some(namespace).filter(|name| *name != EVERY_NAMESPACE).map(str::to_owned)
}

fn namespaces(answer: &[Labelled]) -> Vec<String> {
    answer.iter().filter_map(|series| series.label("namespace")).map(str::to_owned).collect()
}
