//! Which metric tells of the requests between workloads.

use std::fmt;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// A metric of requests between workloads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TrafficMetric {
    /// `istio_requests_total`, as the callee's side reports it.
    Istio,
    /// `response_total` of Linkerd's proxies: calls as the caller's side reports them, everything received as the
    /// callee's does.
    Linkerd,
    /// `hubble_http_requests_total` of Cilium, with the names of workloads and namespaces in its labels.
    Hubble,
    /// `traces_service_graph_request_total` of OpenTelemetry and Tempo: services are taken to be the workloads of the
    /// same name, of any namespace unless the label `server_k8s_namespace_name` names one.
    ServiceGraph,
    /// Queries of one's own.
    Custom(CustomTraffic),
}

/// Queries of one's own, in which `$namespace` and `$window` (as in `5m`) are replaced.
///
/// In a configuration the text of a query stands for one with everything else at its default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CustomTraffic {
    /// PromQL that gives requests per second by callee and, where it is known, by caller.
    pub query: String,
    /// The label with the callee's name.
    pub callee: String,
    /// The label with the caller's name; a series without it counts as load from outside.
    pub caller: String,
    /// The label with the caller's namespace; where it is empty or absent, callers are of the callee's namespace.
    pub caller_namespace: String,
    /// PromQL that gives the latency half of the requests stay below, in seconds by callee.
    pub latency_p50: Option<String>,
    /// PromQL that gives the latency 95 % of requests stay below, in seconds by callee.
    pub latency_p95: Option<String>,
    /// PromQL that gives the latency 99 % of requests stay below, in seconds by callee.
    pub latency_p99: Option<String>,
    /// PromQL that gives the share of requests that failed, by callee.
    pub error_ratio: Option<String>,
}

/// What may stand in a map; apart from [`CustomTraffic`] so that an unknown key is named.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Keys {
    query: String,
    callee: Option<String>,
    caller: Option<String>,
    #[serde(default)]
    caller_namespace: String,
    latency_p50: Option<String>,
    latency_p95: Option<String>,
    latency_p99: Option<String>,
    error_ratio: Option<String>,
}

impl TrafficMetric {
    /// The metrics that need no query to be written, in the order they are looked for: first those that name the
    /// workloads and namespaces they are about and count every request.
    pub const BUILT_IN: [Self; 4] = [Self::Istio, Self::Linkerd, Self::Hubble, Self::ServiceGraph];

    /// The metric's name in a configuration.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Istio => "istio",
            Self::Linkerd => "linkerd",
            Self::Hubble => "hubble",
            Self::ServiceGraph => "service_graph",
            Self::Custom(_) => "custom",
        }
    }

    /// The counter it reads; `None` for a query of one's own.
    pub(super) const fn counter(&self) -> Option<&'static str> {
        match self {
            Self::Istio => Some("istio_requests_total"),
            Self::Linkerd => Some("response_total"),
            Self::Hubble => Some("hubble_http_requests_total"),
            Self::ServiceGraph => Some("traces_service_graph_request_total"),
            Self::Custom(_) => None,
        }
    }
}

impl CustomTraffic {
    /// The requests that `query` gives with the labels `workload` and, where it is known, `caller`.
    #[must_use]
    pub fn new(query: String) -> Self {
        Self {
            query,
            callee: "workload".to_owned(),
            caller: "caller".to_owned(),
            caller_namespace: String::new(),
            latency_p50: None,
            latency_p95: None,
            latency_p99: None,
            error_ratio: None,
        }
    }
}

impl CustomTraffic {
    /// The query of the catalogue's `metric`.
    pub(super) fn of(&self, metric: &str) -> Option<&str> {
        match metric {
            "request_rate" => Some(&self.query),
            "latency_p50" => self.latency_p50.as_deref(),
            "latency_p95" => self.latency_p95.as_deref(),
            "latency_p99" => self.latency_p99.as_deref(),
            "error_ratio" => self.error_ratio.as_deref(),
            _ => None,
        }
    }
}

impl From<Keys> for CustomTraffic {
    fn from(keys: Keys) -> Self {
        let default = Self::new(keys.query);
        Self {
            callee: keys.callee.unwrap_or(default.callee),
            caller: keys.caller.unwrap_or(default.caller),
            caller_namespace: keys.caller_namespace,
            latency_p50: keys.latency_p50,
            latency_p95: keys.latency_p95,
            latency_p99: keys.latency_p99,
            error_ratio: keys.error_ratio,
            query: default.query,
        }
    }
}

impl<'de> Deserialize<'de> for CustomTraffic {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(QueryOrKeys)
    }
}

struct QueryOrKeys;

impl<'de> Visitor<'de> for QueryOrKeys {
    type Value = CustomTraffic;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a query, or a map with the key `query`")
    }

    fn visit_str<E: Error>(self, query: &str) -> Result<CustomTraffic, E> {
        Ok(CustomTraffic::new(query.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<CustomTraffic, A::Error> {
        Keys::deserialize(MapAccessDeserializer::new(map)).map(CustomTraffic::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(json: &str) -> Result<Vec<TrafficMetric>, String> {
        serde_json::from_str(json).map_err(|error| error.to_string())
    }

    #[test]
    fn the_text_of_a_query_stands_for_one_with_the_default_labels() {
        let short = parsed(r#"[{"custom": "rate(x[$window])"}]"#).unwrap();
        let long = r#"[{"custom": {"query": "rate(x[$window])", "callee": "workload", "caller": "caller"}}]"#;
        assert_eq!(short, parsed(long).unwrap());
        assert_eq!(short, [TrafficMetric::Custom(CustomTraffic::new("rate(x[$window])".into()))]);
    }

    #[test]
    fn labels_and_further_queries_can_be_named_and_an_unknown_key_is_refused() {
        let json = r#"[{"custom": {"query": "x", "callee": "to", "caller": "from",
            "caller_namespace": "from_ns", "latency_p95": "y", "error_ratio": "z"}}]"#;
        let [TrafficMetric::Custom(custom)] = &parsed(json).unwrap()[..] else { panic!("{json}") };
        let labels = [&custom.callee, &custom.caller, &custom.caller_namespace];
        assert_eq!(labels, ["to", "from", "from_ns"]);
        let queries = [custom.latency_p95.as_deref(), custom.error_ratio.as_deref()];
        assert_eq!(queries, [Some("y"), Some("z")]);
        let refused = parsed(r#"[{"custom": {"query": "x", "calee": "to"}}]"#).unwrap_err();
        assert!(refused.contains("calee") && refused.contains("callee"), "{refused}");
    }

    #[test]
    fn every_metric_is_configured_by_its_name() {
        for metric in TrafficMetric::BUILT_IN {
            let json = serde_json::to_string(&[&metric]).unwrap();
            assert_eq!(json, format!("[\"{}\"]", metric.as_str()));
            assert_eq!(parsed(&json).unwrap(), [metric]);
        }
    }
}
