//! Which question each metric is asked with: that of the catalogue, one of the user's own, or none.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::catalogue::{About, Entry, Filling, Metric, TABLE, catalogue};
use super::error::PrometheusError;

/// How a metric is asked for instead of as the catalogue does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuerySetting {
    /// Not at all; written `off`.
    Off,
    /// With PromQL of one's own, in which `$namespace`, `$window`, `$sight` and `$step` are filled.
    Own(String),
}

impl Serialize for QuerySetting {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(match self {
            Self::Off => "off",
            Self::Own(promql) => promql,
        })
    }
}

impl<'de> Deserialize<'de> for QuerySetting {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(OffOrQuery)
    }
}

struct OffOrQuery;

impl Visitor<'_> for OffOrQuery {
    type Value = QuerySetting;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a query, or `off`")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<QuerySetting, E> {
        Ok(if text == "off" { QuerySetting::Off } else { QuerySetting::Own(text.to_owned()) })
    }

    /// What YAML 1.1 makes of `off`.
    fn visit_bool<E: Error>(self, on: bool) -> Result<QuerySetting, E> {
        if on { Err(E::custom("only `off` or a query can be set")) } else { Ok(QuerySetting::Off) }
    }
}

/// Fails at the first of `settings` that cannot be used.
pub(super) fn check(settings: &BTreeMap<String, QuerySetting>) -> Result<(), PrometheusError> {
    let metrics = catalogue();
    for (name, setting) in settings {
        let problem = if let Some(metric) = metrics.iter().find(|metric| metric.name == name) {
            problem(metric, setting)
        } else {
            let known: Vec<&str> = metrics.iter().map(|metric| metric.name).collect();
            Some(format!("there is no such metric; there are {}", known.join(", ")))
        };
        if let Some(problem) = problem {
            return Err(PrometheusError::Query { name: name.clone(), problem });
        }
    }
    Ok(())
}

fn problem(metric: &Metric, setting: &QuerySetting) -> Option<String> {
    match setting {
        QuerySetting::Off if metric.needed => {
            Some("nothing can be recommended without it; give a query or leave it out".to_owned())
        }
        QuerySetting::Own(_) if metric.name == "request_rate" => Some(
            "write it under source.prometheus.traffic as `custom`, with the labels that name callee and caller"
                .to_owned(),
        ),
        QuerySetting::Own(promql) if metric.about == About::Workloads => {
            let placed = promql.contains("$namespace");
            (!placed).then(|| "the query must hold $namespace, so that namespaces are not mixed".to_owned())
        }
        QuerySetting::Off | QuerySetting::Own(_) => None,
    }
}

/// Which metrics of Prometheus exist for a namespace; `None` where that cannot be told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Presence(pub(super) Option<BTreeSet<String>>);

impl Presence {
    /// The selector of all that the catalogue reads of `namespace`.
    pub(super) fn selector(namespace: &str) -> String {
        let of_workloads = TABLE.iter().flat_map(|entry| entry.reads);
        let names: BTreeSet<&str> = of_workloads.copied().collect();
        let names: Vec<&str> = names.into_iter().collect();
        format!(r#"{{__name__=~"{}",namespace="{namespace}"}}"#, names.join("|"))
    }

    /// Whether `entry` may have an answer.
    fn may_have(&self, entry: &Entry) -> bool {
        let Some(names) = self.0.as_ref().filter(|_| !entry.reads.is_empty()) else { return true };
        entry.reads.iter().any(|name| names.contains(*name))
    }
}

/// The questions about one namespace.
#[derive(Debug, Clone, Copy)]
pub(super) struct Questions<'a> {
    pub(super) settings: &'a BTreeMap<String, QuerySetting>,
    pub(super) presence: &'a Presence,
    pub(super) filling: Filling<'a>,
}

impl Questions<'_> {
    /// The PromQL of `metric`, as [`TABLE`] names it; `None` where it is not to be asked for.
    pub(super) fn of(&self, metric: &str) -> Option<String> {
        match self.settings.get(metric) {
            Some(QuerySetting::Off) => None,
            Some(QuerySetting::Own(promql)) => Some(self.filling.fill(promql)),
            None => {
                let entry = TABLE.iter().find(|entry| entry.name == metric)?;
                let (_, promql) =
                    entry.queries.first().filter(|_| self.presence.may_have(entry))?;
                Some(self.filling.fill(promql))
            }
        }
    }

    /// A query of the user's own for `metric`, or whether it is off.
    pub(super) fn own(&self, metric: &str) -> Own {
        match self.settings.get(metric) {
            Some(QuerySetting::Off) => Own::Off,
            Some(QuerySetting::Own(promql)) => Own::Query(self.filling.fill(promql)),
            None => Own::None,
        }
    }
}

/// What is set for a metric.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Own {
    None,
    Off,
    Query(String),
}

#[cfg(test)]
mod tests {
    use super::*;
    use mora_core::Step;

    fn settings(json: &str) -> BTreeMap<String, QuerySetting> {
        serde_json::from_str(json).unwrap()
    }

    fn refused(json: &str) -> String {
        check(&settings(json)).unwrap_err().to_string()
    }

    #[test]
    fn a_setting_that_cannot_work_is_named_with_what_can() {
        let unknown = refused(r#"{"cpus": "off"}"#);
        assert!(unknown.contains("queries.cpus") && unknown.contains("cpu, memory"), "{unknown}");
        assert!(refused(r#"{"cpu": "off"}"#).contains("queries.cpu"));
        assert!(refused(r#"{"memory": "sum(x)"}"#).contains("$namespace"));
        assert!(refused(r#"{"request_rate": "x{n=\"$namespace\"}"}"#).contains("traffic"));
        let usable = r#"{"restarts": false, "latency_p50": "off", "node_cpu": "sum by (node) (x)",
            "cpu": "sum by (pod,container) (rate(c{ns=\"$namespace\"}[$window]))"}"#;
        assert!(check(&settings(usable)).is_ok());
        assert!(serde_json::from_str::<QuerySetting>("true").is_err());
    }

    #[test]
    fn what_is_off_or_absent_is_not_asked_and_a_query_of_ones_own_always_is() {
        let settings =
            settings(r#"{"memory": "m{n=\"$namespace\"}[$sight]", "network_receive": "off"}"#);
        let presence = Presence(Some(["container_cpu_usage_seconds_total".to_owned()].into()));
        let filling = Filling { namespace: "shop", step: Step::MINUTE, scrape_seconds: 15 };
        let mut questions = Questions { settings: &settings, presence: &presence, filling };
        assert!(questions.of("cpu").unwrap().contains(r#"namespace="shop""#));
        assert_eq!(questions.of("memory").as_deref(), Some("m{n=\"shop\"}[60s]"));
        assert_eq!(questions.of("network_receive"), None);
        assert_eq!(questions.of("restarts"), None, "there is none in this namespace");
        let unknown = Presence::default();
        questions.presence = &unknown;
        assert!(questions.of("restarts").is_some());
        assert_eq!(questions.of("network_receive"), None);
    }

    #[test]
    fn settings_are_written_as_they_are_read() {
        let settings = settings(r#"{"memory": "m", "restarts": "off"}"#);
        let json = serde_json::to_string(&settings).unwrap();
        assert_eq!(serde_json::from_str::<BTreeMap<_, _>>(&json).unwrap(), settings);
    }
}
