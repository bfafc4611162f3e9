//! The questions about requests, in the query language of Prometheus, and where the answers name callees.

use mora_core::Indicator;

use super::super::traffic_metric::{CustomTraffic, TrafficMetric};
use super::peer::Peer;

/// The label that tells which metric a series of the answer to [`presence`] is of.
pub(super) const METRIC: &str = "mora_traffic";

/// Ports of Linkerd's proxy itself, whose scrapes and probes are no load.
const LINKERD_PORTS: &str = "4190|4191";
/// The statuses of gRPC for which the callee is to blame, as OpenTelemetry counts them: unknown, deadline exceeded,
/// unimplemented, internal, unavailable and data loss.
const GRPC_FAILURES: &str = "2|4|12|13|14|15";

/// What a question is about.
#[derive(Debug, Clone, Copy)]
pub(in super::super) struct Scope<'a> {
    pub(in super::super) namespace: &'a str,
    /// What rates are taken over, as PromQL writes it.
    pub(in super::super) window: &'a str,
}

/// A question of which every series of the answer is about one callee.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Question {
    pub(in super::super) promql: String,
    pub(in super::super) callee: Peer,
}

/// Everything one metric is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct TrafficQueries {
    /// Requests per second by callee and caller.
    pub(in super::super) calls: Question,
    /// Where the labels of `calls` name the caller.
    pub(in super::super) caller: Peer,
    /// Requests per second by callee, where calls do not hold everything received.
    pub(in super::super) received: Option<Question>,
    /// Latencies in seconds and the share of requests that failed, by callee.
    indicators: Vec<(Indicator, Question)>,
}

impl TrafficQueries {
    /// The question of `indicator`; `None` where there is none.
    pub(in super::super) fn of(&self, indicator: Indicator) -> Option<&Question> {
        self.indicators.iter().find(|(of, _)| *of == indicator).map(|(_, question)| question)
    }

    /// The questions of the catalogue's `metric`.
    pub(in super::super) fn named(&self, metric: &str) -> Vec<&Question> {
        if metric == "request_rate" {
            return std::iter::once(&self.calls).chain(&self.received).collect();
        }
        let of = |(indicator, _): &&(Indicator, Question)| indicator.as_str() == metric;
        self.indicators.iter().filter(of).map(|(_, question)| question).collect()
    }
}

impl Question {
    /// A query of the user's own, which names callees in the label `workload`.
    pub(in super::super) fn of_ones_own(promql: String) -> Self {
        Self { promql, callee: Peer::labelled("workload", "") }
    }
}

/// What `metric` is asked for.
pub(in super::super) fn queries(metric: &TrafficMetric, scope: Scope<'_>) -> TrafficQueries {
    match metric {
        TrafficMetric::Istio => istio(scope),
        TrafficMetric::Linkerd => linkerd(scope),
        TrafficMetric::Hubble => hubble(scope),
        TrafficMetric::ServiceGraph => service_graph(scope),
        TrafficMetric::Custom(custom) => self::custom(custom, scope),
    }
}

/// Which of `metrics` had series about workloads of `namespace` within the last hour: one series by metric, in the
/// label [`METRIC`], and callee. `None` where there is nothing to look for; queries of one's own are not looked for.
pub(super) fn presence(metrics: &[TrafficMetric], namespace: &str) -> Option<String> {
    let found = |metric: &TrafficMetric| {
        let seen = selectors(metric, namespace).into_iter().map(|(selector, callee)| {
            let (by, name) = (callee.by(), metric.as_str());
            let group = format!("group by ({by}) (last_over_time({selector}[1h]))");
            format!(r#"label_replace({group}, "{METRIC}", "{name}", "", "")"#)
        });
        seen.collect::<Vec<_>>()
    };
    let parts: Vec<String> = metrics.iter().flat_map(found).collect();
    (!parts.is_empty()).then(|| parts.join(" or "))
}

/// Where the labels of an answer to [`presence`] name a callee, for each selector of `metric`.
pub(super) fn present_callees(metric: &TrafficMetric) -> Vec<Peer> {
    selectors(metric, "").into_iter().map(|(_, callee)| callee).collect()
}

/// The requests to workloads of `namespace`, and where their labels name the callee.
fn selectors(metric: &TrafficMetric, namespace: &str) -> Vec<(String, Peer)> {
    match metric {
        TrafficMetric::Istio => {
            vec![(format!("istio_requests_total{{{}}}", of_istio(namespace)), istio_callee())]
        }
        TrafficMetric::Linkerd => vec![
            (format!("response_total{{{}}}", outbound(namespace)), Peer::linkerd("dst_", "")),
            (format!("response_total{{{}}}", inbound(namespace)), Peer::linkerd("", "")),
        ],
        TrafficMetric::Hubble => {
            vec![(
                format!("hubble_http_requests_total{{{}}}", of_hubble(namespace)),
                istio_callee(),
            )]
        }
        TrafficMetric::ServiceGraph => {
            let of = of_service_graph(namespace);
            vec![(format!("traces_service_graph_request_total{{{of}}}"), service_graph_callee())]
        }
        TrafficMetric::Custom(_) => Vec::new(),
    }
}

/// As both Istio and Hubble name it.
fn istio_callee() -> Peer {
    Peer::labelled("destination_workload", "")
}

fn service_graph_callee() -> Peer {
    Peer::labelled("server", "")
}

/// As the proxy of the callee reports it: its sidecar, or the waypoint before it, never both.
fn of_istio(namespace: &str) -> String {
    format!(r#"reporter=~"destination|waypoint",destination_workload_namespace="{namespace}""#)
}

fn outbound(namespace: &str) -> String {
    format!(r#"direction="outbound",dst_namespace="{namespace}""#)
}

/// Without what probes the pod or scrapes its proxy.
fn inbound(namespace: &str) -> String {
    format!(
        r#"direction="inbound",namespace="{namespace}",srv_port!~"{LINKERD_PORTS}",target_port!~"{LINKERD_PORTS}",route_name!="probe""#
    )
}

fn of_hubble(namespace: &str) -> String {
    format!(r#"reporter="server",destination_namespace="{namespace}""#)
}

/// A series without the namespace's label may be about any. What is called as a database is named after the
/// database, which may well be called like the workload that uses it.
fn of_service_graph(namespace: &str) -> String {
    format!(r#"server_k8s_namespace_name=~"|{namespace}",connection_type!="database""#)
}

fn istio(scope: Scope<'_>) -> TrafficQueries {
    let (of, callee) = (of_istio(scope.namespace), istio_callee());
    let caller = Peer::labelled("source_workload", "source_workload_namespace")
        .outside_where(&[("source_workload", "unknown")]);
    let total = scope.rate(&format!(r#"istio_requests_total{{{of},response_code!=""}}"#));
    let refused = scope.rate(&format!(r#"istio_requests_total{{{of},response_code=~"5.."}}"#));
    let failed = scope.rate(&format!(
        r#"istio_requests_total{{{of},response_code!~"5..",grpc_response_status=~"{GRPC_FAILURES}"}}"#
    ));
    let buckets = format!("istio_request_duration_milliseconds_bucket{{{of}}}");
    TrafficQueries {
        calls: scope.calls(&format!("istio_requests_total{{{of}}}"), &callee, &caller),
        caller,
        received: None,
        indicators: scope.indicators(
            (&buckets, " / 1000"),
            share(&format!("{refused} or {failed}"), &total, &callee),
        ),
    }
}

fn linkerd(scope: Scope<'_>) -> TrafficQueries {
    let (sent, received) = (outbound(scope.namespace), inbound(scope.namespace));
    let (callee, caller) = (Peer::linkerd("", ""), Peer::linkerd("", "namespace"));
    let all = scope.rate(&format!("response_total{{{received}}}"));
    let total = scope.rate(&format!(r#"response_total{{{received},classification!=""}}"#));
    let failed = scope.rate(&format!(r#"response_total{{{received},classification="failure"}}"#));
    let buckets = format!("response_latency_ms_bucket{{{received}}}");
    TrafficQueries {
        calls: scope.calls(
            &format!("response_total{{{sent}}}"),
            &Peer::linkerd("dst_", ""),
            &caller,
        ),
        caller,
        received: Some(Question {
            promql: format!("sum by ({}) ({all})", callee.by()),
            callee: callee.clone(),
        }),
        indicators: scope.indicators((&buckets, " / 1000"), share(&failed, &total, &callee)),
    }
}

fn hubble(scope: Scope<'_>) -> TrafficQueries {
    let (of, callee) = (of_hubble(scope.namespace), istio_callee());
    let caller = Peer::labelled("source_workload", "source_namespace");
    // Only with `httpV2` are requests counted with their status; without, nothing is known of failures.
    let total = scope.rate(&format!(r#"hubble_http_requests_total{{{of},status!=""}}"#));
    let failed = scope.rate(&format!(r#"hubble_http_requests_total{{{of},status=~"5.."}}"#));
    let buckets = format!("hubble_http_request_duration_seconds_bucket{{{of}}}");
    TrafficQueries {
        calls: scope.calls(&format!("hubble_http_requests_total{{{of}}}"), &callee, &caller),
        caller,
        received: None,
        indicators: scope.indicators((&buckets, ""), share(&failed, &total, &callee)),
    }
}

fn service_graph(scope: Scope<'_>) -> TrafficQueries {
    let (of, callee) = (of_service_graph(scope.namespace), service_graph_callee());
    // A request without a caller's span gets the virtual caller `user`, which a workload may be called too.
    let caller = Peer::labelled("client", "client_k8s_namespace_name")
        .outside_where(&[("connection_type", "virtual_node"), ("client", "user")]);
    let requests = format!("traces_service_graph_request_total{{{of}}}");
    let failed = scope.rate(&format!("traces_service_graph_request_failed_total{{{of}}}"));
    let buckets = format!("traces_service_graph_request_server_seconds_bucket{{{of}}}");
    TrafficQueries {
        calls: scope.calls(&requests, &callee, &caller),
        caller,
        received: None,
        indicators: scope
            .indicators((&buckets, ""), share(&failed, &scope.rate(&requests), &callee)),
    }
}

fn custom(custom: &CustomTraffic, scope: Scope<'_>) -> TrafficQueries {
    let question = |query: &String| Question {
        promql: query.replace("$namespace", scope.namespace).replace("$window", scope.window),
        callee: Peer::labelled(&custom.callee, ""),
    };
    let asked = [
        (Indicator::LatencyP50, &custom.latency_p50),
        (Indicator::LatencyP95, &custom.latency_p95),
        (Indicator::LatencyP99, &custom.latency_p99),
        (Indicator::ErrorRatio, &custom.error_ratio),
    ];
    let indicators = asked
        .into_iter()
        .filter_map(|(indicator, query)| Some((indicator, question(query.as_ref()?))));
    TrafficQueries {
        calls: question(&custom.query),
        caller: Peer::labelled(&custom.caller, &custom.caller_namespace),
        received: None,
        indicators: indicators.collect(),
    }
}

impl Scope<'_> {
    /// What a counter grows by per second, restarts bridged; it must not be summed before.
    fn rate(self, selector: &str) -> String {
        format!("rate({selector}[{}])", self.window)
    }

    fn calls(self, selector: &str, callee: &Peer, caller: &Peer) -> Question {
        let (to, from, rate) = (callee.by(), caller.by(), self.rate(selector));
        Question { promql: format!("sum by ({to},{from}) ({rate})"), callee: callee.clone() }
    }

    /// Latencies by the histogram `buckets`, brought to seconds by what follows it, and the share of `errors`.
    fn indicators(
        self,
        (buckets, to_seconds): (&str, &str),
        errors: Question,
    ) -> Vec<(Indicator, Question)> {
        let latency = |quantile| self.quantile(quantile, buckets, to_seconds, &errors.callee);
        vec![
            (Indicator::LatencyP50, latency("0.5")),
            (Indicator::LatencyP95, latency("0.95")),
            (Indicator::LatencyP99, latency("0.99")),
            (Indicator::ErrorRatio, errors),
        ]
    }

    /// NaN, and so a gap, where there was no request.
    fn quantile(self, quantile: &str, buckets: &str, to_seconds: &str, callee: &Peer) -> Question {
        let (by, rate) = (callee.by(), self.rate(buckets));
        let promql =
            format!("histogram_quantile({quantile}, sum by (le,{by}) ({rate})){to_seconds}");
        Question { promql, callee: callee.clone() }
    }
}

/// The share of `failed` in `total`: a counter that never counted is absent, which means zero as long as the total is
/// counted, and nothing where there was no request.
fn share(failed: &str, total: &str, callee: &Peer) -> Question {
    let by = callee.by();
    let (failed, total) = (format!("sum by ({by}) ({failed})"), format!("sum by ({by}) ({total})"));
    let promql = format!("({failed} or {total} * 0) / ({total} > 0)");
    Question { promql, callee: callee.clone() }
}

#[cfg(test)]
mod tests {
    use super::super::super::answer::Labelled;
    use super::super::peer::Named;
    use super::*;
    use mora_core::WorkloadKind;

    const SHOP: Scope<'static> = Scope { namespace: "shop", window: "300s" };

    fn all(queries: &TrafficQueries) -> Vec<&str> {
        let indicators = queries.indicators.iter().map(|(_, question)| question);
        let all = std::iter::once(&queries.calls).chain(&queries.received).chain(indicators);
        all.map(|question| question.promql.as_str()).collect()
    }

    fn series(labels: &[(&str, &str)]) -> Labelled {
        let labels = labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Labelled { labels: labels.collect(), samples: Vec::new() }
    }

    #[test]
    fn every_counter_is_read_by_a_rate_before_it_is_summed() {
        for metric in TrafficMetric::BUILT_IN {
            for query in all(&queries(&metric, SHOP)) {
                let counters = query.matches("_total{").count() + query.matches("_bucket{").count();
                assert!(counters > 0, "{query}");
                assert_eq!(query.matches("rate(").count(), counters, "{query}");
                assert_eq!(query.matches("[300s])").count(), counters, "{query}");
            }
        }
    }

    #[test]
    fn every_question_keeps_to_one_namespace() {
        for metric in TrafficMetric::BUILT_IN {
            let queries = queries(&metric, SHOP);
            let presence = presence(&[metric], "shop").unwrap();
            for query in all(&queries).into_iter().chain([presence.as_str()]) {
                let selectors = query.matches('{').count();
                assert_eq!(query.matches("shop\"").count(), selectors, "{query}");
            }
        }
    }

    #[test]
    fn a_custom_metric_has_its_placeholders_filled_and_its_own_labels() {
        let custom = CustomTraffic {
            callee: "to".to_owned(),
            caller_namespace: "from".to_owned(),
            error_ratio: Some("failed[$window]".to_owned()),
            ..CustomTraffic::new("rate(hits{ns=\"$namespace\"}[$window])".to_owned())
        };
        let metric = TrafficMetric::Custom(custom);
        let asked = queries(&metric, Scope { window: "75s", ..SHOP });
        assert_eq!(all(&asked), ["rate(hits{ns=\"shop\"}[75s])", "failed[75s]"]);
        let answer = series(&[("to", "cart"), ("caller", "front"), ("from", "web")]);
        let named = |name, namespace| Some(Named { name, kind: None, namespace });
        assert_eq!(asked.calls.callee.of(&answer), named("cart", None));
        assert_eq!(asked.caller.of(&answer), named("front", Some("web")));
        assert_eq!(presence(&[metric], "shop"), None);
    }

    #[test]
    fn what_is_no_workload_is_not_taken_for_a_caller_of_that_name() {
        let graph = queries(&TrafficMetric::ServiceGraph, SHOP).caller;
        let user = [("client", "user"), ("server", "front")];
        assert_eq!(graph.of(&series(&user)).unwrap().name, "user");
        let virtual_user = [user[0], user[1], ("connection_type", "virtual_node")];
        assert_eq!(graph.of(&series(&virtual_user)), None);
        let istio = queries(&TrafficMetric::Istio, SHOP).caller;
        assert_eq!(istio.of(&series(&[("source_workload", "unknown")])), None);
        assert_eq!(istio.of(&series(&[("source_workload", "")])), None);
    }

    #[test]
    fn linkerd_tells_the_kind_of_either_side() {
        let linkerd = queries(&TrafficMetric::Linkerd, SHOP);
        let call = series(&[
            ("dst_statefulset", "redis"),
            ("daemonset", "agent"),
            ("namespace", "monitoring"),
        ]);
        let callee = linkerd.calls.callee.of(&call).unwrap();
        assert_eq!((callee.name, callee.kind), ("redis", Some(WorkloadKind::StatefulSet)));
        let caller = linkerd.caller.of(&call).unwrap();
        assert_eq!((caller.name, caller.kind), ("agent", Some(WorkloadKind::DaemonSet)));
        assert_eq!(caller.namespace, Some("monitoring"));
    }
}
