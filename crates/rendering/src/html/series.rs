//! Usage in few enough points to draw and to carry.

use jiff::Timestamp;
use serde::Serialize;

/// Points of a series at most: about as many as the pixels of a plot can tell apart.
const POINTS: i64 = 336;

/// A regular series: start and step in seconds, and a value for each step.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Compact {
    /// Start in seconds since the epoch.
    s: i64,
    /// Step in seconds.
    d: i64,
    /// Largest value of each step, `None` where there is none.
    v: Vec<Option<f64>>,
}

/// The points as a regular series of the largest value in each step, divided by `unit`; `None` without a point.
///
/// A step is as long as the shortest distance of two points, or as long as it takes to get by with few enough.
pub(super) fn compact(points: &[(Timestamp, f64)], unit: f64) -> Option<Compact> {
    let mut known: Vec<(i64, f64)> =
        points.iter().map(|(time, value)| (time.as_second(), *value)).collect();
    known.retain(|(_, value)| value.is_finite());
    known.sort_by_key(|(time, _)| *time);
    let (first, last) = (known.first()?.0, known.last()?.0);
    let apart = known.windows(2).map(|pair| pair[1].0 - pair[0].0).filter(|apart| *apart > 0).min();
    let shortest = apart.unwrap_or(3600);
    let step = shortest.max((last - first).div_euclid(POINTS - 1) + 1);
    let step = if (last - first) / shortest < POINTS { shortest } else { step };
    let mut values = vec![None; ((last - first) / step + 1) as usize];
    for (time, value) in known {
        let slot: &mut Option<f64> = &mut values[((time - first) / step) as usize];
        *slot = Some(slot.unwrap_or(0.0).max(four_digits(value / unit)));
    }
    Some(Compact { s: first, d: step, v: values })
}

/// The value to four significant digits, which no plot can tell from the value.
fn four_digits(value: f64) -> f64 {
    if value <= 0.0 {
        return 0.0;
    }
    let scale = 10f64.powi(3 - value.log10().floor() as i32);
    (value * scale).round() / scale
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[(i64, f64)]) -> Vec<(Timestamp, f64)> {
        values.iter().map(|(s, v)| (Timestamp::from_second(*s).unwrap(), *v)).collect()
    }

    #[test]
    fn a_gap_stays_a_gap() {
        let made = compact(&points(&[(0, 1.0), (60, 2.0), (240, 3.0)]), 1.0).unwrap();
        assert_eq!(
            made,
            Compact { s: 0, d: 60, v: vec![Some(1.0), Some(2.0), None, None, Some(3.0)] }
        );
        assert_eq!(compact(&[], 1.0), None);
    }

    #[test]
    fn a_long_series_keeps_its_peaks() {
        let mut values: Vec<(i64, f64)> = (0..10_080).map(|minute| (minute * 60, 1.0)).collect();
        values[5_000].1 = 9.0;
        let made = compact(&points(&values), 1.0).unwrap();
        assert!(made.v.len() <= POINTS as usize, "{}", made.v.len());
        assert!(made.v.contains(&Some(9.0)));
        assert!(made.v.iter().all(Option::is_some));
    }

    #[test]
    fn values_have_four_digits() {
        for (value, rounded) in
            [(0.123_456, 0.1235), (12_345.6, 12_350.0), (0.0, 0.0), (1e-9, 1e-9)]
        {
            assert!((four_digits(value) - rounded).abs() <= rounded * 1e-12, "{value}");
        }
    }
}
