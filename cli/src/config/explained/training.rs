//! Keys about training and asking workers.

use super::Section;
use crate::config::Process;

pub(super) const SECTIONS: &[Section] = &[TRAINING, WORKERS, FAN_OUT];

const TRAINING: Section = Section {
    name: "Training",
    about: "When and how models are trained.",
    places: &[(Process::Recommend, "training"), (Process::Collector, "training")],
    keys: &[
        (
            "every_hours",
            "hours after which a worker is sent its history again; the worker decides whether a fit is due",
        ),
        (
            "pause_hours",
            "hours after which it is sent it earlier, when the workload changed or has much more history",
        ),
        (
            "drift_ratio",
            "how far the CPU of a day must lie outside that of the days trained with to be a change",
        ),
        ("leave_out", "times not learned from"),
        ("concurrency", "workers trained at once"),
        ("slot_seconds", "width of the slots to forecast, 900 to 86400, a divisor of a day"),
        ("deadline_seconds", "longest time for one job"),
        ("seed", "seed of everything random in a fit"),
        ("force", "fit even where a worker's version is not due for it"),
    ],
};

const WORKERS: Section = Section {
    name: "Workers",
    about: "Where model-workers listen.",
    places: &[
        (Process::Recommend, "workers"),
        (Process::Collector, "workers"),
        (Process::Coordinator, "workers"),
    ],
    keys: &[
        (
            "endpoints",
            "addresses, `http://host:port` or with `tls` `https://host:port`, by workload: namespace/name or namespace/Kind/name",
        ),
        (
            "endpoint_pattern",
            "address of every other worker, with `{namespace}`, `{name}` and `{kind}` in it",
        ),
        ("discovery", "where to look for workers"),
        ("discovery.services", "look among the Services of a cluster; `{}` for the defaults"),
        ("discovery.services.selector", "labels of Services that stand before a worker"),
        ("discovery.services.namespaces", "their namespaces; all where none is named"),
        ("discovery.services.context", "context of the kubeconfig; the current one when absent"),
        (
            "discovery.headless",
            "names with a port, such as `mora-workers.mora.svc:50061`, of which every address is a worker",
        ),
    ],
};

const FAN_OUT: Section = Section {
    name: "Asking workers",
    about: "How workers are asked for their forecasts, and how long.",
    places: &[(Process::Recommend, "fan_out"), (Process::Coordinator, "fan_out")],
    keys: &[
        ("per_call_ms", "longest wait for one answer"),
        ("overall_ms", "longest wait for all; answers that came are kept"),
        ("concurrency", "workers asked at once; each holds a connection"),
        ("retries", "further tries after a passing failure"),
        (
            "retry_share",
            "further tries for all workers together, as a share of their number; ten are always allowed",
        ),
        (
            "hedge_factor",
            "a worker is asked a second time when it takes this many times as long as nineteen in twenty of the others; 0 for never",
        ),
        (
            "hedge_share",
            "second calls for all workers together, as a share of their number, rounded up",
        ),
        (
            "straggler_share",
            "share of the workers, less those that failed, that must have answered before the time of the rest is bounded; 1 for never",
        ),
        ("straggler_factor", "the rest have this many times as long as that share took"),
        ("straggler_least_ms", "the least they have beyond it, where a hundred answered"),
        ("breaker_failures", "failures in a row after which a worker is left alone; 0 for never"),
        ("breaker_pause_ms", "how long it is left alone before one call tries it again"),
        ("kept_connections", "connections a server keeps open from one plan to the next"),
    ],
};
