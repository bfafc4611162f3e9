//! Keys at the top of a configuration.

use super::Section;
use crate::config::Process;

pub(super) const SECTIONS: &[Section] = &[RECOMMEND, COLLECTOR, WORKER, COORDINATOR];

const RECOMMEND: Section = Section {
    name: "mora recommend",
    about: "What the commands take that look at a Prometheus and a cluster: `mora recommend`, `doctor`, `graph`, `explain` and `whatif`.",
    places: &[(Process::Recommend, "")],
    keys: &[
        ("prometheus", "the Prometheus that is asked, and how"),
        (
            "contexts",
            "contexts of the kubeconfig, a cluster each; the current one where none is named",
        ),
        (
            "no_cluster",
            "ask no cluster, even where there is a kubeconfig: what runs is then taken from Prometheus",
        ),
        ("lookback_hours", "hours of history; fractions count, 8784 at most"),
        ("at", "its end, RFC 3339 as in `2026-03-02T00:00:00Z`; now when absent"),
        ("selection", "which workloads are looked at, and which rows are shown"),
        (
            "label_selector",
            "labels that workloads have to have, as `kubectl --selector` takes them",
        ),
        ("strategy", "how requests are computed"),
        ("statistical", "settings of the strategy `statistical`"),
        ("krr", "settings of the strategy `krr`, which gives the numbers of Robusta KRR"),
        ("hours", "hours of the week that count, UTC, as in `Mon-Fri 08-18`; all when absent"),
        ("cost", "what resources cost"),
        ("output", "what is written, and where"),
        ("fail_on", "end with exit code 6 if anything found is at least as urgent"),
        ("scan", "how Prometheus is asked about many workloads at once"),
        ("step_seconds", "spacing of the samples that forecasts are made of"),
        (
            "workers",
            "running model-workers, for the strategy `predictive`; without any, models are trained in process",
        ),
        ("call_graph", "YAML file of calls over those that were observed"),
        ("cluster", "what is read from Kubernetes"),
        ("policy", "how forecasts become requests"),
        ("training", "how models are trained"),
        ("fan_out", "how running workers are asked"),
        ("tls", "certificates for running workers and coordinators; without it, plain text"),
    ],
};

const COLLECTOR: Section = Section {
    name: "Collector",
    about: "What to collect, how long to keep it, and whom to train.",
    places: &[(Process::Collector, "")],
    keys: &[
        (
            "source",
            "where metrics come from: exactly one of `prometheus`, `recorded` and `simulated`",
        ),
        ("source.prometheus", "a Prometheus, or what answers its HTTP API"),
        ("source.recorded", "a file with recorded series"),
        (
            "source.recorded.path",
            "a file ending in `.csv`, `.csv.gz` or `.parquet` (uncompressed or Snappy)",
        ),
        ("source.recorded.namespace", "namespace where the file names none"),
        ("source.recorded.container", "container where the file names none"),
        ("source.recorded.columns", "names of the columns"),
        ("source.recorded.columns.workload", "column of the workload"),
        ("source.recorded.columns.timestamp", "column of the instant, Unix seconds or RFC 3339"),
        ("source.recorded.columns.container", "column of the container"),
        ("source.recorded.columns.pod", "column of the pod"),
        ("source.recorded.columns.cpu", "column of CPU usage in cores"),
        ("source.recorded.columns.cpu.name", "its name"),
        (
            "source.recorded.columns.cpu.scale",
            "what its values are multiplied by, 0.001 for millicores",
        ),
        ("source.recorded.columns.memory", "column of memory usage in bytes"),
        ("source.recorded.columns.memory.name", "its name"),
        ("source.recorded.columns.memory.scale", "what its values are multiplied by"),
        ("source.recorded.columns.request_rate", "column of requests per second"),
        ("source.recorded.columns.request_rate.name", "its name"),
        ("source.recorded.columns.request_rate.scale", "what its values are multiplied by"),
        ("source.recorded.columns.replicas", "column of the number of replicas"),
        ("source.recorded.columns.replicas.name", "its name"),
        ("source.recorded.columns.replicas.scale", "what its values are multiplied by"),
        ("source.simulated", "the simulated shop"),
        ("source.simulated.seed", "seed of everything random"),
        ("source.simulated.namespace", "namespace of the eleven workloads"),
        (
            "source.simulated.frontend_rate",
            "requests per second at the frontend, averaged over a week",
        ),
        ("lookback_hours", "hours of history that are collected"),
        ("step_seconds", "spacing of samples"),
        ("collect_every_seconds", "time between two collections"),
        ("store", "where what was collected is kept"),
        ("store.path", "its folder; without one, the newest lookback is kept in memory"),
        ("store.retention_days", "days after which it is removed; 0 for never"),
        ("store.chunk_hours", "longest time collected and committed at once, a divisor of 24"),
        ("store.settle_seconds", "how long a step is left to settle before it is collected"),
        ("quality", "what a dataset must keep to be trained with"),
        ("quality.completeness", "least share of steps observed"),
        ("quality.missing", "largest share of steps missing in between"),
        (
            "quality.variation",
            "largest coefficient of variation at the end; null does not judge it",
        ),
        ("quality.stable_seconds", "how much of the end that is taken over"),
        ("training", "when and how workers are trained"),
        ("workers", "where workers listen"),
        ("tls", "certificates; without it, plain text"),
        ("limits", "what the server takes from its clients at most"),
    ],
};

const WORKER: Section = Section {
    name: "Model-worker",
    about: "How models are fitted, kept and replaced. `mora models` reads `library` and `keep_versions`.",
    places: &[(Process::Worker, "")],
    keys: &[
        ("library", "directory of the model library; all workers may share one"),
        (
            "keep_versions",
            "versions kept per workload, rejected ones included; the one that serves always stays",
        ),
        ("origins", "rolling origins of the back-test, at most"),
        (
            "horizon_slots",
            "slots the members learn to forecast at once; no more than 7 days of them count",
        ),
        (
            "challenger_tolerance",
            "share by which the loss of a new version may exceed that of the one that serves",
        ),
        ("members", "members of the ensemble that may take part, at least one"),
        ("holidays", "days on which usage differs, which Prophet learns; a list of"),
        ("holidays[].name", "name of the holiday"),
        ("holidays[].dates", "its dates in UTC, those in the history and those to come"),
        (
            "holidays[].lower_window",
            "days before it that differ too, from -31 to 0, which is the default",
        ),
        (
            "holidays[].upper_window",
            "days after it that differ too, from 0, which is the default, to 31",
        ),
        (
            "tuning_budget",
            "settings tried for Prophet (up to 8) and for the LSTM (up to 3) at a fit",
        ),
        ("retrain", "when a version is due for a new fit"),
        (
            "retrain.max_age_hours",
            "age of the newest observation a version has seen from which it is due; 0 means always",
        ),
        (
            "retrain.drift_ratio",
            "losses this many times the back-test's, on most of three days, are drift where coverage is off too",
        ),
        ("retrain.shift_spreads", "spreads the median of a day must be off to be a level shift"),
        ("tls", "certificates; without it, plain text"),
        ("limits", "what the server takes from its clients at most"),
    ],
};

const COORDINATOR: Section = Section {
    name: "Coordinator",
    about: "Whom to ask, what to allow, what to remember and how plans are put in force. `mora apply` reads `apply`, `state` and `cluster.context`.",
    places: &[(Process::Coordinator, "")],
    keys: &[
        ("collector", "address of the collector, `http://host:port`"),
        ("workers", "where workers listen"),
        ("workloads", "further workloads to plan for"),
        ("call_graph", "YAML file of calls over those that were observed"),
        ("cluster", "what the cluster allows, and what is written to it"),
        ("policy", "how forecasts become requests"),
        ("horizon_hours", "how far to plan, from 1 to 168"),
        ("slot_seconds", "width of a slot; that of the models"),
        (
            "state",
            "folder of the last plans and of what the change gate remembers; without it nothing is lowered",
        ),
        ("keep_plans", "plans kept in that folder, at least 2"),
        ("fan_out", "how workers are asked"),
        ("tls", "certificates; without it, plain text"),
        ("api", "who may ask the server for plans"),
        (
            "api.token_file",
            "file with the tokens that are accepted, one a line; read again when it changes",
        ),
        ("api.requests_per_minute", "calls a minute of all clients together; 0 for any number"),
        ("limits", "what the server takes from its clients at most"),
        ("apply", "how plans are put in force"),
        ("apply.default_mode", "mode of the workloads that no rule names"),
        ("apply.modes", "modes by pattern, the first that matches counts; a list of"),
        ("apply.modes[].workload", "pattern over namespace/name with `*` and `?`"),
        ("apply.modes[].mode", "their mode"),
        ("apply.permitted", "follow the modes in every run, also without `--apply`"),
        (
            "apply.healthy_seconds",
            "longest wait for the workloads of a wave to be rolled out and ready",
        ),
        ("apply.in_place", "resizing of running pods"),
        (
            "apply.in_place.deadline_seconds",
            "longest wait for a pod to have its new size; then it is set back",
        ),
        ("apply.scheduled", "following the schedule"),
        ("apply.scheduled.through", "by which means the schedule is followed"),
        (
            "apply.scheduled.dead_band",
            "differences up to this share of the request in force are left alone",
        ),
        ("apply.git_ops", "files for a repository"),
        ("apply.git_ops.folder", "folder that patches are written to"),
        ("apply.vpa", "VerticalPodAutoscalers"),
        ("apply.vpa.recommender", "the name by which they ask for MOrA as their recommender"),
    ],
};
