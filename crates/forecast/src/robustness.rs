//! What models and single members make of outliers, level shifts, flat lines and short histories, with numbers.

use std::ops::ControlFlow;

use jiff::Timestamp;
use mora_core::{Quantile, Rung, Series, Step};

use crate::members::Member;
use crate::members::made::{FIRST, noise, series};
use crate::{DEFAULT_RISK_PRICE, FitError, FitOptions, SignalModel, fit};

fn wave(n: i64) -> f64 {
    let turn = std::f64::consts::TAU * (n % 24) as f64 / 24.0;
    100.0 + 40.0 * turn.sin() + 2.0 * noise(n)
}

fn hour(n: i64) -> Timestamp {
    Timestamp::from_second((FIRST + n) * 3600).unwrap()
}

fn fitted(series: &Series) -> SignalModel {
    fit(series, &FitOptions::default(), &mut |_| ControlFlow::Continue(())).unwrap()
}

fn alone(member: Member, series: &Series) -> SignalModel {
    let options = FitOptions { members: [member].into(), ..FitOptions::default() };
    fit(series, &options, &mut |_| ControlFlow::Continue(())).unwrap()
}

/// The paths of 0.5, 0.95 and 0.99 for `slots` hours after `days` days.
fn paths(model: &SignalModel, days: i64, slots: usize) -> [Vec<f64>; 3] {
    let quantiles = [0.5, 0.95, 0.99].map(|q| Quantile::new(q).unwrap());
    let forecast = model.forecast(hour(days * 24), slots, &quantiles).unwrap();
    quantiles.map(|quantile| forecast.paths[&quantile].clone())
}

/// `days` days of samples of 5 minutes, of which sample `n` holds `value(n)`.
fn fives(days: i64, value: impl Fn(i64) -> f64) -> Series {
    let values = (0..days * 288).map(|n| Some(value(n))).collect();
    Series::new(hour(0), Step::from_seconds(300).unwrap(), values).unwrap()
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[test]
fn one_sample_of_1000_times_sets_no_quantile_and_no_request_of_the_next_week() {
    let clean = |n: i64| wave(n / 12) + noise(n);
    let with = |n: i64| clean(n) * if n == 12 * 288 + 218 { 1000.0 } else { 1.0 };
    let most = (0..14 * 288).map(clean).fold(0.0, f64::max);
    let [clean, with] = [fitted(&fives(14, clean)), fitted(&fives(14, with))];
    for (before, after) in paths(&clean, 14, 168).iter().zip(paths(&with, 14, 168)) {
        assert!(mean(&after) < 1.03 * mean(before), "{} after {}", mean(&after), mean(before));
        assert!(after.iter().all(|value| *value < 1.2 * most), "{after:?}");
    }
    let requests = |model: &SignalModel| model.requests(hour(14 * 24), 168, DEFAULT_RISK_PRICE);
    let [before, after] = [requests(&clean).unwrap(), requests(&with).unwrap()];
    assert!(mean(&after) < 1.03 * mean(&before), "{} after {}", mean(&after), mean(&before));
}

#[test]
fn a_burst_that_comes_every_day_is_still_forecast() {
    let burst = |n: i64| if n % 288 == 39 { 3000.0 } else { wave(n / 12) + noise(n) };
    let model = fitted(&fives(14, burst));
    let [_, upper, top] = paths(&model, 14, 24);
    assert!(upper[3] > 2900.0 && top[3] > 2900.0, "{upper:?}");
    assert!(top[12] < 300.0, "{top:?}");
    // Five minutes of an hour are a twelfth of its samples: covering them pays from a price of 12 * 29 on.
    let requests = model.requests(hour(14 * 24), 24, 640.0).unwrap();
    assert!(requests[3] > 2900.0 && requests[12] < 300.0, "{requests:?}");
}

/// By which share the mean of the next day's medians is off, `days` days after the level changed by `factor`.
fn off(model: impl Fn(&Series) -> SignalModel, factor: f64, days: i64) -> f64 {
    let level = |n: i64| if n < 21 * 24 { 1.0 } else { factor };
    let seen = series(21 + days, |n| Some(level(n) * wave(n)));
    mean(&paths(&model(&seen), 21 + days, 24)[0]) / (100.0 * factor) - 1.0
}

#[test]
fn a_level_shift_is_followed_by_the_ensemble_within_three_days() {
    for factor in [2.0, 0.5] {
        let off = off(fitted, factor, 3);
        assert!(off.abs() < 0.02, "off by {off} after a factor of {factor}");
    }
}

#[test]
fn a_level_shift_is_followed_by_smoothing_in_three_days_by_prophet_in_seven_and_by_the_lstm_in_ten()
{
    let due = [
        (Member::HourOfWeek, 3, 0.02),
        (Member::HoltWinters, 3, 0.05),
        (Member::Prophet, 7, 0.05),
        (Member::Lstm, 10, 0.1),
    ];
    for (member, days, most) in due {
        for factor in [2.0, 0.5] {
            let off = off(|seen| alone(member, seen), factor, days);
            assert!(off.abs() < most, "{member:?} is off by {off} after a factor of {factor}");
        }
    }
}

#[test]
fn a_flat_line_and_zeros_are_forecast_by_every_member_as_they_are() {
    for level in [0.0, 7.0] {
        let seen = series(21, |_| Some(level));
        for member in Member::ALL {
            for path in paths(&alone(member, &seen), 21, 24) {
                let close = |value: &f64| (value - level).abs() <= 1e-3 * level;
                assert!(path.iter().all(close), "{member:?}: {path:?}");
            }
        }
    }
}

#[test]
fn a_workload_that_was_stopped_a_week_ago_is_forecast_near_nothing() {
    let model = fitted(&series(21, |n| Some(if n < 14 * 24 { wave(n) } else { 0.0 })));
    let [median, upper, _] = paths(&model, 21, 24);
    assert!(mean(&median) < 1.0, "{median:?}");
    assert!(mean(&upper) < 60.0, "{upper:?}");
}

#[test]
fn some_hours_are_refused_with_what_is_missing() {
    for hours in [1, 6, 23] {
        let short = series(1, |n| (n < hours).then_some(1.0));
        let error = fit(&short, &FitOptions::default(), &mut |_| ControlFlow::Continue(()));
        let Err(error @ FitError::TooLittleHistory { .. }) = error else {
            panic!("{hours} h gave {error:?}")
        };
        assert!(error.to_string().starts_with(&format!("too little history: {hours} h of 24 h")));
    }
}

#[test]
fn a_day_is_answered_by_its_quantiles_for_all_hours() {
    let model = fitted(&series(1, |n| Some(wave(n))));
    assert_eq!((model.summary().rung, model.summary().skill.origins), (Rung::Statistical, 0));
    let [median, upper, top] = paths(&model, 1, 24);
    assert!((median[0] - 100.0).abs() < 12.0 && (upper[0] - 140.0).abs() < 8.0, "{upper:?}");
    assert!(top.iter().all(|value| (value - top[0]).abs() < 1e-12 && *value < 150.0), "{top:?}");
}

#[test]
fn three_days_are_answered_by_the_hour_without_a_back_test() {
    let model = fitted(&series(3, |n| Some(wave(n))));
    assert_eq!((model.summary().rung, model.summary().skill.origins), (Rung::HourOfWeek, 0));
    let [median, _, top] = paths(&model, 3, 24);
    assert!((median[6] - 140.0).abs() < 8.0 && (median[18] - 60.0).abs() < 8.0, "{median:?}");
    assert!(top[18] < 100.0, "{top:?}");
}

#[test]
fn five_days_have_a_back_test_of_two_and_two_weeks_one_of_seven() {
    for (days, origins) in [(5, 2), (14, 7)] {
        let model = fitted(&series(days, |n| Some(wave(n))));
        let summary = model.summary();
        assert_eq!(summary.skill.origins, origins, "{days} days");
        assert!(summary.rung < Rung::Statistical, "{days} days: {summary:?}");
        let [median, upper, _] = paths(&model, days, 24);
        assert!((median[6] - 140.0).abs() < 6.0 && (median[18] - 60.0).abs() < 6.0, "{median:?}");
        assert!(upper[6] < 155.0, "{upper:?}");
    }
}
