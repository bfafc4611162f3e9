//! What MOrA's parts are worth.

use mora_evaluation::{ArmName, Comparison, ScenarioComparison, Versus, statistics::Interval};

use crate::axis::Scale;
use crate::figure::{Figure, WIDTH};
use crate::frontier::is_ablation;
use crate::helvetica;
use crate::panel::{Key, Panel, legend};
use crate::scene::{Anchor, Area, Color, FONT_SIZE, INK, Point, Scene};
use crate::style::{solid, style};

/// An effect: the indicator, how its plot is called, and what is shown of a comparison.
type Effect = (&'static str, &'static str, fn(&Versus) -> Option<Interval>);

const EFFECTS: [Effect; 2] = [
    ("cpu_hours_requested", "CPU requested, % more than MOrA", |versus| {
        versus.ratio.map(|ratio| scaled(ratio, |share| (share - 1.0) * 100.0))
    }),
    ("violations", "objective missed, points of % more", |versus| {
        Some(scaled(versus.difference, |share| share * 100.0))
    }),
];
const STEP: f64 = 6.5;

fn scaled(interval: Interval, by: fn(f64) -> f64) -> Interval {
    let Interval { mean, lower, upper } = interval;
    Interval { mean: by(mean), lower: lower.map(by), upper: upper.map(by) }
}

/// MOrA without a part less MOrA, in each simulated scenario; `None` where no part was left out.
pub(crate) fn ablations(comparison: &Comparison) -> Option<Figure> {
    let in_use = |arm: &ArmName| {
        is_ablation(*arm) && comparison.scenarios.values().any(|c| c.arms.contains_key(arm))
    };
    let arms: Vec<ArmName> = ArmName::ALL.into_iter().filter(in_use).collect();
    let scenarios: Vec<(&String, &ScenarioComparison)> = comparison
        .scenarios
        .iter()
        .filter(|(_, c)| arms.iter().any(|arm| c.arms.contains_key(arm)))
        .collect();
    if scenarios.is_empty() {
        return None;
    }
    let mut scene = Scene::new(WIDTH, 0.0);
    let keys: Vec<(Key, String)> =
        arms.iter().map(|&arm| (Key::Marker(style(arm)), style(arm).label.to_owned())).collect();
    let top = legend(&mut scene, &keys) + 20.0;
    let group = (arms.len() as f64 + 1.0) * STEP;
    let bottom = top + scenarios.len() as f64 * group;
    scene.height = bottom + 18.0;
    let names =
        scenarios.iter().map(|(name, _)| helvetica::width(name)).fold(0.0, f64::max) * FONT_SIZE;
    let width = (WIDTH - names - 12.0) / 2.0;
    for (place, (name, _)) in scenarios.iter().enumerate() {
        scene.text(2.0, top + (place as f64 + 0.5) * group + 3.0, Anchor::Start, name.as_str());
    }
    for (place, effect) in EFFECTS.iter().enumerate() {
        let left = names + 16.0 + place as f64 * width;
        let area = Area { left, top, right: left + width - 20.0, bottom };
        draw(&mut scene, area, *effect, &arms, &scenarios);
    }
    let alt = "What becomes of CPU hours requested (left) and of the share of minutes in which the objective was missed (right) when a \
        part of MOrA is left out: mean difference over seeds with 95 % intervals; right of zero the part was of use.";
    Some(Figure::new("ablations".to_owned(), "Without a part".to_owned(), alt, scene))
}

fn draw(
    scene: &mut Scene,
    area: Area,
    (name, title, of): Effect,
    arms: &[ArmName],
    scenarios: &[(&String, &ScenarioComparison)],
) {
    let found = |compared: &ScenarioComparison, arm: &ArmName| {
        of(compared.arms.get(arm)?.get(name)?.versus.get(&ArmName::Mora)?)
    };
    let all = scenarios
        .iter()
        .flat_map(|(_, compared)| arms.iter().filter_map(|arm| found(compared, arm)));
    let ends = all.flat_map(|i| [i.mean, i.lower.unwrap_or(i.mean), i.upper.unwrap_or(i.mean)]);
    let rows = Scale::Linear { min: 0.0, max: area.bottom - area.top };
    let panel = Panel { area, x: Scale::linear(ends), y: rows };
    scene.text(area.left, area.top - 8.0, Anchor::Start, title);
    panel.verticals(scene);
    panel.columns(scene, "");
    let zero = panel.at(0.0, 0.0).x;
    scene.line(
        vec![Point { x: zero, y: area.top }, Point { x: zero, y: area.bottom }],
        solid(INK, 0.6),
    );
    let mut y = area.top;
    for (_, compared) in scenarios {
        y += STEP;
        for arm in arms {
            if let Some(interval) = found(compared, arm) {
                effect(scene, &panel, y, *arm, interval);
            }
            y += STEP;
        }
        if y < area.bottom {
            let line = vec![Point { x: area.left, y }, Point { x: area.right, y }];
            scene.line(line, solid(Color(0xe2, 0xe5, 0xe8), 0.5));
        }
    }
}

fn effect(scene: &mut Scene, panel: &Panel, y: f64, arm: ArmName, interval: Interval) {
    let at = |value| Point { x: panel.at(value, 0.0).x, y };
    if let (Some(lower), Some(upper)) = (interval.lower, interval.upper) {
        scene.line(vec![at(lower), at(upper)], solid(style(arm).color, 1.0));
    }
    scene.marker(at(interval.mean), style(arm), 2.6, true);
}
