//! The ratio of one edge, and how it varies.

use jiff::Timestamp;
use mora_core::{CallRatio, Drift, Trust, empirical_quantile};

use super::drift::last_change;
use super::pairs::{Pairs, Window};

/// Below this many calls in a typical window the median of windows is below the mean of their counts.
const COUNTABLE_CALLS: f64 = 100.0;
/// A window this old counts half.
const HALF_LIFE_SECONDS: f64 = 3.0 * 86_400.0;
/// Samples over which the load and the ratio hardly move, while their noise shows.
const LOCAL_SAMPLES: i64 = 30;
/// Noise of counting does not last this many windows, even where rates are smoothed over one.
const LASTING_WINDOWS: i64 = 2;

/// The ratio that `pairs` show; `None` without traffic of the caller.
///
/// The newer a window, the more it counts, and what came before a lasting change counts nothing.
pub(super) fn measured(pairs: &Pairs) -> Option<CallRatio> {
    let (pairs, drift) = after_last_change(pairs);
    let ratio = typical(&pairs.windows(), pairs.step)?;
    Some(CallRatio { drift, ..describe(&pairs, ratio, Trust::Measured) })
}

fn after_last_change(pairs: &Pairs) -> (Pairs, Option<Drift>) {
    match last_change(&pairs.windows(), pairs.width()) {
        Some(change) => {
            let since = Timestamp::from_second(change.at).unwrap_or(Timestamp::MIN);
            (pairs.since(change.at), Some(Drift { since, before: change.before }))
        }
        None => (pairs.clone(), None),
    }
}

/// How calls at `ratio` vary in `pairs`.
pub(super) fn describe(pairs: &Pairs, ratio: f64, trust: Trust) -> CallRatio {
    let windows = pairs.windows();
    let mut ratios: Vec<f64> = windows.iter().map(Window::ratio).collect();
    ratios.sort_by(f64::total_cmp);
    let quantile = |probability| empirical_quantile(&ratios, probability).unwrap_or(ratio);
    CallRatio {
        ratio,
        spread: spread(&windows, pairs.width(), ratio),
        dispersion: dispersion(pairs, ratio).max(least_dispersion(ratio)),
        q10: quantile(0.1),
        q90: quantile(0.9),
        windows: windows.len() as u32,
        trust,
        drift: None,
    }
}

/// What a window at `at` counts, where one at `newest` counts 1.
pub(super) fn decay(at: i64, newest: i64) -> f64 {
    (-((newest - at) as f64) / HALF_LIFE_SECONDS).exp2()
}

/// The decayed median of the windows' ratios, which a glitch does not move; of rare calls the decayed
/// mean, because the median of small counts is below it.
fn typical(windows: &[Window], step: u32) -> Option<f64> {
    let newest = windows.last()?.at;
    let weight = |window: &Window| decay(window.at, newest);
    let calls: f64 = windows.iter().map(|w| w.calls).sum();
    if calls / windows.len() as f64 * f64::from(step) >= COUNTABLE_CALLS {
        return Some(median(windows.iter().map(|w| (w.ratio(), weight(w))).collect()));
    }
    let sum = |of: fn(&Window) -> f64| windows.iter().map(|w| weight(w) * of(w)).sum::<f64>();
    Some(sum(|w| w.calls) / sum(|w| w.rate))
}

/// The value that has half the weight on either side; of a pair (value, weight) at least one is there.
fn median(mut values: Vec<(f64, f64)>) -> f64 {
    values.sort_by(|a, b| a.0.total_cmp(&b.0));
    let half = values.iter().map(|(_, weight)| weight).sum::<f64>() / 2.0;
    let mut below = 0.0;
    let reached = values.iter().position(|(_, weight)| {
        below += weight;
        below >= half
    });
    values[reached.unwrap_or(0)].0
}

/// The lasting part of the ratio's movement: noise of counting is another one every window, so only
/// what two windows apart have in common is the ratio's own.
fn spread(windows: &[Window], width: i64, ratio: f64) -> f64 {
    let residual = |w: &Window| (w.calls - ratio * w.rate) / w.samples;
    let (mut common, mut rates, mut later) = (0.0, 0.0, 0);
    for window in windows {
        let wanted = window.at + LASTING_WINDOWS * width;
        while windows.get(later).is_some_and(|w| w.at < wanted) {
            later += 1;
        }
        let Some(other) = windows.get(later).filter(|w| w.at == wanted) else { continue };
        common += residual(window) * residual(other);
        rates += window.rate * other.rate / (window.samples * other.samples);
    }
    if rates > 0.0 { (common / rates).max(0.0).sqrt() } else { 0.0 }
}

/// The variance of calls in one sample beyond what the caller's own variance gives them, over what
/// independent calls would have.
///
/// That is `Var(calls) - ratio^2 Var(rate)`, taken within spans too short for load or ratio to move, so
/// that adding it to the caller's variance gives back the variance that was observed.
fn dispersion(pairs: &Pairs, ratio: f64) -> f64 {
    let width = LOCAL_SAMPLES.max(3600 / i64::from(pairs.step)) * i64::from(pairs.step);
    let (mut beyond, mut calls, mut spans) = (0.0, 0.0, pairs.sums(width).into_iter().peekable());
    let mut samples = pairs.samples.as_slice();
    while let Some(span) = spans.next() {
        let (of_span, rest) = samples.split_at(span.samples as usize);
        samples = rest;
        if span.samples < 2.0 {
            continue;
        }
        let mean = |sum: f64| sum / span.samples;
        let beyond_here = |s: &super::pairs::Sample| {
            (s.calls - mean(span.calls)).powi(2) - (ratio * (s.rate - mean(span.rate))).powi(2)
        };
        let unbiased = span.samples / (span.samples - 1.0);
        beyond += unbiased * of_span.iter().map(beyond_here).sum::<f64>();
        calls += span.calls;
    }
    if calls > 0.0 { beyond * f64::from(pairs.step) / calls } else { 1.0 }
}

/// What whole calls force: a request makes 0 or 1 call where the ratio is between, and as many as the
/// others where it is whole.
fn least_dispersion(ratio: f64) -> f64 {
    let fraction = ratio.fract();
    if ratio > 0.0 { fraction * (1.0 - fraction) / ratio } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::pairs::Sample;

    fn pairs(days: i64, sample: impl Fn(i64) -> (f64, f64)) -> Pairs {
        let samples = (0..days * 1440).map(|minute| {
            let (rate, calls) = sample(minute);
            Sample { at: minute * 60, rate, calls }
        });
        Pairs { step: 60, samples: samples.collect() }
    }

    /// Noise of mean 0 and standard deviation 1, another one for every `seed` and minute.
    fn noise(minute: i64, seed: u64) -> f64 {
        let uniform = |salt: u64| {
            let mixed =
                (minute as u64 ^ (seed << 40) ^ (salt << 50)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let mixed = (mixed ^ (mixed >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            (mixed ^ (mixed >> 29)) as f64 / u64::MAX as f64
        };
        (0..12).map(uniform).sum::<f64>() - 6.0
    }

    #[test]
    fn the_variance_of_calls_is_that_of_the_caller_and_of_their_dispersion_together() {
        let found = measured(&pairs(2, |m| {
            let rate = 20.0 + 5.0 * (m as f64 / 229.0).sin() + 0.8 * noise(m, 1);
            (rate, 2.0 * (20.0 + 5.0 * (m as f64 / 229.0).sin()) + 2.0 * noise(m, 2))
        }))
        .unwrap();
        let expected = (4.0 - 4.0 * 0.64) * 60.0 / 40.0;
        assert!((found.dispersion / expected - 1.0).abs() < 0.2, "{}", found.dispersion);
        assert!(found.spread < 0.02 && (found.ratio - 2.0).abs() < 0.01, "{found:?}");
    }

    #[test]
    fn a_ratio_that_moves_with_the_day_has_a_spread_and_one_that_is_counted_has_none() {
        let moving =
            |m: i64| 1.0 + 0.1 * 2f64.sqrt() * (m as f64 * std::f64::consts::TAU / 1440.0).sin();
        let found = measured(&pairs(4, |m| (10.0, 10.0 * moving(m) + noise(m, 3)))).unwrap();
        assert!((found.spread - 0.1).abs() < 0.01, "{}", found.spread);
        assert!(found.q10 < 0.88 && found.q90 > 1.12 && found.drift.is_none(), "{found:?}");
        let counted = measured(&pairs(4, |m| (10.0, 10.0 + noise(m, 4)))).unwrap();
        assert!(counted.spread < 0.02, "{}", counted.spread);
    }

    #[test]
    fn calls_that_follow_every_request_are_as_even_as_whole_calls_allow() {
        let found =
            measured(&pairs(1, |m| (10.0 + noise(m, 5), 2.0 * (10.0 + noise(m, 5))))).unwrap();
        assert!(found.dispersion < 1e-9);
        let found =
            measured(&pairs(1, |m| (10.0 + noise(m, 5), 0.25 * (10.0 + noise(m, 5))))).unwrap();
        assert!((found.dispersion - 0.75).abs() < 1e-9);
    }

    #[test]
    fn a_callee_so_rare_that_most_windows_are_empty_keeps_its_mean_ratio() {
        let found = measured(&pairs(1, |m| (10.0, if m % 25 == 0 { 0.5 } else { 0.0 }))).unwrap();
        assert!((found.ratio / 0.002 - 1.0).abs() < 0.01, "{}", found.ratio);
    }

    #[test]
    fn the_last_days_count_most() {
        let found =
            measured(&pairs(10, |m| (10.0, if m < 7 * 1440 { 10.0 } else { 11.0 }))).unwrap();
        assert!((found.ratio - 1.1).abs() < 1e-9 && found.drift.is_none(), "{found:?}");
    }

    #[test]
    fn a_lasting_change_shortens_the_history_to_what_came_after_it() {
        let since = 5 * 1440 + 600;
        let found = measured(&pairs(6, |m| (10.0, if m < since { 8.0 } else { 12.0 }))).unwrap();
        let drift = found.drift.unwrap();
        assert!((found.ratio - 1.2).abs() < 1e-9 && (drift.before - 0.8).abs() < 1e-9);
        assert_eq!((drift.since.as_second(), found.windows), (since * 60, 168));
    }
}
