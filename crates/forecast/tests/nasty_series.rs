//! Whatever is observed, a fit is refused with a reason or answers with sound numbers.

use std::collections::BTreeMap;
use std::f64::consts::TAU;
use std::ops::ControlFlow;

use jiff::Timestamp;
use mora_core::{Quantile, Series, SignalForecast, Step};
use mora_forecast::{FitError, FitOptions, SignalModel, fit};
use proptest::prelude::*;

/// Steps of a series and widths of a slot, in seconds.
const STEPS: [u32; 5] = [15, 30, 60, 300, 900];
const SLOTS: [u32; 7] = [900, 1800, 3600, 3 * 3600, 6 * 3600, 12 * 3600, 24 * 3600];
/// Slots a series may have: an LSTM is trained from 168 slots on.
const MOST_SLOTS: f64 = 190.0;
const LONGEST_HOURS: f64 = 35.0 * 24.0;

/// What a series looks like.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Zeros,
    Flat,
    Wave,
    /// A counter that starts again from zero.
    Sawtooth {
        hours: f64,
    },
    /// Another level from a share of the series on.
    Shift {
        at: f64,
        factor: f64,
    },
    /// One value far above all others.
    Outlier {
        at: f64,
        factor: f64,
    },
    Rough,
}

#[derive(Debug, Clone)]
struct Nasty {
    shape: Shape,
    exponent: i32,
    slot: u32,
    step: u32,
    hours: f64,
    /// Share of steps that are missing one by one.
    holes: f64,
    /// First and last of a missing stretch, as shares of the series.
    outage: (f64, f64),
    seed: u64,
}

fn shape() -> impl Strategy<Value = Shape> {
    let share = 0.0..1.0;
    prop_oneof![
        Just(Shape::Zeros),
        Just(Shape::Flat),
        Just(Shape::Wave),
        Just(Shape::Rough),
        (0.5..60.0).prop_map(|hours| Shape::Sawtooth { hours }),
        (share.clone(), -6.0..6.0)
            .prop_map(|(at, power): (f64, f64)| Shape::Shift { at, factor: 10_f64.powf(power) }),
        (share, 0.0..9.0)
            .prop_map(|(at, power): (f64, f64)| Shape::Outlier { at, factor: 10_f64.powf(power) }),
    ]
}

fn nasty() -> impl Strategy<Value = Nasty> {
    let grid = (prop::sample::select(&SLOTS[..]), prop::sample::select(&STEPS[..]));
    let missing = (prop_oneof![Just(0.0), 0.0..0.9], (0.0..1.0, 0.0..0.5));
    (shape(), -12..=15, grid, 0.02..1.0, missing, any::<u64>()).prop_map(
        |(shape, exponent, (slot, step), length, (holes, (from, long)), seed)| {
            let most = LONGEST_HOURS.min(MOST_SLOTS * f64::from(slot) / 3600.0);
            let outage = (from, from + long);
            Nasty { shape, exponent, slot, step, hours: most * length, holes, outage, seed }
        },
    )
}

/// A number in [0, 1) that `seed` and `index` decide.
fn uniform(seed: u64, index: u64) -> f64 {
    let mut state = seed ^ index.wrapping_mul(0x9E37_79B9_7F4A_7C15);
    state = (state ^ (state >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    state = (state ^ (state >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((state ^ (state >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
}

impl Nasty {
    fn series(&self) -> Series {
        let start = Timestamp::from_second(1_767_225_600 + (self.seed % 86_400) as i64).unwrap();
        let count = (self.hours * 3600.0 / f64::from(self.step)) as u64;
        let values = (0..count).map(|i| self.value(i, i as f64 / count as f64)).collect();
        Series::new(start, Step::from_seconds(self.step).unwrap(), values).unwrap()
    }

    fn value(&self, index: u64, share: f64) -> Option<f64> {
        let out = (self.outage.0..self.outage.1).contains(&share);
        if out || uniform(!self.seed, index) < self.holes {
            return None;
        }
        let hour = self.hours * share;
        let wave = 1.5 + (TAU * hour / 24.0).sin() + 0.2 * uniform(self.seed, index);
        let value = match self.shape {
            Shape::Zeros => 0.0,
            Shape::Flat => 1.0,
            Shape::Wave => wave,
            Shape::Sawtooth { hours } => hour % hours,
            Shape::Shift { at, factor } => wave * if share < at { 1.0 } else { factor },
            Shape::Outlier { at, factor } => {
                wave * if index == (at * self.hours * 60.0) as u64 { factor } else { 1.0 }
            }
            Shape::Rough => 10_f64.powf(4.0 * uniform(self.seed, index)),
        };
        Some(value * 10_f64.powi(self.exponent))
    }
}

fn quantiles() -> Vec<Quantile> {
    [0.01, 0.1, 0.5, 0.9, 0.95, 0.99, 0.999].map(|q| Quantile::new(q).unwrap()).to_vec()
}

fn loaded(model: &SignalModel) -> SignalModel {
    let files = model.save().unwrap().into_iter();
    let files: BTreeMap<_, _> = files.map(|file| (file.name.to_owned(), file.bytes)).collect();
    SignalModel::load(&files).unwrap()
}

fn check(forecast: &SignalForecast, slots: usize) -> Result<(), TestCaseError> {
    let mut below = vec![0.0; slots];
    for (quantile, path) in &forecast.paths {
        prop_assert_eq!(path.len(), slots);
        for (value, below) in path.iter().zip(&mut below) {
            prop_assert!(value.is_finite(), "{} at {}", value, quantile);
            prop_assert!(*value >= *below, "{} below {} at {}", value, below, quantile);
            *below = *value;
        }
    }
    Ok(())
}

/// Six slots, or as many as 7 days have.
fn horizon(slot: Step) -> usize {
    6.min(7 * 86_400 / slot.seconds() as usize)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, max_shrink_iters: 60, ..ProptestConfig::default() })]

    #[test]
    fn a_fit_is_refused_for_its_length_or_answers_with_sound_numbers(nasty in nasty(), ahead in 0_u64..80) {
        let series = nasty.series();
        let slot = Step::from_seconds(nasty.slot).unwrap();
        let options =
            FitOptions { slot, horizon: horizon(slot), seed: nasty.seed, origins: 3, ..FitOptions::default() };
        let model = match fit(&series, &options, &mut |_| ControlFlow::Continue(())) {
            Ok(model) => model,
            Err(FitError::TooLittleHistory { .. }) => return Ok(()),
            Err(error) => return Err(TestCaseError::fail(format!("{error:?}"))),
        };
        let start = model.data_until() + slot.times(ahead as usize);
        let slots = 1 + (nasty.seed % 30) as usize % (7 * 86_400 / nasty.slot as usize);
        let forecast = model.forecast(start, slots, &quantiles()).unwrap();
        check(&forecast, slots)?;
        prop_assert_eq!(loaded(&model).forecast(start, slots, &quantiles()).unwrap(), forecast);
    }
}
