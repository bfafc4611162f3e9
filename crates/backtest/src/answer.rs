//! What a method answers, and what is kept of it.

use serde::{Deserialize, Serialize};

/// The quantiles that are judged, ascending.
pub const LEVELS: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// Index in [`LEVELS`] of the quantile that is requested by default.
pub(crate) const STATED: usize = 2;

/// A method's answer for one day.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The request in each slot, in the unit of the series, at least 0.
    pub request: Vec<f64>,
    /// The quantiles of the largest sample in each slot at [`LEVELS`], ascending; `None` where the
    /// method states none.
    pub quantiles: Option<Vec<[f64; LEVELS.len()]>>,
    /// The requests at other prices of risk, one path per price, for a method whose safety margin is such a price;
    /// else empty.
    #[serde(default)]
    pub priced: Vec<Vec<f64>>,
}

impl Answer {
    /// `request` in each of `slots` slots.
    pub(crate) fn held(request: f64, slots: usize) -> Self {
        Self { request: vec![request; slots], quantiles: None, priced: Vec::new() }
    }

    /// Quantiles, of which the stated one is requested; those that cross or are negative are raised.
    pub(crate) fn stated(mut quantiles: Vec<[f64; LEVELS.len()]>) -> Self {
        for levels in &mut quantiles {
            let mut floor = 0.0_f64;
            for level in levels {
                floor = floor.max(*level);
                *level = floor;
            }
        }
        let request = quantiles.iter().map(|levels| levels[STATED]).collect();
        Self { request, quantiles: Some(quantiles), priced: Vec::new() }
    }

    /// The largest request of the day, held over all of it.
    pub(crate) fn flattened(self) -> Self {
        let flat = |path: &Vec<f64>| vec![path.iter().copied().fold(0.0, f64::max); path.len()];
        let priced = self.priced.iter().map(flat).collect();
        Self { request: flat(&self.request), quantiles: self.quantiles, priced }
    }

    /// The request at the price of index `price`, or the default one.
    pub(crate) fn request_at(&self, price: Option<usize>) -> &[f64] {
        price.and_then(|price| self.priced.get(price)).unwrap_or(&self.request)
    }
}

/// Everything one method answered for one series: an answer per origin, and how long it took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cell {
    /// One answer per origin.
    pub answers: Vec<Answer>,
    /// Origins at which the method gave no answer and the KRR rule stood in, with the last reason.
    pub stood_in: Option<StoodIn>,
    /// Seconds spent fitting, over all origins.
    pub fit_seconds: f64,
    /// Seconds spent forecasting, over all origins.
    pub forecast_seconds: f64,
}

impl Cell {
    /// Number of prices it has requests at; 0 for a method without.
    pub(crate) fn prices(&self) -> usize {
        self.answers.iter().map(|answer| answer.priced.len()).max().unwrap_or(0)
    }

    /// The same with the requests at the price of index `price`.
    pub(crate) fn at(&self, price: Option<usize>) -> Self {
        let at = |answer: &Answer| {
            let request = answer.request_at(price).to_vec();
            Answer { request, priced: Vec::new(), ..answer.clone() }
        };
        Self { answers: self.answers.iter().map(at).collect(), ..self.clone() }
    }
}

/// Origins without an answer of the method's own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoodIn {
    /// How many.
    pub origins: usize,
    /// Why, at the last of them.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn crossed_and_negative_quantiles_are_raised_and_the_stated_one_is_requested() {
        let answer = Answer::stated(vec![[-1.0, 3.0, 2.0, 4.0]]);
        assert_eq!(answer.quantiles, Some(vec![[0.0, 3.0, 3.0, 4.0]]));
        assert_eq!(answer.request, [3.0]);
    }
}
