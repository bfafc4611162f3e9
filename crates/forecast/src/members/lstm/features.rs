//! What the network reads and what it should say, per slot, in spreads about the profile.

use std::f64::consts::TAU;

use crate::levels::{LEVELS, Levels};
use crate::members::hour_of_week::{Expected, trace};
use crate::members::lstm::network::{AHEAD, Batch, INPUTS, WINDOW};
use crate::season::Season;
use crate::slots::History;

/// Departures are cut here, in spreads: one outlier must not set the step of the whole batch.
const CUT: f64 = 8.0;

/// The features of a history and of the slots after it; slots count from its first.
#[derive(Debug)]
pub(crate) struct Features {
    /// Number of slots of the history.
    pub(crate) len: usize,
    /// Slots the network answers after an origin.
    pub(crate) reach: usize,
    /// Slots in a day.
    pub(crate) day: usize,
    /// Mean value, by which spreads and centres are brought near 1.
    scale: f64,
    inputs: Vec<[f32; INPUTS]>,
    ahead: Vec<[f32; AHEAD]>,
    expected: Vec<Option<Expected>>,
    values: Vec<Option<f64>>,
}

impl Features {
    /// The features of `history`.
    ///
    /// The network reaches `horizon` slots, but at most a day: what the profile expects of a slot more than a
    /// day ahead is not known at the origin.
    pub(crate) fn new(history: &History, season: Season, horizon: usize) -> Self {
        let day = history.day();
        let reach = horizon.min(day as usize);
        let expected = trace(history, season, reach as i64);
        let scale = history.mean_max().max(f64::MIN_POSITIVE);
        let calendars: Vec<[f32; 4]> =
            (history.first..).take(expected.len()).map(|n| calendar(n, day, season)).collect();
        let seen = |index: usize| history.first + index as i64;
        let inputs = (0..history.len())
            .map(|i| input(history, seen(i), expected[i], scale, calendars[i]))
            .collect();
        let ahead = expected.iter().zip(&calendars).map(|(e, &c)| target_slot(*e, scale, c));
        Self {
            len: history.len(),
            reach,
            day: day as usize,
            scale,
            inputs,
            ahead: ahead.collect(),
            values: (0..history.len()).map(|i| history.max(seen(i))).collect(),
            expected,
        }
    }

    /// The windows that end before the slots `origins`, with the features of the slots ahead of each.
    ///
    /// Slots before the history read as gaps.
    pub(crate) fn batch(&self, origins: &[usize]) -> Batch {
        let mut batch = Batch { size: origins.len(), reach: self.reach, ..Batch::default() };
        for step in 0..WINDOW {
            for origin in origins {
                let slot = (origin + step).checked_sub(WINDOW);
                let row = slot.map_or([0.0; INPUTS], |slot| self.inputs[slot]);
                batch.window.extend(row);
            }
        }
        for origin in origins {
            for lead in 0..self.reach {
                let mut row = self.ahead[origin + lead];
                row[0] = lead as f32 / self.reach as f32;
                batch.ahead.extend(row);
            }
        }
        batch
    }

    /// What the network should say of slot `index`: per level the departure from the profile in
    /// spreads; and the spread, by which it matters.
    pub(crate) fn target(&self, index: usize) -> Option<([f32; LEVELS.len()], f32)> {
        let value = (*self.values.get(index)?)?;
        let Expected { levels, spread } = self.expected[index]?;
        let cut = |level: f64| ((value - level) / spread).clamp(-CUT, CUT) as f32;
        Some((levels.map(cut), (spread / self.scale) as f32))
    }

    /// The quantiles that the outputs of the network say of slot `index`; `None` on the first day.
    pub(crate) fn levels(&self, index: usize, outputs: &[f32]) -> Option<Levels> {
        let expected = (*self.expected.get(index)?)?;
        Some(in_units(expected, outputs))
    }

    /// What the profile expects of the slots after the history.
    pub(crate) fn expected_ahead(&self) -> Vec<Expected> {
        self.expected[self.len..].iter().copied().flatten().collect()
    }
}

/// `outputs` of the network, turned from spreads about the profile to the signal's unit.
pub(crate) fn in_units(expected: Expected, outputs: &[f32]) -> Levels {
    let Expected { levels, spread } = expected;
    std::array::from_fn(|level| levels[level] + spread * f64::from(outputs[level]))
}

fn departure(value: Option<f64>, expected: Option<Expected>) -> Option<f32> {
    let Expected { levels, spread } = expected?;
    Some(((value? - levels[0]) / spread).clamp(-CUT, CUT) as f32)
}

fn input(
    history: &History,
    n: i64,
    expected: Option<Expected>,
    scale: f64,
    calendar: [f32; 4],
) -> [f32; INPUTS] {
    let max = departure(history.max(n), expected);
    let mean = departure(history.mean(n), expected);
    let seen = if max.is_some() { 1.0 } else { 0.0 };
    let centre = expected.map_or(0.0, |e| e.levels[0] / scale) as f32;
    let [hour_sin, hour_cos, week_sin, week_cos] = calendar;
    let (max, mean) = (max.unwrap_or(0.0), mean.unwrap_or(0.0));
    [max, mean, seen, centre, hour_sin, hour_cos, week_sin, week_cos]
}

fn target_slot(expected: Option<Expected>, scale: f64, calendar: [f32; 4]) -> [f32; AHEAD] {
    let (centre, spread) = expected.map_or((0.0, 0.0), |e| (e.levels[0] / scale, e.spread / scale));
    let [hour_sin, hour_cos, week_sin, week_cos] = calendar;
    [0.0, centre as f32, spread as f32, hour_sin, hour_cos, week_sin, week_cos]
}

/// Where slot `n` lies in the day and, where weekdays differ, in the week, as points on circles.
fn calendar(n: i64, day: i64, season: Season) -> [f32; 4] {
    let circle = |slots: i64| {
        let angle = TAU * n.rem_euclid(slots) as f64 / slots as f64;
        [angle.sin() as f32, angle.cos() as f32]
    };
    let [hour_sin, hour_cos] = circle(day);
    // With one week of data a weekday names one day, and the network would learn that day by heart.
    let [week_sin, week_cos] = if season == Season::Week { circle(7 * day) } else { [0.0; 2] };
    [hour_sin, hour_cos, week_sin, week_cos]
}
