//! Arms by scenario.

use mora_evaluation::{ArmName, Comparison, Summary, indicator};

use crate::axis::Scale;
use crate::figure::{Figure, WIDTH};
use crate::frontier::is_ablation;
use crate::helvetica;
use crate::panel::{GUTTER, Key, LINE, Panel, legend};
use crate::scene::{Anchor, Area, FONT_SIZE, INK, Scene};
use crate::style::{solid, style};

/// What has a row of bars each.
const ROWS: [&str; 3] = ["cpu_hours_requested", "violations", "scaling_events"];
const HEIGHT: f64 = 84.0;
const LEFT: f64 = GUTTER + 2.0;

/// CPU hours, violations and scaling events of every arm in every simulated scenario; `None` without one.
pub(crate) fn bars(comparison: &Comparison) -> Option<Figure> {
    let in_use = |arm: &ArmName| {
        !is_ablation(*arm)
            && comparison.scenarios.values().any(|compared| compared.arms.contains_key(arm))
    };
    let arms: Vec<ArmName> = ArmName::ALL.into_iter().filter(in_use).collect();
    if arms.is_empty() {
        return None;
    }
    let mut scene = Scene::new(WIDTH, 0.0);
    let keys: Vec<(Key, String)> =
        arms.iter().map(|&arm| (Key::Box(style(arm).color), style(arm).label.to_owned())).collect();
    let mut top = legend(&mut scene, &keys) + 20.0;
    for name in ROWS {
        let Some(indicator) = indicator(name) else { continue };
        let area = Area { left: LEFT, top, right: WIDTH - 4.0, bottom: top + HEIGHT };
        let summaries = comparison
            .scenarios
            .values()
            .flat_map(|compared| arms.iter().filter_map(|arm| compared.arms.get(arm)?.get(name)));
        let y = Scale::linear(
            summaries.map(|summary| summary.upper.unwrap_or(summary.mean) * indicator.scale),
        );
        let panel = Panel {
            area,
            x: Scale::Linear { min: 0.0, max: comparison.scenarios.len() as f64 },
            y,
        };
        let unit =
            if indicator.unit.is_empty() { String::new() } else { format!(", {}", indicator.unit) };
        panel.rows(&mut scene, &format!("{}{unit}", indicator.label));
        for (place, compared) in comparison.scenarios.values().enumerate() {
            for (index, arm) in arms.iter().enumerate() {
                if let Some(summary) = compared.arms.get(arm).and_then(|figures| figures.get(name))
                {
                    let slot = (place as f64 + 0.08, 0.84 / arms.len() as f64, index as f64);
                    bar(&mut scene, &panel, slot, *arm, (summary, indicator.scale));
                }
            }
        }
        panel.foot(&mut scene);
        top += HEIGHT + 26.0;
    }
    scene.height = top - 8.0 + names(&mut scene, comparison, top - 14.0);
    let alt = "CPU hours requested, share of minutes in which the objective was missed, and scaling events, by scenario and arm: \
        means over seeds with 95 % intervals.";
    Some(Figure::new("scenarios".to_owned(), "Arms by scenario".to_owned(), alt, scene))
}

fn bar(
    scene: &mut Scene,
    panel: &Panel,
    (left, width, index): (f64, f64, f64),
    arm: ArmName,
    (summary, scale): (&Summary, f64),
) {
    let (from, to) = (left + index * width, left + (index + 1.0) * width);
    let (foot, top) = (panel.at(from, 0.0), panel.at(to, summary.mean * scale));
    let area = Area { left: foot.x + 0.3, top: top.y, right: top.x - 0.3, bottom: foot.y };
    if area.bottom - area.top > 0.05 {
        scene.fill(area.corners(), style(arm).color);
    }
    if let (Some(lower), Some(upper)) = (summary.lower, summary.upper) {
        let middle = f64::midpoint(from, to);
        let ends = [lower, upper].map(|end| panel.at(middle, end * scale));
        if ends[0].y - ends[1].y > 0.4 {
            scene.line(ends.to_vec(), solid(INK, 0.6));
        }
    }
}

/// Names of scenarios below their bars, on as many lines as keep them apart; the answer is the height they take.
fn names(scene: &mut Scene, comparison: &Comparison, y: f64) -> f64 {
    let slot = (WIDTH - LEFT - 4.0) / comparison.scenarios.len() as f64;
    let wide = |name: &String| helvetica::width(name) * FONT_SIZE;
    let widest = comparison.scenarios.keys().map(wide).fold(0.0, f64::max);
    let lines = ((widest + 6.0) / slot).ceil().max(1.0) as usize;
    for (place, name) in comparison.scenarios.keys().enumerate() {
        let middle = LEFT + (place as f64 + 0.5) * slot;
        let half = wide(name) / 2.0;
        let x = middle.min(WIDTH - 2.0 - half).max(2.0 + half);
        scene.text(x, y + (place % lines) as f64 * LINE, Anchor::Middle, name.as_str());
    }
    lines as f64 * LINE
}
