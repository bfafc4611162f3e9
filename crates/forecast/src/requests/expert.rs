//! What each expert requests: the least cost under its own weighing of earlier days.

use super::samples::Known;
use super::{PerPrice, RISK_PRICES};

/// How earlier days are weighed and their values spread.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expert {
    /// Whether all slots of a day are taken together.
    flat: bool,
    /// Share a day keeps of its weight per day.
    pace: f64,
    /// How many times more the same weekday counts.
    weekday: f64,
    /// Standard deviation of the factor between an earlier value and a coming one, as a logarithm.
    spread: f64,
    /// Whether earlier values are carried to the level of the last day.
    carries: bool,
}

/// All combinations that were worth keeping of a wider grid (docs/forecasting.md).
pub(super) const EXPERTS: [Expert; 16] = [
    seasonal(0.85, 4.0, 0.05, false),
    seasonal(0.85, 4.0, 0.15, false),
    seasonal(0.85, 4.0, 0.3, false),
    seasonal(0.95, 16.0, 0.05, false),
    seasonal(0.95, 16.0, 0.15, false),
    seasonal(0.95, 16.0, 0.3, false),
    seasonal(0.85, 4.0, 0.05, true),
    seasonal(0.85, 4.0, 0.15, true),
    seasonal(0.85, 4.0, 0.3, true),
    seasonal(0.95, 16.0, 0.05, true),
    seasonal(0.95, 16.0, 0.15, true),
    seasonal(0.95, 16.0, 0.3, true),
    flat(0.7, 0.05),
    flat(0.7, 0.4),
    flat(0.95, 0.05),
    flat(0.95, 0.4),
];

const fn seasonal(pace: f64, weekday: f64, spread: f64, carries: bool) -> Expert {
    Expert { flat: false, pace, weekday, spread, carries }
}

const fn flat(pace: f64, spread: f64) -> Expert {
    Expert { flat: true, pace, weekday: 1.0, spread, carries: false }
}

/// Days that are looked back on.
const DAYS: i64 = 28;
/// Bounds of the ratio of levels that is carried forward.
const CARRIED: (f64, f64) = (0.3, 3.0);
/// A Gaussian in four equal parts, in standard deviations.
const PARTS: [f64; 4] = [1.5, 0.5, -0.5, -1.5];

/// A sample of an earlier day: its value and how many days before the slot it lies.
type Sample = (f64, i64);

/// Per expert, its requests for each slot of the day that starts `ahead` days after what is known.
pub(super) fn day_after(known: &Known<'_>, ahead: i64) -> Vec<Vec<PerPrice>> {
    let all = Evidence::of_day(known, ahead);
    let by_slot: Vec<Evidence> =
        (0..known.day()).map(|phase| Evidence::of_slot(known, phase, ahead)).collect();
    let request = |expert: &Expert, evidence: &Evidence| evidence.request(expert, known.usage());
    EXPERTS
        .iter()
        .map(|expert| {
            if expert.flat {
                return vec![request(expert, &all); known.day()];
            }
            let own = |evidence| request(expert, evidence);
            by_slot.iter().map(|e| own(if e.plain.is_empty() { &all } else { e })).collect()
        })
        .collect()
}

/// Earlier samples in descending order, as they are and carried to the last day's level.
struct Evidence {
    plain: Vec<Sample>,
    carried: Vec<Sample>,
}

impl Evidence {
    fn of_slot(known: &Known<'_>, phase: usize, ahead: i64) -> Self {
        Self::collect(known, ahead, |back| known.slot(phase, back).to_vec())
    }

    fn of_day(known: &Known<'_>, ahead: i64) -> Self {
        Self::collect(known, ahead, |back| {
            (0..known.day()).flat_map(|phase| known.slot(phase, back)).copied().collect()
        })
    }

    fn collect(known: &Known<'_>, ahead: i64, seen: impl Fn(i64) -> Vec<f64>) -> Self {
        let now = known.level(1);
        let (mut plain, mut carried) = (Vec::new(), Vec::new());
        for back in 1..=known.days().min(DAYS) {
            let factor = carry(now, known.level(back));
            for value in seen(back) {
                plain.push((value, back + ahead));
                carried.push((factor * value, back + ahead));
            }
        }
        for samples in [&mut plain, &mut carried] {
            samples.sort_by(|a, b| b.0.total_cmp(&a.0));
        }
        Self { plain, carried }
    }

    /// The request of least cost for every price, where usage is `unit`.
    fn request(&self, expert: &Expert, unit: f64) -> PerPrice {
        let samples = if expert.carries { &self.carried } else { &self.plain };
        let weight = |&(value, days): &Sample| {
            let same = if days % 7 == 0 { expert.weekday } else { 1.0 };
            (value, same * expert.pace.powi(days as i32))
        };
        least_cost(&samples.iter().map(weight).collect::<Vec<_>>(), expert.spread, unit)
    }
}

/// How much of the ratio of levels is carried forward, as an exponent: part of a change is gone the next day.
const CARRY: f64 = 0.7;

/// What a value of a day at level `then` is multiplied by to stand for one at level `now`.
fn carry(now: Option<f64>, then: Option<f64>) -> f64 {
    match (now, then) {
        (Some(now), Some(then)) if now > 0.0 && then > 0.0 => {
            (now / then).clamp(CARRIED.0, CARRIED.1).powf(CARRY)
        }
        _ => 1.0,
    }
}

/// The request of least `request + price * unit * share above it` for every price.
///
/// `samples` are values in descending order with weights; each stands for four, spread by [`PARTS`] of `spread`. The
/// best request is always one of them, so they are passed through once from the top.
fn least_cost(samples: &[(f64, f64)], spread: f64, unit: f64) -> PerPrice {
    let total: f64 = samples.iter().map(|sample| sample.1).sum::<f64>() * PARTS.len() as f64;
    let factors = PARTS.map(|part| (spread * part).exp());
    let mut next = [0_usize; PARTS.len()];
    let (mut best, mut least, mut above) =
        ([0.0; RISK_PRICES.len()], [f64::INFINITY; RISK_PRICES.len()], 0.0);
    while let Some((part, value)) = highest(samples, &factors, &next) {
        let risk = unit * above / total;
        for (price, (best, least)) in RISK_PRICES.iter().zip(best.iter_mut().zip(&mut least)) {
            let cost = value + price * risk;
            if cost < *least {
                (*best, *least) = (value, cost);
            }
        }
        // No cheaper request is left once the risk alone costs more than the dearest path.
        if RISK_PRICES[0] * risk > least[RISK_PRICES.len() - 1] {
            break;
        }
        above += samples[next[part]].1;
        next[part] += 1;
    }
    best
}

/// The part whose next value is highest, and that value; `None` when all are passed.
fn highest(samples: &[(f64, f64)], factors: &[f64; 4], next: &[usize; 4]) -> Option<(usize, f64)> {
    let candidates = next.iter().zip(factors).enumerate();
    candidates
        .filter_map(|(part, (&index, factor))| Some((part, samples.get(index)?.0 * factor)))
        .reduce(|a, b| if b.1 > a.1 { b } else { a })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The cost of `request` under the spread samples, computed the long way.
    fn cost(samples: &[(f64, f64)], spread: f64, unit: f64, price: f64, request: f64) -> f64 {
        let total: f64 = samples.iter().map(|s| s.1).sum();
        let above = PARTS.iter().flat_map(|part| {
            samples.iter().filter(move |s| s.0 * (spread * part).exp() > request).map(|s| s.1)
        });
        request + price * unit * above.sum::<f64>() / (total * PARTS.len() as f64)
    }

    #[test]
    fn no_other_request_is_cheaper() {
        let samples = [(30.0, 1.0), (12.0, 2.0), (11.0, 2.0), (10.0, 4.0), (2.0, 1.0)];
        for spread in [0.05, 0.4] {
            let found = least_cost(&samples, spread, 5.0);
            for (price, request) in RISK_PRICES.into_iter().zip(found) {
                let least = cost(&samples, spread, 5.0, price, request);
                for tenth in 0..600 {
                    let other = cost(&samples, spread, 5.0, price, f64::from(tenth) / 10.0);
                    assert!(least <= other + 1e-9, "{request} at {price}, not {tenth} tenths");
                }
            }
        }
    }
}
