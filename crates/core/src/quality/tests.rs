use jiff::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::Step;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn quarter_minute() -> Step {
    Step::from_seconds(15).unwrap()
}

fn series(values: &[Option<f64>]) -> Series {
    Series::new(at(0), quarter_minute(), values.to_vec()).unwrap()
}

fn expected(steps: usize) -> Lookback {
    Lookback { from: at(0), to: at(15 * steps as i64), step: quarter_minute() }
}

fn faults(values: &[Option<f64>], steps: usize) -> Vec<QualityFault> {
    QualityGates { stable_seconds: 60, ..QualityGates::default() }
        .judge(&series(values), &expected(steps))
        .faults
}

#[test]
fn a_flat_and_complete_series_passes_every_gate() {
    assert_eq!(faults(&[Some(2.0); 20], 20), []);
    assert_eq!(faults(&[Some(0.0); 20], 20), [], "nothing but zeros is stable");
}

#[test]
fn what_ended_early_is_incomplete_without_missing_anything_in_between() {
    let found = faults(&[Some(2.0); 10], 20);
    assert_eq!(found[0], QualityFault::Incomplete { found: 0.5, least: 0.9 });
    assert_eq!(found[1], QualityFault::StabilityUnknown { seconds: 60 });
    assert_eq!(found.len(), 2);
}

#[test]
fn holes_are_missing_even_where_enough_was_observed() {
    let mut values = vec![Some(2.0); 20];
    (values[4], values[9]) = (None, None);
    assert_eq!(faults(&values, 20), [QualityFault::Missing { found: 0.1, most: 0.05 }]);
}

#[test]
fn only_the_end_has_to_be_stable() {
    let rising: Vec<_> = (0..20).map(|i| Some(f64::from(i.min(14)))).collect();
    assert_eq!(faults(&rising, 20), []);
    let still_rising: Vec<_> = (0..20).map(|i| Some(f64::from(i * i))).collect();
    assert!(matches!(faults(&still_rising, 20)[..], [QualityFault::Unstable { seconds: 60, .. }]));
}

#[test]
fn every_fault_says_what_was_found_and_what_is_wanted() {
    let texts: Vec<String> = [
        QualityFault::Incomplete { found: 0.5, least: 0.9 },
        QualityFault::Missing { found: 0.1, most: 0.05 },
        QualityFault::Unstable { found: 0.234, most: 0.1, seconds: 300 },
        QualityFault::StabilityUnknown { seconds: 300 },
    ]
    .iter()
    .map(ToString::to_string)
    .collect();
    assert_eq!(texts[0], "50.0 % of the steps were observed where 90.0 % are needed");
    assert_eq!(texts[1], "10.0 % of the steps in between are missing where 5.0 % may be");
    assert_eq!(texts[2], "the last 300 s vary by 23.4 % of their mean where 10.0 % is stable");
    assert!(texts[3].contains("300 s"), "{}", texts[3]);
}

#[test]
fn a_bound_nothing_can_keep_or_break_is_refused_by_name() {
    let gates = QualityGates::default();
    assert_eq!(gates.checked(), Ok(gates));
    let bad = [
        QualityGates { completeness: 90.0, ..gates },
        QualityGates { missing: f64::NAN, ..gates },
        QualityGates { variation: Some(0.0), ..gates },
        QualityGates { stable_seconds: 0, ..gates },
    ];
    for (gates, name) in bad.iter().zip(["completeness", "missing", "variation", "stable_seconds"])
    {
        let message = gates.checked().unwrap_err().to_string();
        assert!(message.starts_with(name), "{message}");
    }
}

fn any_values() -> impl Strategy<Value = Vec<Option<f64>>> {
    prop::collection::vec(prop::option::weighted(0.8, 0.0..1e12), 0..80)
}

proptest! {
    #[test]
    fn shares_are_shares_and_add_up(values in any_values(), steps in 0usize..80) {
        let quality = SeriesQuality::of(&series(&values), &expected(steps), 60);
        prop_assert!((0.0..=1.0).contains(&quality.completeness));
        prop_assert!((0.0..1.0).contains(&quality.missing));
        prop_assert!(quality.observed <= quality.expected);
        prop_assert!(quality.variation.is_none_or(|v| v.is_finite() && v >= 0.0));
    }

    #[test]
    fn looser_gates_never_reject_what_stricter_ones_accept(
        values in any_values(), completeness in 0.0..1.0, missing in 0.0..1.0, variation in 0.001..2.0
    ) {
        let strict = QualityGates { completeness, missing, variation: Some(variation), stable_seconds: 120 };
        let loose = QualityGates {
            completeness: completeness / 2.0,
            missing: missing * 2.0,
            variation: Some(variation * 2.0),
            stable_seconds: 120,
        };
        let (series, expected) = (series(&values), expected(values.len()));
        if strict.judge(&series, &expected).is_accepted() {
            prop_assert!(loose.judge(&series, &expected).is_accepted());
        }
        let judged = strict.without_stability().judge(&series, &expected).faults;
        let of_stability = |fault: &QualityFault| matches!(
            fault,
            QualityFault::Unstable { .. } | QualityFault::StabilityUnknown { .. }
        );
        prop_assert!(!judged.iter().any(of_stability));
    }

    #[test]
    fn the_unit_of_a_series_does_not_change_the_verdict(values in any_values(), scale in 0.01..100.0f64) {
        let scaled: Vec<_> = values.iter().map(|value| value.map(|v| v * scale)).collect();
        let gates = QualityGates::default();
        let expected = expected(values.len());
        let (one, other) = (gates.judge(&series(&values), &expected), gates.judge(&series(&scaled), &expected));
        let shares = |report: &QualityReport| {
            [report.quality.completeness, report.quality.missing].map(f64::to_bits)
        };
        prop_assert_eq!(shares(&one), shares(&other));
        if let Some((a, b)) = one.quality.variation.zip(other.quality.variation) {
            prop_assert!((a - b).abs() <= 1e-9 * a.max(1.0));
        }
    }

    #[test]
    fn steps_are_counted_as_the_series_has_them(from in 0i64..1000, length in 0i64..1000) {
        let expected = Lookback { from: at(from), to: at(from + length), step: quarter_minute() };
        let full = Series::new(at(0), quarter_minute(), vec![Some(1.0); 200]).unwrap();
        prop_assert_eq!(full.between(expected.from, expected.to).len(), expected.steps());
    }
}
