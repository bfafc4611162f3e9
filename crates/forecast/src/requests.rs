//! The request path of least cost: what to ask for in each slot when being above it has a price.
//!
//! A request `r` for a slot costs itself, plus the price of the samples that will be above it:
//! `r + price * usage * share_above(r)`, with the mean usage as unit, so that a price of 80 makes a minute in
//! which usage exceeds the request as dear as 80 minutes of mean usage. Where a slot is steady the least cost
//! is just above what is usual; where it bursts without warning it is not worth covering every burst. One
//! price for all slots and workloads spends the allowed shortage where avoiding it is dearest, which a quantile,
//! the same for every slot, does not.
//!
//! The distribution of a slot comes from the samples of the same slot on earlier days. How those days are weighed and
//! how far their values are spread is not chosen once: a set of [experts](expert) does it differently, and
//! what each would have cost on the days of the history decides how much it counts (exponential weights,
//! Vovk 1990; Cesa-Bianchi and Lugosi, "Prediction, Learning, and Games", 2006, chapter 2).

mod expert;
mod samples;

use mora_core::{RequestRecord, RiskPrice, Series, Step};
use serde::{Deserialize, Serialize};

use self::expert::{EXPERTS, day_after};
use self::samples::Samples;
use crate::levels::shares_by_loss;

/// The prices for which a model keeps a path, in mean usages, ascending.
pub const RISK_PRICES: [f64; 7] = [20.0, 40.0, 80.0, 160.0, 320.0, 640.0, 1280.0];

/// The price of a share above the request unless another is asked for, in mean usages.
///
/// On the recorded series of this repository's evaluation it leaves just under 1 % of the samples above the
/// request, on average over workloads; docs/forecasting.md has the table.
pub const DEFAULT_RISK_PRICE: f64 = RiskPrice::DEFAULT.get();

/// One value per price of [`RISK_PRICES`].
type PerPrice = [f64; RISK_PRICES.len()];

/// Days a history must cover.
const LEAST_DAYS: i64 = 3;
/// Last days on which the experts are compared.
const MOST_TRIED: i64 = 28;
/// How fast an expert loses weight: an excess of the cost by one half on a single day divides it by e.
const RATE: f64 = 2.0;
/// Share of a day's say that is left a day later.
const FADE: f64 = 0.95;
/// Days in a week, for which a path is kept.
const WEEK: i64 = 7;

/// The request paths of the week after a history, for every price.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Requests {
    /// The slot the paths start with.
    first: i64,
    /// Per price, the requests of a week of slots.
    week: Vec<Vec<f64>>,
    records: Vec<RequestRecord>,
}

impl Requests {
    /// The paths after `series` in slots of width `slot`, of which `end` is the first; `None` for less than three
    /// days.
    pub(crate) fn fit(series: &Series, slot: Step, end: i64) -> Option<Self> {
        let samples = Samples::new(series, slot, end);
        let days = samples.days();
        if days < LEAST_DAYS {
            return None;
        }
        let mut trial = Trial::default();
        for back in (1..=(days - LEAST_DAYS).min(MOST_TRIED)).rev() {
            trial.day(&samples, back);
        }
        let (week, records) = trial.conclude(&samples);
        Some(Self { first: end, week, records })
    }

    /// The requests of `count` slots from slot `first` on at `price`, which is held to the range of [`RISK_PRICES`].
    pub(crate) fn path(&self, first: i64, count: usize, price: f64) -> Vec<f64> {
        let (lower, share) = between(price);
        let value = |n: i64, at: usize| {
            let path = &self.week[at];
            path[(n - self.first).rem_euclid(path.len() as i64) as usize]
        };
        let upper = (lower + 1).min(RISK_PRICES.len() - 1);
        (first..first + count as i64)
            .map(|n| value(n, lower) + share * (value(n, upper) - value(n, lower)))
            .collect()
    }

    /// What each price would have cost.
    pub(crate) fn records(&self) -> &[RequestRecord] {
        &self.records
    }

    /// Whether the numbers can be what a fit to slots of `day` a day before slot `end` leaves behind.
    pub(crate) fn is_sound(&self, day: i64, end: i64) -> bool {
        let sound = |path: &Vec<f64>| {
            path.len() as i64 == WEEK * day && path.iter().all(|v| v.is_finite() && *v >= 0.0)
        };
        self.first == end
            && self.week.len() == RISK_PRICES.len()
            && self.week.iter().all(sound)
            && self.records.iter().all(|r| r.overhead >= 0.0 && (0.0..=1.0).contains(&r.above))
    }
}

/// The index of the highest known price not above `price`, and how far it is on the way to the next, by its logarithm.
fn between(price: f64) -> (usize, f64) {
    let known = RISK_PRICES;
    let price = price.clamp(known[0], known[known.len() - 1]);
    let lower = known.iter().rposition(|&k| k <= price).unwrap_or(0);
    let upper = known[(lower + 1).min(known.len() - 1)];
    let share = if upper > known[lower] {
        (price / known[lower]).ln() / (upper / known[lower]).ln()
    } else {
        0.0
    };
    (lower, share)
}

/// The experts' costs so far, and those of the requests they made together.
#[derive(Default)]
struct Trial {
    /// Per price and expert, cost in mean usages, older days faded.
    costs: [[f64; EXPERTS.len()]; RISK_PRICES.len()],
    /// Weight of the days behind the costs.
    weight: f64,
    requested: PerPrice,
    above: PerPrice,
    used: f64,
    seen: f64,
    days: u32,
}

impl Trial {
    /// Takes in what the experts would have requested for the day that ends `back - 1` days before the end.
    fn day(&mut self, samples: &Samples, back: i64) {
        let known = samples.before(back);
        let actual = samples.day(back);
        if actual.iter().all(|slot| slot.is_empty()) {
            return;
        }
        let unit = known.usage();
        let paths = day_after(&known, 0);
        self.count(&self.together(&paths), &actual);
        self.fade();
        for (price, costs) in self.costs.iter_mut().enumerate() {
            for (cost, path) in costs.iter_mut().zip(&paths) {
                let (requested, above, _, seen) = outcome(path, price, &actual);
                *cost += requested / (unit * path.len() as f64) + RISK_PRICES[price] * above / seen;
            }
        }
        self.weight += 1.0;
    }

    fn fade(&mut self) {
        self.costs.iter_mut().flatten().for_each(|cost| *cost *= FADE);
        self.weight *= FADE;
    }

    /// Counts what requests that were made together would have cost.
    fn count(&mut self, path: &[PerPrice], actual: &[&[f64]]) {
        for price in 0..RISK_PRICES.len() {
            let (requested, above, used, seen) = outcome(path, price, actual);
            self.requested[price] += requested * seen / path.len() as f64;
            self.above[price] += above;
            if price == 0 {
                self.used += used;
                self.seen += seen;
            }
        }
        self.days += 1;
    }

    /// The experts' requests for each slot, averaged by what they have cost so far.
    fn together(&self, paths: &[Vec<PerPrice>]) -> Vec<PerPrice> {
        let shares: Vec<Vec<f64>> =
            self.costs.iter().map(|costs| shares_by_loss(costs, RATE * self.weight)).collect();
        let slots = paths.first().map_or(0, Vec::len);
        let request = |slot: usize, price: usize| -> f64 {
            shares[price].iter().zip(paths).map(|(share, path)| share * path[slot][price]).sum()
        };
        (0..slots).map(|slot| std::array::from_fn(|price| request(slot, price))).collect()
    }

    /// The paths of the week after `samples`, and the record of each price.
    fn conclude(&self, samples: &Samples) -> (Vec<Vec<f64>>, Vec<RequestRecord>) {
        let known = samples.before(0);
        let after = |ahead: i64| self.together(&day_after(&known, ahead));
        let slots: Vec<PerPrice> = (0..WEEK).flat_map(after).collect();
        let path = |price: usize| slots.iter().map(|slot| slot[price]).collect();
        let share = |sum: f64, of: f64| if of > 0.0 { sum / of } else { 0.0 };
        let record = |price: usize| RequestRecord {
            price: RISK_PRICES[price],
            overhead: share(self.requested[price], self.used),
            above: share(self.above[price], self.seen),
            days: self.days,
        };
        let prices = 0..RISK_PRICES.len();
        (prices.clone().map(path).collect(), prices.map(record).collect())
    }
}

/// Of one day: the sum of the requests, samples above, their sum, and their number.
fn outcome(path: &[PerPrice], price: usize, actual: &[&[f64]]) -> (f64, f64, f64, f64) {
    let mut total = (0.0, 0.0, 0.0, 0.0);
    for (request, seen) in path.iter().zip(actual) {
        total.0 += request[price];
        total.1 += seen.iter().filter(|&&value| value > request[price]).count() as f64;
        total.2 += seen.iter().sum::<f64>();
        total.3 += seen.len() as f64;
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::made::{FIRST, noise, series};

    fn fitted(days: i64, value: impl Fn(i64) -> Option<f64>) -> Requests {
        Requests::fit(&series(days, value), Step::HOUR, FIRST + days * 24).unwrap()
    }

    #[test]
    fn a_dearer_shortage_gives_higher_requests() {
        let requests = fitted(21, |n| Some(50.0 + (n % 24) as f64 + 5.0 * noise(n)));
        let mut sums =
            RISK_PRICES.map(|p| requests.path(requests.first, 24, p).iter().sum::<f64>());
        assert!(sums.is_sorted(), "{sums:?}");
        sums[0] = requests.path(requests.first, 24, 113.0).iter().sum();
        assert!(sums[0] > sums[2] && sums[0] < sums[3], "{sums:?}");
        let shares: Vec<f64> = requests.records().iter().map(|record| record.above).collect();
        assert!(shares.is_sorted_by(|a, b| a >= b), "{shares:?}");
        assert!(
            shares[2] < 0.03 && requests.records()[2].overhead < 1.5,
            "{:?}",
            requests.records()
        );
    }

    #[test]
    fn bursts_are_covered_where_they_come_at_a_known_hour_only() {
        let burst = |n: i64| n % 24 == 6 || (n / 24 % 9 == 0 && (n * 7) % 24 == 10);
        let requests = fitted(27, |n| Some(if burst(n) { 100.0 } else { 10.0 } + noise(n).abs()));
        let path = requests.path(requests.first, 24, 40.0);
        assert!(path[6] > 100.0, "{path:?}");
        assert!(path[12] < 40.0, "{path:?}");
    }

    #[test]
    fn an_hour_is_requested_again_a_week_later() {
        let requests = fitted(15, |n| Some((n % 168) as f64 + 1.0));
        let far = requests.path(requests.first + 168 + 5, 2, DEFAULT_RISK_PRICE);
        assert_eq!(far, requests.path(requests.first + 5, 2, DEFAULT_RISK_PRICE));
        assert!(requests.is_sound(24, requests.first));
    }

    #[test]
    fn constants_zeros_and_gaps_are_requested_as_they_are() {
        for level in [0.0, 7.0] {
            let requests = fitted(6, |n| (n % 5 != 0).then_some(level));
            let path = requests.path(requests.first, 24, DEFAULT_RISK_PRICE);
            assert!(path.iter().all(|v| *v >= level && *v <= 2.0 * level), "{path:?}");
        }
        assert!(Requests::fit(&series(2, |_| Some(1.0)), Step::HOUR, FIRST + 48).is_none());
    }
}
