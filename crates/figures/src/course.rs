//! Figures over the time of a run.

use std::collections::BTreeMap;

use mora_evaluation::{ArmName, Trace, TracePoint};

use crate::axis::Scale;
use crate::evidence::Evidence;
use crate::figure::{Figure, WIDTH};
use crate::panel::{GUTTER, Key, Panel, legend};
use crate::scene::{Anchor, Area, Color, Point, Scene};
use crate::style::{solid, style};

/// Arms that have a panel of their own.
const PANELS: [ArmName; 6] = [
    ArmName::Stock,
    ArmName::Baseline,
    ArmName::Vpa,
    ArmName::Hpa70,
    ArmName::Mora,
    ArmName::Oracle,
];
/// Arms that share a plot.
const TOGETHER: [ArmName; 4] = [ArmName::Baseline, ArmName::Hpa70, ArmName::Oracle, ArmName::Mora];
const USED: Color = Color(0xc9, 0xce, 0xd3);

/// A value at hours from the beginning.
type Course = Vec<(f64, f64)>;

/// Courses of a scenario by arm, each arm as it is.
fn of_scenario<'a>(traces: &'a [Trace], scenario: &str) -> BTreeMap<ArmName, Vec<&'a Trace>> {
    let mut by_arm: BTreeMap<ArmName, Vec<&Trace>> = BTreeMap::new();
    let own =
        traces.iter().filter(|t| t.key.scenario == scenario && t.key.margin_thousandths == 1000);
    own.for_each(|trace| by_arm.entry(trace.key.arm).or_default().push(trace));
    by_arm
}

/// The mean over seeds of what is known at each time.
fn mean(traces: &[&Trace], of: impl Fn(&TracePoint) -> Option<f64>) -> Course {
    let mut sums: BTreeMap<i64, (f64, f64)> = BTreeMap::new();
    for trace in traces {
        let first = trace.points.first().map_or(0, |point| point.at.as_second());
        for point in &trace.points {
            if let Some(value) = of(point) {
                let sum = sums.entry(point.at.as_second() - first).or_default();
                *sum = (sum.0 + value, sum.1 + 1.0);
            }
        }
    }
    sums.into_iter().map(|(second, (sum, count))| (second as f64 / 3600.0, sum / count)).collect()
}

fn length(by_arm: &BTreeMap<ArmName, Vec<&Trace>>) -> f64 {
    let points = by_arm.values().flatten().map(|trace| trace.points.len()).max().unwrap_or(0);
    (points as f64 / 4.0).max(1.0)
}

/// CPU requested and used over the run, a panel by arm; `None` without courses of the scenario.
pub(crate) fn cpu(evidence: &Evidence<'_>, scenario: &str) -> Option<Figure> {
    const COLUMNS: usize = 3;
    const HEIGHT: f64 = 78.0;
    let by_arm = of_scenario(evidence.traces, scenario);
    let shown: Vec<ArmName> = PANELS.into_iter().filter(|arm| by_arm.contains_key(arm)).collect();
    if shown.is_empty() {
        return None;
    }
    let course = |arm| {
        let traces = by_arm[&arm].as_slice();
        (mean(traces, |p| Some(p.cpu_requested)), mean(traces, |p| Some(p.cpu_used)))
    };
    let courses: BTreeMap<ArmName, (Course, Course)> =
        shown.iter().map(|&arm| (arm, course(arm))).collect();
    let all = courses.values().flat_map(|(requested, used)| requested.iter().chain(used));
    let y = Scale::linear(all.map(|(_, value)| *value));
    let x = Scale::Hours { max: length(&by_arm) };
    let rows = shown.len().div_ceil(COLUMNS);
    let mut scene = Scene::new(WIDTH, 0.0);
    let keys = [
        (Key::Line(style(ArmName::Mora)), "CPU requested, cores".to_owned()),
        (Key::Box(USED), "CPU used, cores".to_owned()),
    ];
    let top = legend(&mut scene, &keys) + 16.0;
    scene.height = top + rows as f64 * (HEIGHT + 34.0) - 6.0;
    let width = (WIDTH - 12.0) / COLUMNS as f64;
    for (place, &arm) in shown.iter().enumerate() {
        let left = GUTTER + 2.0 + (place % COLUMNS) as f64 * width;
        let upper = top + (place / COLUMNS) as f64 * (HEIGHT + 34.0);
        let area = Area { left, top: upper, right: left + width - 28.0, bottom: upper + HEIGHT };
        let last_row = place + COLUMNS >= shown.len();
        let hours = evidence.comparison.mean(scenario, arm, "cpu_hours_requested");
        let hours = hours.map_or_else(String::new, |hours| format!(": {hours:.0} core h"));
        let title = format!("{}{hours}", style(arm).label);
        cpu_panel(&mut scene, &Panel { area, x, y }, &title, &courses[&arm]);
        Panel { area, x, y }.columns(&mut scene, if last_row { "hour" } else { "" });
    }
    let alt = "CPU requested and used over the time of a run, mean over seeds, one panel for each arm, all to one scale.";
    Some(Figure::new(
        format!("cpu-{scenario}"),
        format!("CPU requested and used, {scenario}"),
        alt,
        scene,
    ))
}

fn cpu_panel(scene: &mut Scene, panel: &Panel, title: &str, (requested, used): &(Course, Course)) {
    panel.rows(scene, title);
    let used = stepped(used);
    if let (Some((first, _)), Some((last, _))) = (used.first(), used.last()) {
        let ends = [(*last, 0.0), (*first, 0.0)];
        let outline = used.iter().chain(&ends).map(|(x, y)| panel.at(*x, *y));
        scene.fill(outline.collect(), USED);
    }
    let line = stepped(requested).into_iter().map(|(x, y)| panel.at(x, y)).collect();
    scene.line(line, solid(style(ArmName::Mora).color, 1.2));
}

/// Each value for the quarter of an hour that it stands for.
fn stepped(course: &[(f64, f64)]) -> Course {
    course.iter().flat_map(|&(x, y)| [(x, y), (x + 0.25, y)]).collect()
}

/// Latency over the run, four arms in one plot; `None` without courses of the scenario.
pub(crate) fn latency(evidence: &Evidence<'_>, scenario: &str) -> Option<Figure> {
    let by_arm = of_scenario(evidence.traces, scenario);
    let shown: Vec<ArmName> = TOGETHER.into_iter().filter(|arm| by_arm.contains_key(arm)).collect();
    if shown.is_empty() {
        return None;
    }
    let milliseconds = |p: &TracePoint| p.latency_p95.map(|seconds| seconds * 1000.0);
    let courses: Vec<Course> = shown.iter().map(|arm| mean(&by_arm[arm], milliseconds)).collect();
    let objective = evidence.objective.map(|objective| objective.latency_p95 * 1000.0);
    let values = courses.iter().flatten().map(|(_, value)| *value).chain(objective);
    let mut scene = Scene::new(WIDTH, 214.0);
    let mut keys: Vec<(Key, String)> =
        shown.iter().map(|&arm| (Key::Line(style(arm)), style(arm).label.to_owned())).collect();
    keys.sort_by_key(|(_, label)| label.to_lowercase());
    let top = legend(&mut scene, &keys) + 20.0;
    let area = Area { left: GUTTER + 2.0, top, right: WIDTH - 12.0, bottom: 184.0 };
    let panel = Panel { area, x: Scale::Hours { max: length(&by_arm) }, y: Scale::log(values) };
    panel.rows(
        &mut scene,
        "latency p95 from end to end, ms (largest minute of each quarter of an hour)",
    );
    if let Some(objective) = objective {
        let (from, to) =
            (panel.at(0.0, objective), Point { x: area.right, y: panel.at(0.0, objective).y });
        scene.line(vec![from, to], solid(Color(0x55, 0x5b, 0x62), 0.8));
        scene.text(area.right, to.y - 3.0, Anchor::End, "objective");
    }
    for (arm, course) in shown.iter().zip(&courses) {
        let width = if *arm == ArmName::Mora { 1.4 } else { 1.1 };
        // Where nobody sent a request there is no latency, and no line.
        for part in course.chunk_by(|(hour, _), (next, _)| next - hour < 0.26) {
            let line = part.iter().map(|(x, y)| panel.at(*x, *y)).collect();
            scene.line(line, style(*arm).stroke(width));
        }
    }
    panel.columns(&mut scene, "hour");
    let alt = "Latency that 95 % of the requests of a minute stayed below, over the time of a run, mean over seeds.";
    Some(Figure::new(format!("latency-{scenario}"), format!("Latency, {scenario}"), alt, scene))
}
