//! How each method answers.

mod holt_winters;
mod naive;
mod rules;
mod vpa;

use std::time::{Duration, Instant};

use jiff::Timestamp;
use mora_core::{Series, Step};

use crate::answer::Answer;
use crate::maxima::Maxima;
use crate::method::Method;
use crate::mora::{self, Variant};
use crate::options::Options;
use crate::trial::{Day, first_slot};

/// What a method is asked at an origin.
pub(crate) struct Situation<'a> {
    /// What was seen before.
    pub(crate) history: &'a Series,
    /// Midnight of the day that is asked for.
    pub(crate) start: Timestamp,
    /// How long a request holds.
    pub(crate) slot: Step,
    /// Slots of the day.
    pub(crate) slots: usize,
    /// How the run is asked for.
    pub(crate) options: &'a Options,
    /// The day itself, which only the oracle may look at.
    pub(crate) day: &'a Day,
}

impl Situation<'_> {
    /// The largest sample per slot of the history.
    fn maxima(&self) -> Maxima {
        Maxima::new(self.history, self.slot)
    }

    /// The numbers of the slots that are asked for.
    fn wanted(&self) -> std::ops::Range<i64> {
        let first = first_slot(self.start, self.slot);
        first..first + self.slots as i64
    }
}

/// An answer and how long it took.
pub(crate) struct Timed {
    pub(crate) answer: Answer,
    pub(crate) fit: Duration,
    pub(crate) forecast: Duration,
}

/// The answer of `method`; the reason where it has none.
pub(crate) fn answer(method: Method, asked: &Situation<'_>) -> Result<Timed, String> {
    match Variant::of(method) {
        Some(variant) => mora::answer(variant, asked),
        None => Ok(timed(|| of_rule(method, asked))),
    }
}

/// What stands in where a method has no answer: the KRR rule, with the quantiles of the slots seen.
pub(crate) fn stand_in(asked: &Situation<'_>) -> Timed {
    timed(|| rules::stand_in(asked))
}

fn of_rule(method: Method, asked: &Situation<'_>) -> Answer {
    match method {
        Method::Oracle => rules::oracle(asked),
        Method::SeasonalNaive => naive::repeat(asked),
        Method::SeasonalNaiveResidual => naive::with_residuals(asked),
        Method::Vpa => vpa::answer(asked),
        Method::P99 => rules::percentile(asked, 0.99),
        Method::Maximum => rules::percentile(asked, 1.0),
        Method::HourOfDayMaximum => rules::hour_of_day_maximum(asked),
        Method::HoltWinters => holt_winters::answer(asked),
        _ => rules::percentile(asked, rules::KRR_PERCENTILE),
    }
}

fn timed(answer: impl FnOnce() -> Answer) -> Timed {
    let began = Instant::now();
    Timed { answer: answer(), fit: began.elapsed(), forecast: Duration::ZERO }
}

#[cfg(test)]
pub(crate) mod made {
    use super::*;

    /// Asks for the day after an hourly history of `days` days whose hour `n` holds `value(n)`.
    pub(crate) fn asked<T>(
        days: i64,
        value: impl Fn(i64) -> Option<f64>,
        ask: impl FnOnce(&Situation<'_>) -> T,
    ) -> T {
        let values = (0..days * 24).map(value).collect();
        let history = Series::new(Timestamp::UNIX_EPOCH, Step::HOUR, values).unwrap();
        let start = history.end();
        let day = Day {
            start,
            usage: vec![(0, 3.0), (0, 5.0), (2, 1.0)],
            maxima: vec![None; 24],
            naive_error: None,
        };
        ask(&Situation {
            history: &history,
            start,
            slot: Step::HOUR,
            slots: 24,
            options: &Options::default(),
            day: &day,
        })
    }
}
