"""The tables of results in docs/evaluation.md and docs/evaluation-on-cluster.md, from the comparisons the paper is made of."""

SCENARIOS = ["realistic", "noisy", "bursty", "call-mix", "flash-crowd", "surge", "leak", "node-loss", "weekly"]
COMPARED = ["mora", "baseline", "hpa-70", "oracle"]
GOALS = [
    ("cpu_hours_at_equal_risk", "{:.0f}", "–"),
    ("violations_versus_hpa_70", "{:+.2f}", " to "),
    ("scaling_events_versus_hpa_70", "{:.0f}", "–"),
    ("cpu_hours_versus_oracle", "{:.0f}", "–"),
]
# Factor and format of each metric.
METRICS = {
    "cpu_hours_requested": (1, "{:.1f}"),
    "memory_hours_requested": (1, "{:.1f}"),
    "violations": (100, "{:.2f}"),
    "latency_mean": (1000, "{:.1f}"),
    "latency_p95": (1000, "{:.0f}"),
    "latency_p99": (1000, "{:.0f}"),
    "error_ratio": (100, "{:.3f}"),
    "scaling_events": (1, "{:.1f}"),
    "cpu_under": (100, "{:.2f}"),
    "cpu_hours_used": (1, "{:.1f}"),
    "oom_kills": (1, "{:.1f}"),
}
MAIN = list(METRICS)[:9]
CLUSTER = ["cpu_hours_requested", "cpu_hours_used", "cpu_under", "violations", "latency_p95", "scaling_events", "memory_hours_requested"]


def mean(scenario, arm, metric):
    factor, form = METRICS[metric]
    return form.format(scenario["arms"][arm][metric]["mean"] * factor)


def interval(summary, factor, form):
    """Mean and interval; the mean alone where both bounds look like it or there is no interval."""
    shown, *bounds = (summary[part] if summary[part] is None else form.format(summary[part] * factor) for part in ("mean", "lower", "upper"))
    return shown if set(bounds) <= {shown, None} else f"{shown} ({'–'.join(bounds)})"


def main_row(scenario, arm):
    return [arm] + [interval(scenario["arms"][arm][metric], *METRICS[metric]) for metric in MAIN]


def compared_row(name, scenario, arms):
    """CPU requested and minutes missed of each arm."""
    return [name] + [mean(scenario, arm, metric) for metric in ("cpu_hours_requested", "violations") for arm in arms]


def summary_row(name, scenario):
    above = ", ".join(mean(scenario, arm, "cpu_under") for arm in COMPARED)
    kills = ", ".join(mean(scenario, arm, "oom_kills") for arm in COMPARED[:3])
    return compared_row(name, scenario, COMPARED) + [above, kills]


def goals_row(name, scenario):
    def cell(key, form, to):
        goal = scenario["goals"][key]
        value, lower, upper = (form.format(goal[part] * 100) for part in ("value", "lower", "upper"))
        return f"{value} ({lower}{to}{upper}) {'●' if goal['met'] else '○'}"

    return [name] + [cell(*goal) for goal in GOALS]


def without_row(name, scenario, arm):
    both = ("cpu_hours_requested", "violations", "cpu_under")
    return [name, arm] + [f"{mean(scenario, arm, metric)} ({mean(scenario, 'mora', metric)})" for metric in both]


def pace_row(name, scenario):
    arms = ["mora-every-minute", "mora", "hpa-70"]
    return compared_row(name, scenario, arms) + [", ".join(mean(scenario, arm, "oom_kills") for arm in arms)]


def margins_row(name, scenario):
    points = scenario["frontiers"]["mora"]
    at = lambda p: f"× {p['margin_thousandths'] / 1000:g}: {p['cpu_hours_requested']['mean']:.1f}, {p['violations']['mean'] * 100:.2f}"
    return [name, "; ".join(map(at, points)), ", ".join(mean(scenario, "baseline", metric) for metric in ("cpu_hours_requested", "violations"))]


def cluster_row(arm, measured, predicted):
    return [arm] + [", ".join(mean(side, arm, metric) for side in (measured, predicted)) for metric in CLUSTER]


def tables(results, cluster, predicted):
    """By document, the rows of each table by the beginning of its heading."""
    found = results["scenarios"]
    named = [(name, found[name]) for name in SCENARIOS]
    realistic = found["realistic"]
    mains = [arm for arm in realistic["arms"] if arm not in ("mora-no-lstm", "mora-no-prophet")]
    is_part = lambda arm: arm.startswith("mora-") and arm != "mora-every-minute"
    ablated = [(name, arm) for name in ("realistic", "call-mix", "surge") for arm in filter(is_part, found[name]["arms"])]
    measured, simulated = cluster["measured"]["realistic"], predicted["scenarios"]["realistic"]
    return {
        "docs/evaluation.md": {
            "| arm | CPU requested, core h |": [main_row(realistic, arm) for arm in mains],
            "| scenario | CPU requested, core h: MOrA |": [summary_row(*one) for one in named],
            "| scenario | CPU at the baseline's risk": [goals_row(*one) for one in named],
            "| scenario | arm | CPU requested": [without_row(name, found[name], arm) for name, arm in ablated],
            "| scenario | CPU requested, core h: every minute |": [pace_row(n, s) for n, s in named if "mora-every-minute" in s["arms"]],
            "| scenario | MOrA | baseline at 1 |": [margins_row(n, s) for n, s in named if len(s["frontiers"].get("mora", [])) > 1],
        },
        "docs/evaluation-on-cluster.md": {
            "| arm | CPU requested, core h: cluster, simulated |": [cluster_row(arm, measured, simulated) for arm in measured["arms"]],
        },
    }


def renewed(text, rows_by_heading):
    """`text` with the rows of these tables; raises KeyError with the heading of a table that is not in it."""
    lines = text.split("\n")
    for heading, rows in rows_by_heading.items():
        at = next((i for i, line in enumerate(lines) if line.startswith(heading)), None)
        if at is None:
            raise KeyError(heading)
        end = next(i for i in range(at, len(lines)) if not lines[i].startswith("|"))
        lines[at + 2 : end] = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join(lines)
