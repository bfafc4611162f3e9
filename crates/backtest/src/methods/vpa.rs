//! The CPU rule of the Vertical Pod Autoscaler's recommender.
//!
//! Constants as in `recommender/model/aggregations_config.go` and `recommender/logic/recommender.go` of
//! kubernetes/autoscaler: a half-life of 24 h, the 90th percentile, and 15 %
//! on top. There the first bucket is as wide as a thousandth of a core. Series here have any unit, so it is a
//! thousandth of the largest sample. Every sample weighs the same before it decays.

use super::Situation;
use crate::answer::Answer;
use crate::histogram::Histogram;

const HALF_LIFE_SECONDS: f64 = 86_400.0;
const PERCENTILE: f64 = 0.9;
const MARGIN: f64 = 1.15;
const FIRST_BUCKET: f64 = 0.001;

/// The decayed percentile plus the margin, all day.
pub(super) fn answer(asked: &Situation<'_>) -> Answer {
    let largest = asked.history.observed().fold(0.0, f64::max);
    if largest <= 0.0 {
        return Answer::held(0.0, asked.slots);
    }
    let mut histogram = Histogram::new(FIRST_BUCKET * largest, largest);
    for (index, value) in asked.history.values().iter().enumerate() {
        let Some(value) = *value else { continue };
        let age = asked.start.as_second() - asked.history.time(index).as_second();
        histogram.add(value, 0.5_f64.powf(age as f64 / HALF_LIFE_SECONDS));
    }
    Answer::held(MARGIN * histogram.percentile(PERCENTILE), asked.slots)
}

#[cfg(test)]
mod tests {
    use super::super::made::asked;
    use super::*;

    #[test]
    fn a_sample_a_day_older_weighs_half() {
        // Days of 8, 4, 2 and 1: the two newest hold 12/15 of the weight, the three newest 14/15.
        let day_of = |n: i64| [8.0, 4.0, 2.0, 1.0][(n / 24) as usize];
        let request = asked(4, |n| Some(day_of(n)), answer).request[0];
        assert!((4.0..4.0 * 1.06).contains(&(request / 1.15)), "{request}");
        let constant = asked(4, |_| Some(0.0), answer);
        assert!(constant.request.iter().all(|value| value.abs() < 1e-12));
    }
}
