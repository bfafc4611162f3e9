//! From values to places along an axis, and the round values that are written at it.

/// How values lie along an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Scale {
    /// Evenly.
    Linear { min: f64, max: f64 },
    /// By their logarithm.
    Log { min: f64, max: f64 },
    /// By their logarithm from `floor` on, and evenly below it, so that there is a place for zero.
    Shelf { floor: f64, max: f64 },
    /// Hours, with lines by the quarter of a day or by the day.
    Hours { max: f64 },
}

/// The part of an axis with a shelf that is below the floor.
const SHELF: f64 = 0.14;

impl Scale {
    /// From zero, or less where a value is, to a round value above all.
    pub(crate) fn linear(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = range(values);
        let (low, high) = (low.min(0.0), high.max(0.0));
        let step = step(high - low);
        let (min, max) = ((low / step).floor() * step, (high / step).ceil() * step);
        Self::Linear { min, max: if max > min { max } else { min + step } }
    }

    /// Between 1, 2 or 5 times powers of ten around all values above zero.
    pub(crate) fn log(values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = range(values.into_iter().filter(|value| *value > 0.0));
        if low > high {
            return Self::Log { min: 0.1, max: 1.0 };
        }
        let max = rounded(high, f64::ceil);
        let min = rounded(low, f64::floor);
        Self::Log { min: if min < max { min } else { max / 10.0 }, max }
    }

    /// Down to `floor` by the logarithm.
    pub(crate) fn shelf(floor: f64, values: impl IntoIterator<Item = f64>) -> Self {
        let (_, high) = range(values);
        Self::Shelf { floor, max: rounded(high.max(floor * 10.0), f64::ceil) }
    }

    /// Where `value` lies from the beginning, 0, to the end, 1; what is beyond an end is at it.
    pub(crate) fn share(self, value: f64) -> f64 {
        let between =
            |low: f64, high: f64| (value.max(f64::MIN_POSITIVE) / low).ln() / (high / low).ln();
        let share = match self {
            Self::Linear { min, max } => (value - min) / (max - min),
            Self::Log { min, max } => between(min, max),
            Self::Shelf { floor, .. } if value < floor => SHELF * value / floor,
            Self::Shelf { floor, max } => SHELF + (1.0 - SHELF) * between(floor, max),
            Self::Hours { max } => value / max,
        };
        share.clamp(0.0, 1.0)
    }

    /// Round values along it with what is written at them, at most about `most`.
    pub(crate) fn ticks(self, most: usize) -> Vec<(f64, String)> {
        let values: Vec<f64> = match self {
            Self::Linear { min, max } => {
                let mut step = step(max - min);
                while (max - min) / step > most as f64 {
                    step *= 2.0;
                }
                multiples(step, min, max)
            }
            Self::Log { min, max } => logarithmic(min, max, most),
            Self::Shelf { floor, max } => {
                [vec![0.0], logarithmic(floor, max, most.saturating_sub(1))].concat()
            }
            Self::Hours { max } => multiples(if max > 48.0 { 24.0 } else { 6.0 }, 0.0, max),
        };
        values.into_iter().map(|value| (value, written(value))).collect()
    }
}

fn range(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let finite = values.into_iter().filter(|value| value.is_finite());
    finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)))
}

/// 1, 2, 2.5 or 5 times a power of ten, about four of which make `length`.
fn step(length: f64) -> f64 {
    if !(length.is_finite() && length > 0.0) {
        return 1.0;
    }
    let rough = length / 5.0;
    let power = 10.0_f64.powf(rough.log10().floor());
    let factor = [1.0, 2.0, 2.5, 5.0].into_iter().find(|factor| factor * power >= rough * 0.999);
    factor.unwrap_or(10.0) * power
}

fn multiples(step: f64, min: f64, max: f64) -> Vec<f64> {
    let (first, last) = ((min / step - 1e-9).ceil() as i64, (max / step + 1e-9).floor() as i64);
    (first..=last).map(|count| count as f64 * step).collect()
}

/// The nearest 1, 2 or 5 times a power of ten on one side.
fn rounded(value: f64, side: fn(f64) -> f64) -> f64 {
    let power = 10.0_f64.powf(value.log10().floor());
    let factors = [1.0, 2.0, 5.0, 10.0];
    let up = side(0.5) > 0.5;
    let fits = |factor: &&f64| {
        if up { **factor * power >= value * 0.999 } else { **factor * power <= value * 1.001 }
    };
    let factor = if up { factors.iter().find(fits) } else { factors.iter().rev().find(fits) };
    factor.copied().unwrap_or(1.0) * power
}

/// All of 1, 2 and 5 times powers of ten, or only the powers where those are too many.
fn logarithmic(min: f64, max: f64, most: usize) -> Vec<f64> {
    let powers = min.log10().floor() as i32..=max.log10().ceil() as i32;
    let of = |factors: &[f64]| -> Vec<f64> {
        let all =
            powers.clone().flat_map(|power| factors.iter().map(move |f| f * 10.0_f64.powi(power)));
        all.filter(|value| (min * 0.999..=max * 1.001).contains(value)).collect()
    };
    let all = of(&[1.0, 2.0, 5.0]);
    if all.len() <= most { all } else { of(&[1.0]) }
}

/// As short as it can be said: at most three digits behind the point.
pub(crate) fn written(value: f64) -> String {
    let text = format!("{:.3}", value.abs());
    let text = text.trim_end_matches('0').trim_end_matches('.');
    // A dash as long as a digit instead of a hyphen.
    if value < 0.0 && text != "0" { format!("\u{2013}{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale) -> Vec<String> {
        scale.ticks(6).into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_at_round_numbers() {
        assert_eq!(labels(Scale::linear([3.0, 7.3])), ["0", "2", "4", "6", "8"]);
        assert_eq!(
            labels(Scale::linear([-0.03, 0.11])),
            ["\u{2013}0.05", "0", "0.05", "0.1", "0.15"]
        );
        assert_eq!(labels(Scale::log([0.04, 0.9])), ["0.02", "0.05", "0.1", "0.2", "0.5", "1"]);
        assert_eq!(labels(Scale::log([0.004, 90.0])), ["0.01", "0.1", "1", "10", "100"]);
        assert_eq!(labels(Scale::shelf(0.1, [0.0, 13.0])), ["0", "0.1", "1", "10"]);
        assert_eq!(labels(Scale::Hours { max: 24.0 }), ["0", "6", "12", "18", "24"]);
    }

    #[test]
    fn values_keep_their_order_along_every_axis_and_stay_on_it() {
        let scales = [Scale::linear([0.0, 9.0]), Scale::log([0.01, 9.0]), Scale::shelf(0.1, [9.0])];
        for scale in scales {
            let shares = [0.0, 0.05, 0.1, 0.3, 4.0, 9.0, 100.0].map(|value| scale.share(value));
            assert!(shares.is_sorted(), "{scale:?} {shares:?}");
            assert!(shares.iter().all(|share| (0.0..=1.0).contains(share)), "{shares:?}");
        }
        assert!(Scale::linear([]).share(0.0).abs() < 1e-12);
        assert!(Scale::log([]).share(1.0) <= 1.0);
    }
}
