//! What the newest plan says, as OpenMetrics: for a scrape or for node-exporter's textfile collector.

use std::fmt::Write;
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use mora_core::{
    Bytes, ForecastPoint, Millicores, Plan, PlanStatus, Recommendation, Step, ViolationKind,
};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::Applied;

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
    applied: Family<Labels, Counter>,
    duration: Number,
    created: Number,
    status: Numbers,
    violations: Numbers,
    /// CPU and memory of the plan as a whole, by what they are.
    totals_cpu: Numbers,
    totals_memory: Numbers,
    workload_cpu: Numbers,
    workload_memory: Numbers,
    forecast_cpu: Numbers,
    forecast_memory: Numbers,
    schedules: Vec<Schedule>,
}

/// What a container is forecast to need, slot by slot.
#[derive(Debug)]
struct Schedule {
    labels: Labels,
    slot: Step,
    points: Vec<ForecastPoint>,
}

impl Schedule {
    /// The slot that holds `now`.
    fn at(&self, now: Timestamp) -> Option<&ForecastPoint> {
        let holds =
            |point: &&ForecastPoint| point.start <= now && now < point.start + self.slot.times(1);
        self.points.iter().find(holds)
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self { figures: Mutex::new(Figures::registered()) }
    }
}

impl Metrics {
    /// Takes in the end of a run that took `took`; without a plan it failed, and the figures of the last plan stay.
    pub fn record(&self, plan: Option<&Plan>, took: Duration) {
        let mut figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = plan.map_or("failure", |plan| name(plan.status));
        figures.runs.get_or_create(&vec![("outcome", outcome.to_owned())]).inc();
        figures.duration.set(took.as_secs_f64());
        if let Some(plan) = plan {
            figures.take(plan);
        }
    }

    /// Takes in what became of putting a plan in force; `None` where nothing was to be.
    pub fn record_applied(&self, applied: Option<&Applied>) {
        let figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        let count = |mode: &str, outcome: &str| {
            let labels = vec![("mode", mode.to_owned()), ("outcome", outcome.to_owned())];
            figures.applied.get_or_create(&labels).inc();
        };
        match applied {
            None => {}
            Some(Ok(report)) => report
                .workloads
                .iter()
                .for_each(|one| count(one.mode.as_str(), one.outcome.as_str())),
            Some(Err(_)) => count("any", "failed"),
        }
    }

    /// Takes in a plan that another process made.
    pub fn show(&self, plan: &Plan) {
        self.figures.lock().unwrap_or_else(PoisonError::into_inner).take(plan);
    }

    /// Everything as OpenMetrics text, with the forecasts for `now`.
    #[must_use]
    pub fn text(&self, now: Timestamp) -> String {
        let figures = self.figures.lock().unwrap_or_else(PoisonError::into_inner);
        figures.take_forecasts(now);
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
        let help = "Workloads by what became of putting a plan in force";
        registry.register("mora_applied", help, figures.applied.clone());
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
            (
                "mora_cpu_forecast_cores",
                "CPU per replica in the slot of the plan that holds the present",
                &figures.forecast_cpu,
            ),
            (
                "mora_memory_forecast_bytes",
                "Memory per replica in the slot of the plan that holds the present",
                &figures.forecast_memory,
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

    fn take(&mut self, plan: &Plan) {
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
        let schedule = |one: &Recommendation| Schedule {
            labels: labels(one),
            slot: plan.slot,
            points: one.schedule.clone(),
        };
        self.schedules = plan.recommendations.iter().map(schedule).collect();
    }

    fn take_forecasts(&self, now: Timestamp) {
        self.forecast_cpu.clear();
        self.forecast_memory.clear();
        for schedule in &self.schedules {
            let Some(point) = schedule.at(now) else { continue };
            set(&self.forecast_cpu, &schedule.labels, point.cpu.cores());
            set(&self.forecast_memory, &schedule.labels, point.memory.get() as f64);
        }
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
            let mut labels = labels(one);
            labels.push(("what", what.to_owned()));
            labels
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

fn labels(one: &Recommendation) -> Labels {
    vec![
        ("namespace", one.workload.namespace().to_owned()),
        ("kind", one.workload.kind().to_string()),
        ("workload", one.workload.name().to_owned()),
        ("container", one.container.clone()),
    ]
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
    mora_runtime::serve_metrics(listener, move || metrics.text(Timestamp::now()), stop).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::SignedDuration;
    use mora_core::{Shortfall, Violation};

    fn plan() -> Plan {
        Plan {
            schema: Plan::SCHEMA,
            id: "p1".to_owned(),
            created_at: Timestamp::UNIX_EPOCH,
            status: PlanStatus::Violation,
            start: Timestamp::UNIX_EPOCH,
            slot: Step::HOUR,
            policy: None,
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
        let text = metrics.text(Timestamp::UNIX_EPOCH);
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

    #[test]
    fn a_forecast_is_that_of_the_slot_that_holds_the_present_and_after_the_last_there_is_none() {
        let hour = |hour: i64| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hour);
        let point = |index: i64, cpu| ForecastPoint {
            start: hour(index),
            cpu: Millicores::new(cpu),
            memory: Bytes::new(7),
        };
        let mut plan = crate::store::tests::plan("cart", 0);
        plan.recommendations[0].schedule = vec![point(0, 100), point(1, 250)];
        let metrics = Metrics::default();
        metrics.show(&plan);
        let of = "{namespace=\"shop\",kind=\"Deployment\",workload=\"cart\",container=\"server\"}";
        let cpu = |now| {
            let text = metrics.text(now);
            let line = text.lines().find(|line| line.starts_with("mora_cpu_forecast_cores{"))?;
            Some(line.to_owned())
        };
        let of_cpu = |cores: &str| Some(format!("mora_cpu_forecast_cores{of} {cores}"));
        assert_eq!(cpu(hour(0)), of_cpu("0.1"));
        assert_eq!(cpu(hour(1)), of_cpu("0.25"));
        assert_eq!(cpu(hour(2)), None);
        let memory = format!("mora_memory_forecast_bytes{of} 7.0");
        assert!(metrics.text(hour(1)).contains(&memory));
    }
}
