//! How busy the shop is: the day, the week, and slow swings nobody can foresee.

use crate::noise::{Noise, Purpose};

const DAY: f64 = 86_400.0;
/// Load at each full hour (UTC): a morning ramp, a peak at midday, a lull in the evening, a quiet night.
const HOURS: [f64; 24] = [
    0.36, 0.29, 0.25, 0.23, 0.24, 0.31, 0.48, 0.75, 1.04, 1.29, 1.47, 1.58, 1.62, 1.58, 1.49, 1.41,
    1.33, 1.24, 1.17, 1.16, 1.08, 0.89, 0.67, 0.49,
];
/// Load of each day, from Thursday: the Unix epoch was one.
const DAYS: [f64; 7] = [1.04, 0.98, 0.68, 0.62, 1.0, 1.05, 1.06];
/// Seconds around midnight over which one day's level turns into the next one's.
const BLEND: f64 = 4.0 * 3600.0;

/// Spacing of the slow swings, in seconds.
const KNOT: i64 = 1800;
/// Correlation of neighbouring knots: swings last about ten hours.
const PERSISTENCE: f64 = 0.95;
/// Standard deviation of the swings.
const SWING: f64 = 0.04;
/// Knots of the past that count; what older ones would add is below one percent.
const MEMORY: i64 = 96;

/// The load of the entry workload: a day and a week of an application that people use, the same every week.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Load {
    scale: f64,
}

impl Load {
    /// A load with `mean` requests per second over a week.
    #[must_use]
    pub fn new(mean: f64) -> Self {
        let instants = (0..7 * 24 * 4).map(|quarter| shape(quarter * 900));
        let average = instants.sum::<f64>() / (7.0 * 24.0 * 4.0);
        Self { scale: mean / average }
    }

    /// Expected requests per second at `second` since the Unix epoch.
    #[must_use]
    pub fn expected(self, second: i64) -> f64 {
        self.scale * shape(second)
    }
}

fn shape(second: i64) -> f64 {
    let days = second as f64 / DAY;
    let hour = days.rem_euclid(1.0) * 24.0;
    let (before, fraction) = (hour.floor(), hour.fract());
    let (a, b) = (HOURS[before as usize % 24], HOURS[(before as usize + 1) % 24]);
    // Half a cosine between full hours has no kinks.
    let eased = (1.0 - (std::f64::consts::PI * fraction).cos()) / 2.0;
    (a + (b - a) * eased) * day_level(days)
}

fn day_level(days: f64) -> f64 {
    let level = |day: f64| DAYS[day.rem_euclid(7.0) as usize % 7];
    let half = BLEND / DAY / 2.0;
    let (day, within) = (days.floor(), days.rem_euclid(1.0));
    let (other, weight) = match within {
        early if early < half => (day - 1.0, 0.5 - early / half / 2.0),
        late if late > 1.0 - half => (day + 1.0, 0.5 - (1.0 - late) / half / 2.0),
        _ => (day, 0.0),
    };
    level(day) * (1.0 - weight) + level(other) * weight
}

/// The factor on the load at each of `seconds` (ascending): mean 1, slowly swinging.
pub(crate) fn swings(noise: Noise, seconds: &[i64]) -> Vec<f64> {
    let (Some(first), Some(last)) = (seconds.first(), seconds.last()) else { return Vec::new() };
    let origin = first.div_euclid(KNOT);
    let count = last.div_euclid(KNOT) - origin + 2;
    let mut draws = noise.draws(Purpose::Modulation, 0, 0, origin - MEMORY);
    let shocks: Vec<f64> = (0..count + MEMORY).map(|_| draws.normal()).collect();
    let knots: Vec<f64> = shocks.windows(MEMORY as usize + 1).map(knot).collect();
    let at = |second: i64| {
        let index = (second.div_euclid(KNOT) - origin) as usize;
        let fraction = second.rem_euclid(KNOT) as f64 / KNOT as f64;
        1.0 + SWING * (knots[index] * (1.0 - fraction) + knots[index + 1] * fraction)
    };
    seconds.iter().map(|second| at(*second)).collect()
}

/// An AR(1) value as the weighted sum of the `shocks` that led to it, the newest last.
fn knot(shocks: &[f64]) -> f64 {
    let decayed = shocks.iter().fold(0.0, |sum, shock| sum * PERSISTENCE + shock);
    decayed * (1.0 - PERSISTENCE * PERSISTENCE).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_mean_over_a_week_is_the_one_asked_for() {
        let load = Load::new(30.0);
        let mean = (0..7 * 1440).map(|minute| load.expected(minute * 60)).sum::<f64>() / 10_080.0;
        assert!((mean - 30.0).abs() < 0.05, "{mean}");
    }

    #[test]
    fn midday_is_busier_than_night_and_tuesday_than_sunday() {
        let load = Load::new(30.0);
        let at = |day: i64, hour: i64| load.expected(day * 86_400 + hour * 3600);
        let (sunday, tuesday) = (3, 5);
        assert!(at(tuesday, 12) > 5.0 * at(tuesday, 3));
        assert!(at(tuesday, 12) > 1.4 * at(sunday, 12));
        assert!(at(tuesday, 12) > at(tuesday, 18));
    }

    #[test]
    fn load_has_no_jumps() {
        let load = Load::new(1.0);
        let jump =
            |minute: i64| (load.expected(minute * 60 + 60) - load.expected(minute * 60)).abs();
        assert!((0..7 * 1440).map(jump).fold(0.0, f64::max) < 0.02);
    }

    #[test]
    fn swings_do_not_depend_on_where_the_question_starts() {
        let seconds: Vec<i64> = (0..2000).map(|i| i * 300).collect();
        let all = swings(Noise::new(3), &seconds);
        assert_eq!(swings(Noise::new(3), &seconds[777..]), all[777..]);
        let mean = all.iter().sum::<f64>() / all.len() as f64;
        assert!((mean - 1.0).abs() < 0.03 && all.iter().any(|f| (f - 1.0).abs() > 0.04));
    }
}
