//! Keys that say how forecasts become requests.

use super::Section;
use crate::config::Process;

pub(super) const SECTIONS: &[Section] = &[POLICY, GATE];

const POLICY: Section = Section {
    name: "Policy",
    about: "How forecasts become requests, and what they must respect.",
    places: &[(Process::Recommend, "policy"), (Process::Coordinator, "policy")],
    keys: &[
        ("cap", "share of what the nodes can allocate that all requests together may take"),
        ("cpu_path", "path of the forecast that becomes the CPU request"),
        ("follow_recent_load", "whether CPU follows the last hour beside the forecast"),
        (
            "risk_price",
            "what a share of samples above the request costs on the path of least cost, in mean usages; above 0, held to 20 to 1280",
        ),
        (
            "quantile",
            "the path that load along the call graph, memory and, with `cpu_path: quantile`, CPU follow",
        ),
        (
            "requests",
            "`peak`: one request that covers the horizon; `schedule`: the first slot's, with the schedule beside it",
        ),
        ("memory_margin", "added to the memory forecast, as a share of it"),
        ("memory_ratchet", "how slowly memory falls after it was used"),
        (
            "memory_ratchet.half_life_hours",
            "hours in which memory used above the target is let go by half; 0 lets it go at once",
        ),
        ("oom", "what a container that ran out of memory gets"),
        ("oom.least_added", "least that is added to what it had"),
        ("oom.factor", "what it had times this, if that is more"),
        ("oom.ceiling", "most it gets by that, unless it had more"),
        ("oom.expiry_hours", "hours a kill counts; 0 for never"),
        (
            "priorities",
            "who is served first where capacity is short, the first that matches counts, callees inherit; a list of",
        ),
        ("priorities[].workload", "pattern over namespace/name with `*` and `?`"),
        ("priorities[].priority", "their priority; higher is served first"),
        ("default_priority", "of every other workload that has no PriorityClass"),
        ("cpu", "bounds of a container's CPU request"),
        ("cpu.min_allowed", "smallest"),
        ("cpu.max_allowed", "largest; it wins over the smallest"),
        ("memory", "bounds of a container's memory request"),
        ("memory.min_allowed", "smallest"),
        ("memory.max_allowed", "largest; it wins over the smallest"),
        (
            "bounds",
            "bounds over those two for some containers, the first that matches counts; a list of",
        ),
        ("bounds[].workload", "pattern over namespace/name with `*` and `?`"),
        ("bounds[].container", "pattern over the container's name"),
        ("bounds[].cpu", "bounds of its CPU request"),
        ("bounds[].cpu.min_allowed", "smallest"),
        ("bounds[].cpu.max_allowed", "largest"),
        ("bounds[].memory", "bounds of its memory request"),
        ("bounds[].memory.min_allowed", "smallest"),
        ("bounds[].memory.max_allowed", "largest"),
        ("limits", "how limits follow requests"),
        ("limits.cpu", "how a CPU limit follows"),
        ("limits.memory", "how a memory limit follows"),
        ("autoscaled", "what happens to a workload that is scaled on CPU utilisation"),
        (
            "cpu_floor",
            "share of its CPU target a container keeps before any gets more, when capacity is short",
        ),
        ("memory_floor", "the same for memory"),
        ("statistical", "the baseline, in a plan, of a workload without a usable forecast"),
        ("statistical.cpu_percentile", "percentile of CPU usage that becomes the request"),
        ("statistical.memory_margin_percent", "added to the largest memory usage, in percent"),
        ("statistical.cpu_min_allowed", "smallest CPU request"),
        ("statistical.memory_min_allowed", "smallest memory request"),
        ("statistical.min_samples", "samples below which there is no baseline"),
        ("gate", "how fast what is in force follows the targets"),
    ],
};

const GATE: Section = Section {
    name: "Change gate",
    about: "How fast what is in force follows the targets.",
    places: &[(Process::Recommend, "policy.gate"), (Process::Coordinator, "policy.gate")],
    keys: &[
        ("dead_band", "differences up to this share of the request in force are left alone"),
        ("cpu_dead_band", "CPU differences up to this are left alone"),
        ("memory_dead_band", "memory differences up to this are left alone"),
        (
            "decrease_step",
            "most that a decrease takes away at once, as a share of the request in force",
        ),
        ("agreeing_runs", "runs in a row that must want a decrease"),
        ("cool_down_minutes", "least time between two changes of a workload"),
        ("changes_per_run", "most workloads changed in a run"),
        (
            "changes_per_run_share",
            "the same as a share of the plan's workloads, never less than one; both hold",
        ),
        ("hold_hours", "how long nothing of a workload is lowered after a decrease that did harm"),
        ("regression", "when a decrease counts as harmful"),
        ("regression.watch_hours", "how long a decrease is watched"),
        ("regression.window_minutes", "how much of the newest past is compared"),
        ("regression.min_samples", "observations needed on either side"),
        (
            "regression.latency_ratio",
            "latency p95 worse by more than this share is harm, if it is also worse by more than",
        ),
        ("regression.latency_least_ms", "this many milliseconds"),
        ("regression.error_ratio", "an error ratio higher by more than this is harm"),
    ],
};
