//! What arms cost and what they risk.

use std::collections::BTreeMap;

use mora_evaluation::{
    ArmName, Comparison, FrontierPoint, ScenarioComparison, Summary, statistics::Interval,
};

use crate::axis::Scale;
use crate::figure::{Figure, WIDTH};
use crate::panel::{GUTTER, Key, Panel, legend};
use crate::scene::{Area, Scene};
use crate::style::{ArmStyle, solid, style};

/// A kind of risk: the indicator, how its plot is called, and the part of a point with that margin.
type Risk = (&'static str, &'static str, fn(&FrontierPoint) -> Interval);

const RISKS: [Risk; 2] = [
    ("violations", "objective missed, % of minutes", |point| point.violations),
    ("cpu_under", "U: CPU usage above request, % of minutes", |point| point.cpu_under),
];
/// Shares below a hundredth of a percent have a shelf, down to none.
const FLOOR: f64 = 0.01;

/// Cost against risk in a simulated scenario; `None` without two arms in it.
pub(crate) fn frontier(comparison: &Comparison, scenario: &str) -> Option<Figure> {
    let compared = comparison.scenarios.get(scenario).filter(|compared| compared.arms.len() > 1)?;
    let mut scene = Scene::new(WIDTH, 0.0);
    let shown = |arm: &&ArmName| !is_ablation(**arm);
    let arms: Vec<ArmName> = compared.arms.keys().filter(shown).copied().collect();
    let mut keys: Vec<(Key, String)> =
        arms.iter().map(|&arm| (key(compared, arm), style(arm).label.to_owned())).collect();
    if !compared.frontiers.is_empty() {
        keys.push((Key::Open(style(ArmName::Mora)), "with another margin".to_owned()));
    }
    let top = legend(&mut scene, &keys) + 20.0;
    let bottom = top + 150.0;
    scene.height = bottom + 36.0;
    let x = Scale::linear(costs(compared, &arms));
    for (place, risk) in RISKS.iter().enumerate() {
        let left = GUTTER + 2.0 + place as f64 * (WIDTH / 2.0 + 2.0);
        let area = Area { left, top, right: left + WIDTH / 2.0 - 44.0, bottom };
        let values = risks(compared, &arms, *risk);
        let panel = Panel { area, x, y: Scale::shelf(FLOOR, values) };
        panel.rows(&mut scene, risk.1);
        panel.columns(&mut scene, "CPU requested, core h");
        for &arm in &arms {
            draw(&mut scene, &panel, compared, arm, *risk);
        }
    }
    let alt = "What each arm asked for of CPU against how often it was too little, with lines through the margins that were tried; \
        left: minutes in which the objective was missed, right: minutes with usage above the request. Bars are 95 % intervals.";
    Some(Figure::new(
        format!("cost-and-risk-{scenario}"),
        format!("Cost and risk, {scenario}"),
        alt,
        scene,
    ))
}

/// Whether an arm is MOrA without a part or at another pace, which has a figure of its own.
pub(crate) const fn is_ablation(arm: ArmName) -> bool {
    matches!(
        arm,
        ArmName::MoraNoGraph
            | ArmName::MoraStatic
            | ArmName::MoraNoRecent
            | ArmName::MoraEveryMinute
            | ArmName::MoraNoLstm
            | ArmName::MoraNoProphet
    )
}

fn key(compared: &ScenarioComparison, arm: ArmName) -> Key {
    if compared.frontiers.contains_key(&arm) {
        Key::Both(style(arm))
    } else {
        Key::Marker(style(arm))
    }
}

fn points(compared: &ScenarioComparison, arm: ArmName) -> &[FrontierPoint] {
    compared.frontiers.get(&arm).map_or(&[], Vec::as_slice)
}

fn costs(compared: &ScenarioComparison, arms: &[ArmName]) -> Vec<f64> {
    let of_margins = arms
        .iter()
        .flat_map(|arm| points(compared, *arm))
        .map(|point| point.cpu_hours_requested.mean);
    let as_they_are = arms.iter().filter_map(|arm| compared.arms[arm].get("cpu_hours_requested"));
    of_margins.chain(as_they_are.map(|summary| summary.upper.unwrap_or(summary.mean))).collect()
}

fn risks(compared: &ScenarioComparison, arms: &[ArmName], (name, _, of): Risk) -> Vec<f64> {
    let of_margins = arms.iter().flat_map(|arm| points(compared, *arm)).map(|point| of(point).mean);
    let as_they_are = arms.iter().filter_map(|arm| compared.arms[arm].get(name));
    let as_they_are = as_they_are.map(|summary| summary.upper.unwrap_or(summary.mean));
    of_margins.chain(as_they_are).map(percent).collect()
}

fn percent(share: f64) -> f64 {
    share * 100.0
}

fn draw(
    scene: &mut Scene,
    panel: &Panel,
    compared: &ScenarioComparison,
    arm: ArmName,
    (name, _, of): Risk,
) {
    let style = style(arm);
    let margins = points(compared, arm).iter();
    let places: Vec<_> = margins
        .map(|point| panel.at(point.cpu_hours_requested.mean, percent(of(point).mean)))
        .collect();
    if places.len() > 1 {
        scene.line(places.clone(), style.stroke(1.0));
        for place in places {
            scene.marker(place, style, 2.2, false);
        }
    }
    let figures: &BTreeMap<String, Summary> = &compared.arms[&arm];
    if let (Some(cost), Some(risk)) = (figures.get("cpu_hours_requested"), figures.get(name)) {
        intervals(scene, panel, style, (cost, risk));
        scene.marker(panel.at(cost.mean, percent(risk.mean)), style, 3.2, true);
    }
}

fn intervals(
    scene: &mut Scene,
    panel: &Panel,
    style: ArmStyle,
    (cost, risk): (&Summary, &Summary),
) {
    let stroke = || solid(style.color, 0.7);
    if let (Some(lower), Some(upper)) = (cost.lower, cost.upper) {
        let y = percent(risk.mean);
        scene.line(vec![panel.at(lower, y), panel.at(upper, y)], stroke());
    }
    if let (Some(lower), Some(upper)) = (risk.lower, risk.upper) {
        let ends = [percent(lower), percent(upper)];
        scene.line(ends.map(|y| panel.at(cost.mean, y)).to_vec(), stroke());
    }
}
