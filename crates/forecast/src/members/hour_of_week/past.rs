//! What earlier days say of a slot.

use super::errors::ERROR_DAYS;
use crate::levels::{Levels, weighted_levels};
use crate::season::Season;
use crate::slots::History;

/// How many times more the same weekday counts, where weekdays were not seen to differ and where they were.
const SAME_WEEKDAY: f64 = 4.0;
const WEEKLY_WEEKDAY: f64 = 16.0;
/// Days that are looked back on.
const DAYS: i64 = 28;

/// How earlier days are weighed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct View {
    /// Share a day keeps of its weight per day.
    pace: f64,
    /// How many times more the same weekday counts.
    weekday: f64,
    /// How much of the ratio of the last season's level to that of the season with an earlier day is carried forward, as an
    /// exponent.
    carry: f64,
}

impl View {
    /// The view the LSTM departs from: every day at its own level.
    pub(super) fn profile(season: Season) -> Self {
        let weekday = if season == Season::Week { WEEKLY_WEEKDAY } else { SAME_WEEKDAY };
        Self { pace: 0.85, weekday, carry: 0.0 }
    }

    /// All combinations, between which the errors of the last days decide.
    pub(super) fn all() -> Vec<Self> {
        let carries = |pace, weekday| [0.0, 0.7].map(|carry| Self { pace, weekday, carry });
        let weekdays = |pace| [1.0, 4.0, 16.0].into_iter().flat_map(move |w| carries(pace, w));
        [0.4, 0.7, 0.85, 0.95].into_iter().flat_map(weekdays).collect()
    }
}

/// A history by days that end with it.
pub(super) struct Past<'a> {
    pub(super) history: &'a History,
    pub(super) end: i64,
    pub(super) day: i64,
    /// Slots that share an entry: 1, or a day where the hours of a day do not differ.
    pub(super) width: i64,
    /// Mean of the season that ends this many days before the end.
    levels: Vec<Option<f64>>,
}

impl<'a> Past<'a> {
    pub(super) fn new(history: &'a History, season: Season) -> Self {
        let (end, day) = (history.end(), history.day());
        let level = |back: i64| {
            let slots = end - back * day - season.slots(day)..end - back * day;
            average(slots.filter_map(|n| history.max(n)))
        };
        let levels = (0..=DAYS + ERROR_DAYS).map(level).collect();
        let width = if season == Season::None { day } else { 1 };
        Self { history, end, day, width, levels }
    }

    /// Entries in a day.
    pub(super) fn entries(&self) -> i64 {
        self.day / self.width
    }

    /// Spread below which slots are not told apart.
    pub(super) fn floor(&self) -> f64 {
        (1e-6 * self.history.mean_max().abs()).max(f64::MIN_POSITIVE)
    }

    /// What was seen `back` days before the end and earlier of the entry that holds slot `n`, with weights.
    fn seen(&self, n: i64, back: i64, view: &View) -> Vec<(f64, f64)> {
        let origin = self.end - back * self.day;
        let ahead = (n - origin).div_euclid(self.day);
        let mut seen = Vec::with_capacity((DAYS * self.width) as usize);
        for days in ahead + 1..=ahead + DAYS {
            let slot = n - days * self.day;
            if slot + self.width <= self.history.first {
                break;
            }
            let weekday = if days % 7 == 0 { view.weekday } else { 1.0 };
            let weight = weekday * view.pace.powi(days as i32);
            let scale = self.ratio(back, back + days - ahead - 1).powf(view.carry);
            let values = (slot..slot + self.width).filter_map(|slot| self.history.max(slot));
            seen.extend(values.map(|value| (scale * value, weight)));
        }
        seen
    }

    /// The level `to` days before the end in levels `from` days before it.
    fn ratio(&self, to: i64, from: i64) -> f64 {
        let level = |back: i64| self.levels.get(back as usize).copied().flatten();
        match (level(to), level(from)) {
            (Some(now), Some(then)) if now > 0.0 && then > 0.0 => (now / then).clamp(0.2, 5.0),
            _ => 1.0,
        }
    }

    /// The quantiles of the entry that holds slot `n`, as known `back` days before the end.
    pub(super) fn quantiles(&self, n: i64, back: i64, view: &View) -> Levels {
        let mut seen = self.seen(n, back, view);
        if seen.is_empty() {
            let known = self.history.before(self.end - back * self.day);
            seen = known.observed().map(|(_, value)| (value, 1.0)).collect();
        }
        weighted_levels(&mut seen)
    }

    /// The quantiles of the day after `origin`, which is `back` days before the end.
    pub(super) fn entries_after(&self, origin: i64, back: i64, view: &View) -> Vec<Levels> {
        let slots = (0..self.entries()).map(|entry| origin + entry * self.width);
        slots.map(|n| self.quantiles(n, back, view)).collect()
    }
}

fn average(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value, count + 1.0));
    (count > 0.0).then(|| sum / count)
}
