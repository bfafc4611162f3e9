//! Keys that say which Prometheus is asked, and how.

use super::Section;
use crate::config::Process;

pub(super) const SECTIONS: &[Section] = &[PROMETHEUS];

const PROMETHEUS: Section = Section {
    name: "Prometheus",
    about: "Which Prometheus is asked, with which credentials, and for what.",
    places: &[(Process::Recommend, "prometheus"), (Process::Collector, "source.prometheus")],
    keys: &[
        (
            "url",
            "address with its path prefix, if it has one; `auto`, and of `mora recommend` nothing, finds one by the labels of the cluster's Services",
        ),
        (
            "namespaces",
            "the namespaces to collect; of `mora recommend` only for forecasts, see `selection`",
        ),
        ("bearer_token", "sent as `Authorization: Bearer`; better in a file"),
        ("bearer_token_file", "file with that token, read again at every collection"),
        ("basic_auth", "basic authentication"),
        ("basic_auth.username", "user name"),
        ("basic_auth.password_file", "file with the password"),
        ("headers", "further headers by name, such as a tenant's `X-Scope-OrgID`"),
        ("ca_file", "certificate authority, PEM, instead of the system's"),
        ("timeout_seconds", "longest wait for one query"),
        (
            "max_points_per_query",
            "points per series after which a range is split; Prometheus' own limit is 11000",
        ),
        (
            "busy_share",
            "of the time, the share in which a query may be running; one runs at a time",
        ),
        ("retries", "further tries after 429, 5xx and broken connections"),
        ("retry_pause_milliseconds", "pause before the first of them; it doubles up to 30 s"),
        (
            "scrape_interval_seconds",
            "longest time between two scrapes; CPU is the rate over 5 scrapes, memory the maximum over 2",
        ),
        (
            "traffic",
            "metrics of requests; of those that are there, the first counts; `custom` holds queries of one's own",
        ),
        (
            "queries",
            "PromQL with $namespace in it instead of the query of a metric, or `off`, by metric of docs/metrics.md",
        ),
    ],
};
