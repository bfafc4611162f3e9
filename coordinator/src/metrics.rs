//! What the newest plan says, as OpenMetrics: for a scrape or for node-exporter's textfile collector.

use std::fmt::Write;
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mora_core::{Bytes, Millicores, Plan, PlanStatus, Recommendation, ViolationKind};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

type Labels = Vec<(&'static str, String)>;
type Number = Gauge<f64, AtomicU64>;
type Numbers = Family<Labels, Number>;

/// Figures of the newest plan and counts of the runs so far.
#[derive(Debug)]
pub struct Metrics {
    // A scrape during an update would see half a plan.
    figures: Mutex<Figures>,
}

#[derive(Debug, Default)]
struct Figures {
    registry: Registry,
    runs: Family<Labels, Counter>,
    duration: Number,
    created: Number,
    status: Numbers,
    violations: Numbers,
    /// CPU and memory of the plan as a whole, by what they are.
    totals_cpu: Numbers,
    totals_memory: Numbers,
    workload_cpu: Numbers,
    workload_memory: Numbers,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { figures: Mutex::new(Figures::registered()) }
    }
}

impl Metrics {
    /// Takes in the end of a run that took `took`; without a plan it failed, and the figures of the last plan stay.
    pub fn record(&self, plan: Option<&Plan>, took: Duration) {
        let figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = plan.map_or("failure", |plan| name(plan.status));
        figures.runs.get_or_create(&vec![("outcome", outcome.to_owned())]).inc();
        figures.duration.set(took.as_secs_f64());
        if let Some(plan) = plan {
            figures.take(plan);
        }
    }

    /// Everything as OpenMetrics text.
    #[must_use]
    pub fn text(&self) -> String {
        let figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        let mut text = String::new();
        if encode(&mut text, &figures.registry).is_err() {
            // Writing to a string does not fail; an empty answer would read as "no metrics".
            let _ = writeln!(text, "# EOF");
        }
        text
    }
}

impl Figures {
    fn registered() -> Self {
        let mut figures = Self::default();
        let registry = &mut figures.registry;
        registry.register("mora_runs", "Runs by outcome", figures.runs.clone());
        let numbers = [
            ("mora_plan_status", "1 for the status of the newest plan", &figures.status),
            ("mora_plan_violations", "Violations in the newest plan by kind", &figures.violations),
            ("mora_plan_cpu_cores", "CPU in all: requested, cap and cut", &figures.totals_cpu),
            (
                "mora_plan_memory_bytes",
                "Memory in all: requested, cap and cut",
                &figures.totals_memory,
            ),
            (
                "mora_cpu_request_cores",
                "CPU request per replica: current and target",
                &figures.workload_cpu,
            ),
            (
                "mora_memory_request_bytes",
                "Memory request per replica: current and target",
                &figures.workload_memory,
            ),
        ];
        for (name, help, family) in numbers {
            registry.register(name, help, family.clone());
        }
        registry.register(
            "mora_run_duration_seconds",
            "How long the last run took",
            figures.duration.clone(),
        );
        registry.register(
            "mora_plan_created_timestamp_seconds",
            "When the newest plan was made",
            figures.created.clone(),
        );
        figures
    }

    fn take(&self, plan: &Plan) {
        self.created.set(plan.created_at.as_second() as f64);
        for status in [PlanStatus::Complete, PlanStatus::Degraded, PlanStatus::Violation] {
            let is_status = if plan.status == status { 1.0 } else { 0.0 };
            set(&self.status, &vec![("status", name(status).to_owned())], is_status);
        }
        for kind in ViolationKind::ALL {
            let found = plan.violations.iter().filter(|violation| violation.kind == kind).count();
            set(&self.violations, &vec![("kind", kind.as_str().to_owned())], found as f64);
        }
        self.take_totals(plan);
        // A workload that has gone must not stay.
        self.workload_cpu.clear();
        self.workload_memory.clear();
        plan.recommendations.iter().for_each(|one| self.take_recommendation(one));
    }

    fn take_totals(&self, plan: &Plan) {
        let what = |what: &str| vec![("what", what.to_owned())];
        set(&self.totals_cpu, &what("requested"), plan.total_cpu().cores());
        set(&self.totals_memory, &what("requested"), plan.total_memory().get() as f64);
        let cut_cpu: Millicores = plan.cuts.iter().map(|cut| cut.cpu).sum();
        let cut_memory: Bytes = plan.cuts.iter().map(|cut| cut.memory).sum();
        set(&self.totals_cpu, &what("cut"), cut_cpu.cores());
        set(&self.totals_memory, &what("cut"), cut_memory.get() as f64);
        self.totals_cpu.remove(&what("cap"));
        self.totals_memory.remove(&what("cap"));
        if let Some(capacity) = plan.capacity {
            set(&self.totals_cpu, &what("cap"), capacity.cpu().cores());
            set(&self.totals_memory, &what("cap"), capacity.memory().get() as f64);
        }
    }

    fn take_recommendation(&self, one: &Recommendation) {
        let labels = |what: &str| {
            vec![
                ("namespace", one.workload.namespace().to_owned()),
                ("kind", one.workload.kind().to_string()),
                ("workload", one.workload.name().to_owned()),
                ("container", one.container.clone()),
                ("what", what.to_owned()),
            ]
        };
        set(&self.workload_cpu, &labels("target"), one.cpu.target.cores());
        set(&self.workload_memory, &labels("target"), one.memory.target.get() as f64);
        if let Some(current) = one.cpu.current {
            set(&self.workload_cpu, &labels("current"), current.cores());
        }
        if let Some(current) = one.memory.current {
            set(&self.workload_memory, &labels("current"), current.get() as f64);
        }
    }
}

fn set(numbers: &Numbers, labels: &Labels, value: f64) {
    numbers.get_or_create(labels).set(value);
}

const fn name(status: PlanStatus) -> &'static str {
    match status {
        PlanStatus::Complete => "complete",
        PlanStatus::Degraded => "degraded",
        PlanStatus::Violation => "violation",
    }
}

/// Answers `GET /metrics` on `listener` until `stop` is cancelled; fails when the transport does.
pub async fn serve_metrics(
    listener: TcpListener,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
) -> io::Result<()> {
    mora_runtime::serve_metrics(listener, move || metrics.text(), stop).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use mora_core::{Shortfall, Step, Violation};

    fn plan() -> Plan {
        Plan {
            schema: Plan::SCHEMA,
            id: "p1".to_owned(),
            created_at: Timestamp::UNIX_EPOCH,
            status: PlanStatus::Violation,
            start: Timestamp::UNIX_EPOCH,
            slot: Step::HOUR,
            capacity: None,
            recommendations: Vec::new(),
            cuts: vec![mora_core::Cut {
                workload: "shop/cart".parse().unwrap(),
                container: "server".to_owned(),
                cpu: Millicores::new(250),
                memory: Bytes::from_mebibytes(1),
                reason: "over the cap".to_owned(),
            }],
            violations: vec![Violation {
                kind: ViolationKind::Quota,
                workload: Some("shop/cart".parse().unwrap()),
                container: None,
                place: None,
                shortfall: Shortfall::CpuRequest(Millicores::new(250)),
                reason: "it is full".to_owned(),
            }],
            warnings: Vec::new(),
        }
    }

    #[test]
    fn figures_of_the_newest_plan_stay_while_later_runs_fail() {
        let metrics = Metrics::default();
        metrics.record(Some(&plan()), Duration::from_millis(1500));
        metrics.record(None, Duration::from_millis(20));
        let text = metrics.text();
        for line in [
            "mora_runs_total{outcome=\"violation\"} 1",
            "mora_runs_total{outcome=\"failure\"} 1",
            "mora_plan_status{status=\"violation\"} 1.0",
            "mora_plan_status{status=\"complete\"} 0.0",
            "mora_plan_violations{kind=\"quota\"} 1.0",
            "mora_plan_cpu_cores{what=\"cut\"} 0.25",
            "mora_plan_memory_bytes{what=\"cut\"} 1048576.0",
            "mora_run_duration_seconds 0.02",
        ] {
            assert!(text.lines().any(|found| found == line), "no `{line}` in\n{text}");
        }
        assert!(!text.contains("what=\"cap\""), "no cluster was looked at");
        assert!(text.ends_with("# EOF\n"));
    }
}
