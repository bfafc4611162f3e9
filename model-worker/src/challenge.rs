//! Whether a new version replaces the one that serves.

use std::collections::BTreeMap;

use jiff::SignedDuration;
use mora_core::Signal;
use mora_forecast::{BackTestSlot, ForecastError, SignalModel};
use serde::{Deserialize, Serialize};

use crate::paired::{Comparison, Pair, pairs};
use crate::retrain::level_shift;
use crate::{RetrainPolicy, WorkloadModel};

/// A challenger without a back-test replaces a champion with one only when that is older: its forecasts are then of
/// another time.
const OUTLIVED: SignedDuration = SignedDuration::from_hours(14 * 24);

/// Why a version serves or does not, as it was decided when it was trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Decision {
    /// The version that served.
    pub champion: String,
    /// Whether the new version replaced it.
    pub published: bool,
    /// Why, as a sentence.
    pub reason: String,
    /// The champion (first) against the new version (second) on the same slots; `None` where there were none.
    pub comparison: Option<Comparison>,
}

impl Decision {
    /// Decides whether `challenger` replaces `champion`.
    ///
    /// It does unless it is clearly worse on the slots both can be held against: its loss larger by more than
    /// `tolerance`, as a share, and by more than one standard error over days. Fails when the champion cannot say
    /// what it would have answered since its data ended.
    pub(crate) fn reach(
        champion: &WorkloadModel,
        challenger: &BTreeMap<Signal, SignalModel>,
        tolerance: f64,
        policy: &RetrainPolicy,
    ) -> Result<Self, ForecastError> {
        let decision = |published: bool, reason: String, comparison: Option<Comparison>| Self {
            champion: champion.manifest.version.clone(),
            published,
            reason,
            comparison,
        };
        if let Some((published, reason)) = without_comparison(champion, challenger) {
            return Ok(decision(published, reason, None));
        }
        let mut paired = BTreeMap::new();
        for (signal, model) in challenger {
            if let Some(old) = champion.signals.get(signal) {
                paired.insert(*signal, pairs(old, model)?);
            }
        }
        let Some(comparison) = Comparison::of(&paired, |p| &p.older, |p| &p.newer) else {
            let reason = "no slot was held out by both versions".to_owned();
            return Ok(decision(true, reason, None));
        };
        if let Some(signal) = broken(champion, &paired, policy) {
            let reason = format!(
                "the level of {signal} shifted: forecasts of the version before are off since its data ended"
            );
            return Ok(decision(true, reason, Some(comparison)));
        }
        let worse = clearly_worse(&comparison, tolerance);
        Ok(decision(!worse, sentence(&comparison, worse), Some(comparison)))
    }
}

/// What is decided where nothing can be compared.
fn without_comparison(
    champion: &WorkloadModel,
    challenger: &BTreeMap<Signal, SignalModel>,
) -> Option<(bool, String)> {
    let slot = challenger.values().map(SignalModel::slot).next()?;
    let old = champion.manifest.slot;
    if slot != old {
        let (slot, old) = (slot.seconds(), old.seconds());
        return Some((true, format!("slots of {slot} s cannot be held against slots of {old} s")));
    }
    let tested = |model: &SignalModel| !model.back_test().is_empty();
    if challenger.values().any(tested) || !champion.signals.values().any(tested) {
        return None;
    }
    let until = challenger.values().map(SignalModel::data_until).max()?;
    let outlived = until.duration_since(champion.manifest.data_until) > OUTLIVED;
    let days = OUTLIVED.as_hours() / 24;
    let reason = if outlived {
        format!("the version before has no data of the last {days} days")
    } else {
        "its history is too short for a back-test, and the version before has one".to_owned()
    };
    Some((outlived, reason))
}

/// The signal whose level the champion missed since its data ended while the challenger did not.
fn broken(
    champion: &WorkloadModel,
    paired: &BTreeMap<Signal, Vec<Pair>>,
    policy: &RetrainPolicy,
) -> Option<Signal> {
    let missed = |(signal, pairs): (&Signal, &Vec<Pair>)| {
        let since = || pairs.iter().filter(|pair| pair.since);
        let recent: Vec<BackTestSlot> = since().map(|pair| pair.older).collect();
        let (old, new) = since().fold((0.0, 0.0), |(old, new), pair| {
            (old + pair.older.loss(), new + pair.newer.loss())
        });
        let model = champion.signals.get(signal)?;
        level_shift(model, &recent, policy).filter(|_| new < old).map(|_| *signal)
    };
    paired.iter().find_map(missed)
}

/// By more than the tolerance, and by more than chance alone does to a mean over so many days; a single day never
/// suffices.
fn clearly_worse(comparison: &Comparison, tolerance: f64) -> bool {
    let error = comparison.standard_error.unwrap_or(f64::INFINITY);
    comparison.excess > tolerance && comparison.excess > error
}

fn sentence(comparison: &Comparison, worse: bool) -> String {
    let verdict = if worse { "clearly worse" } else { "no worse" };
    let error = comparison.standard_error.map_or_else(String::new, |error| {
        format!(" with a standard error of {:.1} %", 100.0 * error)
    });
    format!(
        "{verdict} than the version before: pinball loss {:+.1} %{error}, over {} days and {} slots",
        100.0 * comparison.excess,
        comparison.days,
        comparison.slots()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made;
    use mora_core::Step;
    use mora_forecast::FitOptions;
    use std::ops::ControlFlow;

    fn decide(champion: SignalModel, challenger: SignalModel) -> Decision {
        let champion = made::version("v1", champion);
        let challenger = [(Signal::Cpu, challenger)].into();
        Decision::reach(&champion, &challenger, 0.02, &RetrainPolicy::default()).unwrap()
    }

    fn compared(excess: f64, standard_error: Option<f64>) -> Comparison {
        Comparison { days: 7, excess, standard_error, signals: BTreeMap::new() }
    }

    #[test]
    fn only_what_exceeds_both_the_tolerance_and_chance_is_clearly_worse() {
        assert!(clearly_worse(&compared(0.05, Some(0.03)), 0.02));
        assert!(!clearly_worse(&compared(0.05, Some(0.06)), 0.02));
        assert!(!clearly_worse(&compared(0.015, Some(0.001)), 0.02));
        assert!(!clearly_worse(&compared(0.5, None), 0.02));
        assert!(!clearly_worse(&compared(-0.5, Some(0.01)), 0.02));
    }

    #[test]
    fn a_fit_to_the_same_data_is_no_worse_and_says_by_how_much() {
        let decision = decide(made::fitted(0..14, made::wave), made::fitted(0..14, made::wave));
        assert!(decision.published);
        assert!(decision.reason.starts_with("no worse"), "{}", decision.reason);
        let comparison = decision.comparison.unwrap();
        assert!(comparison.excess.abs() < 1e-12);
        assert_eq!((decision.champion.as_str(), comparison.slots()), ("v1", 168));
    }

    #[test]
    fn a_challenger_that_knows_less_and_forecasts_worse_is_rejected() {
        // Three days of history before the first origin know nothing of the weekly season.
        let weekly = |hour: i64| {
            let day = hour.div_euclid(24) % 7;
            made::wave(hour) * if day < 2 { 0.4 } else { 1.0 }
        };
        let decision = decide(made::fitted(0..28, weekly), made::fitted(21..28, weekly));
        assert!(!decision.published, "{decision:?}");
        assert!(decision.reason.starts_with("clearly worse"), "{}", decision.reason);
    }

    #[test]
    fn a_challenger_that_has_seen_a_level_shift_is_published() {
        let shifted = |hour: i64| if hour < 14 * 24 { made::wave(hour) } else { 40.0 };
        let decision = decide(made::fitted(0..14, shifted), made::fitted(2..16, shifted));
        assert!(decision.published);
        assert!(decision.reason.contains("the level of cpu shifted"), "{}", decision.reason);
        assert_eq!(decision.comparison.unwrap().signals[&Signal::Cpu].since, 48);
    }

    #[test]
    fn too_little_history_for_a_back_test_does_not_replace_a_tested_version_for_a_fortnight() {
        let decision = decide(made::fitted(0..14, made::wave), made::fitted(14..16, made::wave));
        assert!(!decision.published && decision.reason.contains("too short"), "{decision:?}");
        let decision = decide(made::fitted(0..14, made::wave), made::fitted(28..30, made::wave));
        assert!(decision.published, "{decision:?}");
        let decision = decide(made::fitted(0..2, made::wave), made::fitted(0..3, made::wave));
        assert!(decision.published && decision.comparison.is_none(), "{decision:?}");
    }

    #[test]
    fn other_slots_cannot_be_compared_and_are_published() {
        let options =
            FitOptions { slot: Step::from_seconds(7200).unwrap(), ..FitOptions::default() };
        let observe = &mut |_| ControlFlow::Continue(());
        let coarse = mora_forecast::fit(&made::series(0..14, made::wave), &options, observe);
        let decision = decide(made::fitted(0..14, made::wave), coarse.unwrap());
        assert!(decision.published && decision.reason.contains("7200 s"), "{decision:?}");
    }
}
