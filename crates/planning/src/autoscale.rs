//! What a changed CPU request does to a HorizontalPodAutoscaler, whose target is a share of it.

use mora_core::{Autoscaler, AutoscalerAdvice, Millicores};
use serde::{Deserialize, Serialize};

/// What happens to a workload that an autoscaler scales on CPU utilisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Autoscaled {
    /// The request follows the need, divided over the replicas of the peak, and the plan advises the target
    /// that keeps their number.
    #[default]
    KeepReplicas,
    /// The target stays, and the request is as much above the need as keeps the number of replicas.
    KeepTarget,
    /// The autoscaler is not looked at.
    Ignore,
}

/// A workload that is scaled on CPU; amounts of CPU are of one pod unless they say otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scaling {
    pub(crate) autoscaler: Autoscaler,
    target_percent: u32,
    /// The request in force.
    request_now: Millicores,
    /// CPU of all pods at the peak of the forecast.
    peak: Millicores,
}

impl Scaling {
    /// `None` where the autoscaler does not scale on CPU, or there is no request to scale on.
    pub(crate) fn new(
        autoscaler: Autoscaler,
        request_now: Millicores,
        peak: Millicores,
    ) -> Option<Self> {
        let target_percent = autoscaler.cpu_target_percent.filter(|percent| *percent > 0)?;
        (request_now > Millicores::ZERO).then_some(Self {
            autoscaler,
            target_percent,
            request_now,
            peak,
        })
    }

    /// Replicas it asks for at the peak as things are, at least 1.
    pub(crate) fn peak_replicas(&self) -> u32 {
        self.replicas(self.target_percent, self.request_now)
    }

    /// Replicas it asks for at the peak with `percent` of `request`: as many as use no more, within its bounds.
    pub(crate) fn replicas(&self, percent: u32, request: Millicores) -> u32 {
        let each = u128::from(percent) * u128::from(request.get());
        let needed = (u128::from(self.peak.get()) * 100).div_ceil(each.max(1));
        let (fewest, most) = self.bounds();
        u32::try_from(needed).unwrap_or(u32::MAX).clamp(fewest, most)
    }

    fn bounds(&self) -> (u32, u32) {
        let fewest = self.autoscaler.min_replicas.max(1);
        (fewest, self.autoscaler.max_replicas.max(fewest))
    }

    /// By how much the request must exceed the need so that the target keeps its number of replicas.
    ///
    /// At the most replicas there is nothing to keep: a smaller request only asks for more.
    pub(crate) fn headroom(&self) -> f64 {
        let (_, most) = self.bounds();
        if self.peak_replicas() == most { 1.0 } else { 100.0 / f64::from(self.target_percent) }
    }

    /// The target for the request `request`: the one that asks for a further replica at the same usage as
    /// now, moved to where the number of replicas at the peak stays what it was.
    ///
    /// Where whole percents leave no such target, the nearest one with fewer replicas, which still use no
    /// more than it on average. At most 100 unless the request is below what the pods will use.
    pub(crate) fn advise(&self, request: Millicores) -> AutoscalerAdvice {
        let (fewest, most) = self.bounds();
        let replicas = self.peak_replicas();
        let peak = u128::from(self.peak.get()) * 100;
        let request = u128::from(request.get().max(1));
        let at_replicas = |replicas: u32| peak.div_ceil(u128::from(replicas) * request);
        let lowest = if replicas == most { 1 } else { at_replicas(replicas).max(1) };
        let highest = match replicas {
            1 => u128::MAX,
            _ if replicas == fewest => u128::MAX,
            more => at_replicas(more - 1).saturating_sub(1),
        };
        let same = u128::from(self.target_percent) * u128::from(self.request_now.get());
        let same = (same + request / 2) / request;
        let target = same.min(lowest.max(100)).clamp(lowest, highest.max(lowest));
        AutoscalerAdvice {
            min_replicas: fewest,
            max_replicas: most,
            peak_replicas: replicas,
            current_target_percent: self.target_percent,
            target_percent: u32::try_from(target).unwrap_or(u32::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn scaling(min: u32, max: u32, percent: u32, request: u64, peak: u64) -> Scaling {
        let autoscaler = Autoscaler {
            min_replicas: min,
            max_replicas: max,
            current_replicas: min,
            cpu_target_percent: Some(percent),
            other_metrics: false,
        };
        Scaling::new(autoscaler, Millicores::new(request), Millicores::new(peak)).unwrap()
    }

    #[test]
    fn half_the_request_doubles_the_target_so_that_the_replicas_stay() {
        let scaling = scaling(1, 10, 40, 1000, 1900);
        assert_eq!(scaling.peak_replicas(), 5);
        let advice = scaling.advise(Millicores::new(500));
        assert_eq!((advice.target_percent, advice.peak_replicas), (80, 5));
        assert_eq!(scaling.replicas(40, Millicores::new(500)), 10, "what would happen untold");
    }

    #[test]
    fn bounds_hold_the_replicas_and_free_the_target() {
        let idle = scaling(3, 10, 50, 1000, 300);
        assert_eq!((idle.peak_replicas(), idle.headroom().to_string()), (3, "2".to_owned()));
        assert_eq!(idle.advise(Millicores::new(100)).target_percent, 100);
        let busy = scaling(1, 4, 50, 1000, 9000);
        assert_eq!(busy.peak_replicas(), 4);
        assert!((busy.headroom() - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn an_autoscaler_without_a_cpu_target_or_a_request_is_none_to_reckon_with() {
        let bare = Autoscaler { max_replicas: 3, ..Autoscaler::default() };
        assert_eq!(Scaling::new(bare, Millicores::new(100), Millicores::new(100)), None);
        let on_cpu = Autoscaler { cpu_target_percent: Some(50), ..bare };
        assert_eq!(Scaling::new(on_cpu, Millicores::ZERO, Millicores::new(100)), None);
    }

    proptest! {
        #[test]
        fn the_advised_target_keeps_the_replicas_wherever_a_whole_percent_does(
            min in 1u32..4, more in 0u32..8, percent in 20u32..120, request in 50u64..3000,
            peak in 1u64..20_000, new in 50u64..3000,
        ) {
            let scaling = scaling(min, min + more, percent, request, peak);
            let (replicas, new) = (scaling.peak_replicas(), Millicores::new(new));
            let advice = scaling.advise(new);
            let found = scaling.replicas(advice.target_percent, new);
            let possible = (1..=40_000).any(|percent| scaling.replicas(percent, new) == replicas);
            prop_assert!(found == replicas || !possible, "{found} for {replicas}: {advice:?}");
            prop_assert!(found <= replicas);
        }

        #[test]
        fn the_request_with_headroom_keeps_the_replicas_at_the_same_target(
            min in 1u32..4, more in 0u32..8, percent in 20u32..100, request in 50u64..3000,
            peak in 2000u64..20_000,
        ) {
            let scaling = scaling(min, min + more, percent, request, peak);
            let replicas = scaling.peak_replicas();
            let need = peak as f64 / f64::from(replicas) * scaling.headroom();
            let kept = scaling.replicas(percent, Millicores::new(need.ceil() as u64));
            prop_assert!(kept <= replicas && kept + 1 >= replicas);
        }
    }
}
