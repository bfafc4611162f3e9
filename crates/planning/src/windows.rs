//! Series reduced to five-minute windows, keyed so that two series can be compared.

use std::collections::BTreeMap;

use mora_core::{Series, Step};

/// Width of a window in seconds: short enough to follow the load, long enough to count calls.
pub(crate) const WINDOW_SECONDS: u32 = 300;

/// The mean of `series` in each window that holds an observation, by the window's start in Unix seconds.
pub(crate) fn window_means(series: &Series) -> BTreeMap<i64, f64> {
    let width = Step::from_seconds(WINDOW_SECONDS).unwrap_or(Step::MINUTE);
    let (origin, slots) = series.slots(width);
    let start_of = |index: usize| origin.as_second() + index as i64 * i64::from(width.seconds());
    slots
        .iter()
        .enumerate()
        .filter_map(|(index, slot)| Some((start_of(index), slot.as_ref()?.mean)))
        .collect()
}

/// The pairs of values at the windows both have.
pub(crate) fn paired(a: &BTreeMap<i64, f64>, b: &BTreeMap<i64, f64>) -> Vec<(f64, f64)> {
    a.iter().filter_map(|(at, x)| Some((*x, *b.get(at)?))).collect()
}

/// As [`paired`], each pair behind the start of its window.
pub(crate) fn paired_by_time(
    a: &BTreeMap<i64, f64>,
    b: &BTreeMap<i64, f64>,
) -> Vec<(i64, f64, f64)> {
    a.iter().filter_map(|(at, x)| Some((*at, *x, *b.get(at)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn windows_line_up_by_clock_and_leave_gaps_out() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let minutes = |start, values: Vec<Option<f64>>| {
            window_means(&Series::new(at(start), Step::MINUTE, values).unwrap())
        };
        let long = minutes(0, [vec![Some(1.0); 5], vec![None; 5], vec![Some(3.0); 5]].concat());
        let late = minutes(300, vec![Some(7.0); 10]);
        assert_eq!(long.keys().copied().collect::<Vec<_>>(), [0, 600]);
        assert_eq!(paired(&long, &late), [(3.0, 7.0)]);
    }
}
