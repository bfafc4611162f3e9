//! Keys of a scan: what is looked at, how requests are computed, what they cost and how that is shown.

use super::Section;
use crate::config::Process;

pub(super) const SECTIONS: &[Section] = &[SELECTION, STATISTICAL, KRR, SHOWN, ASKED];

const SELECTION: Section = Section {
    name: "Selection",
    about: "Which workloads are looked at, and which rows are shown.",
    places: &[(Process::Recommend, "selection")],
    keys: &[
        (
            "namespaces",
            "their namespaces, in which `*` and `?` stand for other letters; all but those of the system where none is named",
        ),
        ("exclude_namespaces", "namespaces left out, with `*` and `?` as well"),
        ("kinds", "their kinds, as in Deployment or CronJob; all where none is named"),
        ("names", "their names, with `*` and `?`; all where none is named"),
        ("severity", "show only what is at least as urgent"),
        ("sort", "order of the rows"),
        ("top", "show only so many rows"),
    ],
};

const STATISTICAL: Section = Section {
    name: "Strategy statistical",
    about: "A percentile of CPU usage, and the largest memory with a margin.",
    places: &[(Process::Recommend, "statistical")],
    keys: &[
        (
            "cpu_percentile",
            "percentile of CPU usage that becomes the request, above 0 and up to 100",
        ),
        ("memory_margin_percent", "margin over the largest memory working set, in percent"),
        ("cpu_min_allowed", "smallest CPU request"),
        ("memory_min_allowed", "smallest memory request"),
        (
            "min_observed_hours",
            "nothing is recommended for what was observed for no longer than this; a Job may be shorter",
        ),
        ("limits", "how limits follow requests"),
        ("limits.cpu", "how a CPU limit follows"),
        ("limits.memory", "how a memory limit follows"),
        ("oom", "what a container that ran out of memory gets"),
        ("oom.least_added", "least that is added to what it had"),
        ("oom.factor", "what it had times this, if that is more"),
        ("oom.ceiling", "most it gets by that, unless it had more"),
        ("oom.expiry_hours", "hours a kill counts; 0 for never"),
    ],
};

const KRR: Section = Section {
    name: "Strategy krr",
    about: "The settings of Robusta KRR under its own names, for the same numbers.",
    places: &[(Process::Recommend, "krr")],
    keys: &[
        ("strategy", "which of its strategies"),
        ("cpu_percentile", "`simple`: percentile of CPU usage that becomes the request"),
        ("cpu_request", "`simple_limit`: percentile that becomes the CPU request"),
        ("cpu_limit", "`simple_limit`: percentile that becomes the CPU limit"),
        ("memory_buffer_percentage", "margin over the largest memory, in percent"),
        ("points_required", "steps with data, over all pods, below which nothing is recommended"),
        ("allow_hpa", "recommend also for what a HorizontalPodAutoscaler scales on"),
        ("use_oomkill_data", "raise memory after a kill for lack of it"),
        ("oom_memory_buffer_percentage", "margin over the limit at such a kill, in percent"),
        ("cpu_min", "smallest CPU request in millicores"),
        ("mem_min", "smallest memory request in MiB"),
    ],
};

const SHOWN: Section = Section {
    name: "Cost and output",
    about: "What resources cost, what is written, and where.",
    places: &[(Process::Recommend, "")],
    keys: &[
        ("cost.cpu_core_hour", "price of a core for an hour"),
        ("cost.memory_gib_hour", "price of a GiB of memory for an hour"),
        ("cost.currency", "their currency"),
        ("output.format", "format, one of those that `--output` takes"),
        ("output.file", "file it is written to, whole or not at all; standard output when absent"),
        ("output.report", "file of an HTML report with plots beside it"),
        (
            "output.colour",
            "whether a table has colours; `auto`: on a terminal, unless `NO_COLOR` is set",
        ),
    ],
};

const ASKED: Section = Section {
    name: "Scan",
    about: "How Prometheus is asked about many workloads at once.",
    places: &[(Process::Recommend, "scan")],
    keys: &[
        ("step_seconds", "spacing at which CPU usage is evaluated"),
        ("krr_step_seconds", "the same for the strategy `krr`"),
        ("concurrency", "queries that run at a time, at least 1"),
        (
            "cluster_label",
            "label by which a Prometheus for several clusters tells this one, as in `cluster=prod`",
        ),
    ],
};
