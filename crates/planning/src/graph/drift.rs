//! Whether a call ratio has changed for good.

use super::pairs::Window;

/// A change below this share of the ratio is not worth forgetting for.
const LEAST_CHANGE: f64 = 0.2;
/// How long a change must last, in seconds.
const LASTING_SECONDS: i64 = 2 * 3600;
/// How many standard errors a change must exceed.
const CLEAR: f64 = 4.0;
/// More changes than this in one history are how the ratio is.
const MOST_CHANGES: usize = 8;
const HOUR: i64 = 3600;

/// A change of the ratio.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Change {
    /// Start of the first window after it, in Unix seconds.
    pub(super) at: i64,
    /// The ratio before it.
    pub(super) before: f64,
}

/// The last change of more than a fifth that has lasted for two hours, up to the newest window.
///
/// What differs from hours before but not from the same hours of days before is a season, not a change.
/// `width` is the windows' in seconds.
pub(super) fn last_change(windows: &[Window], width: i64) -> Option<Change> {
    let mut rest = windows;
    let mut found = None;
    for _ in 0..MOST_CHANGES {
        let Some((change, from)) = change(rest, width) else { break };
        found = Some(change);
        rest = &rest[from..];
    }
    found
}

/// The change between the two parts of `windows` that differ most, and where the second starts.
fn change(windows: &[Window], width: i64) -> Option<(Change, usize)> {
    let split = most_different(windows, width)?;
    let (before, after) = windows.split_at(split);
    let (earlier, later) = (ratio(before)?, ratio(after)?);
    let newest = &after[after.len().saturating_sub((LASTING_SECONDS / width) as usize)..];
    let up = later > earlier;
    let lasts = changed(earlier, later, up)
        && changed(earlier, ratio(newest)?, up)
        && in_same_hours(before, after, width).is_none_or(|(from, to)| changed(from, to, up));
    let clear = (later - earlier).abs() > CLEAR * error(before, after);
    (lasts && clear).then_some((Change { at: after[0].at, before: earlier }, split))
}

/// Whether a ratio moved by more than a fifth, in the direction asked for.
fn changed(from: f64, to: f64, up: bool) -> bool {
    (to > from) == up && (to - from).abs() > LEAST_CHANGE * from
}

/// The split into two parts of at least two hours that explains most of how the ratio varies.
fn most_different(windows: &[Window], width: i64) -> Option<usize> {
    let least = ((LASTING_SECONDS + width - 1) / width) as usize;
    let (calls, rates) = sums(windows);
    let (mut before, mut best) = ((0.0, 0.0), (0.0, None));
    for (index, window) in windows.iter().enumerate() {
        let apart = difference(before, (calls - before.0, rates - before.1));
        if index >= least && windows.len() - index >= least && apart > best.0 {
            best = (apart, Some(index));
        }
        before = (before.0 + window.calls, before.1 + window.rate);
    }
    best.1
}

/// The part of the squares that two parts of (calls, requests) explain by having a ratio each.
fn difference(a: (f64, f64), b: (f64, f64)) -> f64 {
    if a.1 <= 0.0 || b.1 <= 0.0 {
        return 0.0;
    }
    (a.0 / a.1 - b.0 / b.1).powi(2) * a.1 * b.1 / (a.1 + b.1)
}

fn sums(windows: &[Window]) -> (f64, f64) {
    windows.iter().fold((0.0, 0.0), |sum, w| (sum.0 + w.calls, sum.1 + w.rate))
}

fn ratio(windows: &[Window]) -> Option<f64> {
    let (calls, rates) = sums(windows);
    (rates > 0.0).then(|| calls / rates)
}

/// The standard error of the difference of both ratios, with the noise of the noisier part in both: a part
/// without a single call shows none.
fn error(before: &[Window], after: &[Window]) -> f64 {
    let share = |windows: &[Window]| windows.len() as f64 / sums(windows).1.powi(2);
    let noise = noise(before).max(noise(after));
    (noise * (share(before) + share(after))).sqrt()
}

/// The mean square by which windows miss the calls their common ratio expects.
fn noise(windows: &[Window]) -> f64 {
    let ratio = ratio(windows).unwrap_or(0.0);
    let squares = windows.iter().map(|w| (w.calls - ratio * w.rate).powi(2));
    squares.sum::<f64>() / windows.len() as f64
}

/// Both ratios over the hours of the day that both parts cover; `None` where that is too little to tell.
fn in_same_hours(before: &[Window], after: &[Window], width: i64) -> Option<(f64, f64)> {
    let (early, late) = (hours(before), hours(after));
    let common = |windows: &[Window]| {
        let both = |w: &&Window| early[hour(w)] && late[hour(w)];
        let common: Vec<Window> = windows.iter().filter(both).copied().collect();
        (common.len() as i64 * width >= LASTING_SECONDS).then(|| ratio(&common))?
    };
    Some((common(before)?, common(after)?))
}

const fn hour(window: &Window) -> usize {
    window.at.div_euclid(HOUR).rem_euclid(24) as usize
}

fn hours(windows: &[Window]) -> [bool; 24] {
    let mut covered = [false; 24];
    for window in windows {
        covered[hour(window)] = true;
    }
    covered
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Windows of five minutes over `hours`, with the calls per request of each.
    fn windows(hours: i64, ratio: impl Fn(i64) -> f64) -> Vec<Window> {
        let window = |index: i64| Window {
            at: index * 300,
            samples: 5.0,
            rate: 50.0,
            calls: 50.0 * ratio(index),
        };
        (0..hours * 12).map(window).collect()
    }

    fn change_of(hours: i64, ratio: impl Fn(i64) -> f64) -> Option<Change> {
        last_change(&windows(hours, ratio), 300)
    }

    #[test]
    fn a_change_counts_once_it_has_lasted_for_two_hours() {
        let step = |from: i64| move |index: i64| if index < from * 12 { 1.0 } else { 1.3 };
        assert_eq!(change_of(48, step(47)), None);
        assert_eq!(change_of(48, step(45)), Some(Change { at: 45 * 3600, before: 1.0 }));
        assert_eq!(change_of(3, step(2)), None, "too short to tell");
    }

    #[test]
    fn a_change_below_a_fifth_is_none() {
        assert_eq!(change_of(48, |index| if index < 400 { 1.0 } else { 1.15 }), None);
    }

    #[test]
    fn a_fault_that_has_passed_is_none() {
        let fault = |index| if (240..300).contains(&index) { 0.2 } else { 1.0 };
        assert_eq!(change_of(48, fault), None);
    }

    #[test]
    fn what_returns_every_night_is_none() {
        let night = |index: i64| if index.rem_euclid(288) < 84 { 2.0 } else { 1.0 };
        assert_eq!(change_of(10 * 24 + 5, night), None);
        assert_eq!(change_of(10 * 24 + 15, night), None);
    }

    #[test]
    fn the_noise_of_a_rare_call_is_none() {
        let rare = |index: i64| if index * 7919 % 37 < 3 { 1.0 } else { 0.0 };
        assert_eq!(change_of(14 * 24, rare), None);
    }

    #[test]
    fn of_two_changes_the_last_one_counts() {
        let twice = |index: i64| [1.0, 3.0, 4.0][(index / 288) as usize];
        assert_eq!(change_of(72, twice), Some(Change { at: 2 * 86_400, before: 3.0 }));
    }
}
