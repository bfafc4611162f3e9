//! Plots of history, forecast and request as inline SVG.

use jiff::{SignedDuration, Timestamp};
use mora_core::{Forecast, Recommendation, Series, Signal, Step};

use super::Report;

const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 170.0;
const LEFT: f64 = 70.0;
const BOTTOM: f64 = 20.0;
const HISTORY: SignedDuration = SignedDuration::from_hours(7 * 24);
/// History is drawn as the maximum per quarter of an hour: 672 points a week, one per pixel or so.
const DRAWN_STEP: u32 = 900;

/// One line of a chart.
pub(crate) struct Line {
    /// Its class in the style sheet: `history`, `median`, `upper`, `request`, `now` or `actual`.
    pub(crate) class: &'static str,
    /// Its points, in the signal's unit.
    pub(crate) points: Vec<(Timestamp, f64)>,
}

/// Both plots of a recommendation: CPU and memory.
pub(super) fn plot(report: &Report<'_>, recommendation: &Recommendation) -> String {
    let cpu = chart("CPU, cores over all pods", &cpu_lines(report, recommendation), 1.0);
    let memory =
        chart("memory of the largest pod, MiB", &memory_lines(report, recommendation), 1_048_576.0);
    cpu + &memory
}

fn cpu_lines(report: &Report<'_>, recommendation: &Recommendation) -> Vec<Line> {
    let workload = &recommendation.workload;
    let replicas = f64::from(recommendation.replicas);
    let mut lines = signal_lines(report, recommendation, Signal::Cpu);
    lines.extend(
        report.actual.get(workload).map(|series| Line { class: "actual", points: maxima(series) }),
    );
    let requested = recommendation.schedule.iter().map(|p| (p.start, p.cpu.cores() * replicas));
    lines.push(request_line(
        report,
        requested.collect(),
        recommendation.cpu.target.cores() * replicas,
    ));
    let now = recommendation.cpu.current.map(|cpu| cpu.cores() * replicas);
    lines.extend(now.map(|cpu| held(report, "now", cpu)));
    lines
}

fn memory_lines(report: &Report<'_>, recommendation: &Recommendation) -> Vec<Line> {
    let mut lines = signal_lines(report, recommendation, Signal::Memory);
    let requested = recommendation.schedule.iter().map(|p| (p.start, p.memory.get() as f64));
    lines.push(request_line(
        report,
        requested.collect(),
        recommendation.memory.target.get() as f64,
    ));
    let now = recommendation.memory.current.map(|memory| memory.get() as f64);
    lines.extend(now.map(|memory| held(report, "now", memory)));
    lines
}

fn signal_lines(report: &Report<'_>, recommendation: &Recommendation, signal: Signal) -> Vec<Line> {
    let workload = &recommendation.workload;
    let history = report.datasets.get(workload).and_then(|d| d.signals().remove(&signal));
    let mut lines: Vec<Line> = history
        .map(|series| series.between(report.plan.start - HISTORY, report.plan.start))
        .map(|series| Line { class: "history", points: maxima(&series) })
        .into_iter()
        .collect();
    if let Some(Ok(forecast)) = report.evidence.forecasts.get(workload) {
        lines.extend(forecast_lines(forecast, signal));
    }
    lines
}

fn forecast_lines(forecast: &Forecast, signal: Signal) -> Vec<Line> {
    let Some(paths) = forecast.signals.get(&signal).map(|s| &s.paths) else { return Vec::new() };
    let points = |values: &Vec<f64>| -> Vec<(Timestamp, f64)> {
        values.iter().enumerate().map(|(i, value)| (forecast.slot_start(i), *value)).collect()
    };
    let line =
        |class, values: &Vec<f64>| Line { class, points: stepped(points(values), forecast.slot) };
    let median = paths.first_key_value().map(|(_, values)| line("median", values));
    let upper = paths.last_key_value().map(|(_, values)| line("upper", values));
    median.into_iter().chain(upper).collect()
}

fn request_line(report: &Report<'_>, scheduled: Vec<(Timestamp, f64)>, target: f64) -> Line {
    if scheduled.is_empty() {
        return held(report, "request", target);
    }
    Line { class: "request", points: stepped(scheduled, report.plan.slot) }
}

/// The same value over the whole horizon.
fn held(report: &Report<'_>, class: &'static str, value: f64) -> Line {
    let start = report.plan.start;
    let end = start + report.plan.slot.times(report.evidence.slots);
    Line { class, points: vec![(start, value), (end, value)] }
}

/// Each point held for `width`, as stairs.
pub(crate) fn stepped(points: Vec<(Timestamp, f64)>, width: Step) -> Vec<(Timestamp, f64)> {
    points
        .into_iter()
        .flat_map(|(start, value)| [(start, value), (start + width.times(1), value)])
        .collect()
}

fn maxima(series: &Series) -> Vec<(Timestamp, f64)> {
    let Some(step) = Step::from_seconds(DRAWN_STEP.max(series.step().seconds())) else {
        return Vec::new();
    };
    let (start, slots) = series.slots(step);
    let at = |index| start.saturating_add(step.times(index)).unwrap_or(Timestamp::MAX);
    slots.iter().enumerate().filter_map(|(i, slot)| Some((at(i), slot.as_ref()?.max))).collect()
}

/// `lines` as inline SVG, with values in multiples of `unit`; empty without a point.
pub(crate) fn chart(label: &str, lines: &[Line], unit: f64) -> String {
    let points = || lines.iter().flat_map(|line| &line.points);
    let (Some(first), Some(last)) = (points().map(|p| p.0).min(), points().map(|p| p.0).max())
    else {
        return String::new();
    };
    let top = nice_above(points().map(|p| p.1 / unit).fold(0.0, f64::max));
    let seconds = (last.as_second() - first.as_second()).max(1) as f64;
    let x = |time: Timestamp| {
        LEFT + (time.as_second() - first.as_second()) as f64 / seconds * (WIDTH - LEFT)
    };
    let y = |value: f64| (HEIGHT - BOTTOM) * (1.0 - value / unit / top) + 4.0;
    let grid: String = [0.0, 0.5, 1.0].iter().map(|share| {
        let level = y(share * top * unit);
        let text = (share * top * 1000.0).round() / 1000.0;
        format!("<line class=\"grid\" x1=\"{LEFT}\" x2=\"{WIDTH}\" y1=\"{level:.1}\" y2=\"{level:.1}\"/><text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{text}</text>", LEFT - 6.0, level + 4.0)
    }).collect();
    let drawn: String = lines
        .iter()
        .map(|line| {
            let points: Vec<String> =
                line.points.iter().map(|(t, v)| format!("{:.1},{:.1}", x(*t), y(*v))).collect();
            format!("<polyline class=\"{}\" points=\"{}\"/>", line.class, points.join(" "))
        })
        .collect();
    let days = day_labels(first, last, x);
    let (width, height) = (WIDTH, HEIGHT + 4.0);
    format!(
        "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\">\
         {grid}{days}{drawn}<text x=\"{:.0}\" y=\"16\">{label}</text></svg>\n",
        LEFT + 6.0
    )
}

fn day_labels(first: Timestamp, last: Timestamp, x: impl Fn(Timestamp) -> f64) -> String {
    const DAY: i64 = 86_400;
    let from = first.as_second().div_euclid(DAY) + 1;
    let to = last.as_second().div_euclid(DAY);
    (from..=to)
        .filter_map(|day| Timestamp::from_second(day * DAY).ok())
        .map(|midnight| {
            let at = x(midnight);
            format!("<line class=\"grid\" x1=\"{at:.1}\" x2=\"{at:.1}\" y1=\"4\" y2=\"{:.0}\"/><text x=\"{at:.1}\" y=\"{:.0}\">{}</text>", HEIGHT - BOTTOM + 4.0, HEIGHT - 3.0, midnight.strftime("%a %d %b"))
        })
        .collect()
}

/// The smallest of 1, 2 and 5 times a power of ten that is not below `value`; 1 for zero.
fn nice_above(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powf(value.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().find(|step| step * power >= value);
    step.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_numbers() {
        for (value, end) in [(0.0, 1.0), (0.013, 0.02), (1.0, 1.0), (4.2, 5.0), (730.0, 1000.0)] {
            assert!((nice_above(value) - end).abs() < 1e-9, "{value}");
        }
    }

    #[test]
    fn every_line_is_drawn_inside_the_frame() {
        let at = |s| Timestamp::from_second(s).unwrap();
        let line = Line { class: "request", points: vec![(at(0), 0.0), (at(200_000), 3.0)] };
        let svg = chart("cpu", &[line], 1.0);
        assert!(svg.contains("points=\"70.0,154.0 1000.0,64.0\""), "{svg}");
        assert!(svg.contains("Fri 02 Jan"), "{svg}");
    }
}
