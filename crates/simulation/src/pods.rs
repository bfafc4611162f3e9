//! Which pods of a workload run when, and what they use.

use crate::noise::{Noise, Purpose};
use crate::profile::Profile;

const DAY: f64 = 86_400.0;
/// Mean life of a pod, in days.
const LIFE: f64 = 9.0;
/// Time constant of a cache that fills, in hours.
const FILLING: f64 = 8.0;
const NAME_LETTERS: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";
/// Spread of what the pods of a workload receive: the busiest gets at most 15 % above the mean.
const IMBALANCE: f64 = 0.15;

/// A pod of a workload: the place it fills and its number in the row of pods that filled it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pod {
    pub(crate) place: usize,
    pub(crate) generation: i64,
}

/// The pods of one workload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pods {
    noise: Noise,
    workload: usize,
    pub(crate) replicas: usize,
}

impl Pods {
    pub(crate) const fn new(noise: Noise, workload: usize, replicas: usize) -> Self {
        Self { noise, workload, replicas }
    }

    /// The pod in `place` at `second`, and its age in seconds.
    pub(crate) fn running(self, place: usize, second: i64) -> (Pod, f64) {
        let lives = second as f64 / DAY / LIFE - self.phase(place);
        let latest = lives.floor() as i64;
        let generation =
            if self.start(place, latest) <= second as f64 { latest } else { latest - 1 };
        (Pod { place, generation }, second as f64 - self.start(place, generation))
    }

    /// When the pod `generation` of `place` started, in seconds since the Unix epoch.
    fn start(self, place: usize, generation: i64) -> f64 {
        let late = self.uniform(Purpose::Replacement, place, generation) * 0.5;
        (generation as f64 + self.phase(place) + late) * LIFE * DAY
    }

    fn phase(self, place: usize) -> f64 {
        place as f64 / self.replicas as f64 + self.workload as f64 / 11.0
    }

    /// The pod's name, as a ReplicaSet gives it.
    pub(crate) fn name(self, pod: Pod, workload: &str) -> String {
        let letters = |place: usize, index: i64, count: usize| -> String {
            let mut draws = self.noise.draws(Purpose::PodName, self.workload, place, index * 16);
            let letter = |_| char::from(NAME_LETTERS[(draws.uniform() * 27.0) as usize % 27]);
            (0..count).map(letter).collect()
        };
        let (set, suffix) =
            (letters(usize::from(u16::MAX), 0, 9), letters(pod.place, pod.generation, 5));
        format!("{workload}-{set}-{suffix}")
    }

    /// The share of the workload's requests that `place` receives, in (0, 1).
    pub(crate) fn share(self, place: usize) -> f64 {
        let weight = |place| 1.0 + IMBALANCE * self.tilt(place);
        weight(place) / (0..self.replicas).map(weight).sum::<f64>()
    }

    /// Memory expected of a pod in `place` at `age` seconds under `relative_load` (1 is the mean), in MiB.
    pub(crate) fn memory(
        self,
        profile: &Profile,
        place: usize,
        age: f64,
        relative_load: f64,
    ) -> f64 {
        let hours = age / 3600.0;
        let memory = &profile.memory;
        let since_restart = memory.leak.as_ref().map_or(hours, |leak| hours % leak.restart_hours);
        let leaked = memory.leak.as_ref().map_or(0.0, |leak| leak.per_hour * since_restart);
        let cached = memory.cache * (1.0 - (-since_restart / FILLING).exp());
        let base = memory.base * (1.0 + 0.03 * self.tilt(place));
        base + cached + memory.load * relative_load + leaked
    }

    /// A trait of the place, in (-1, 1).
    fn tilt(self, place: usize) -> f64 {
        2.0 * self.uniform(Purpose::Balance, place, 0) - 1.0
    }

    fn uniform(self, purpose: Purpose, place: usize, index: i64) -> f64 {
        self.noise.draws(purpose, self.workload, place, index).uniform()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{EMAIL, PROFILES};

    #[test]
    fn a_pod_is_replaced_by_the_next_one_at_age_zero() {
        let pods = Pods::new(Noise::new(1), 3, 2);
        let mut replaced = 0;
        for minute in 1..60 * 24 * 60 {
            let (before, age_before) = pods.running(1, (minute - 1) * 60);
            let (after, age) = pods.running(1, minute * 60);
            if before == after {
                assert!((age - age_before - 60.0).abs() < 1e-3);
            } else {
                assert_eq!(after.generation, before.generation + 1);
                assert!((0.0..60.0).contains(&age));
                assert_ne!(pods.name(before, "frontend"), pods.name(after, "frontend"));
                replaced += 1;
            }
        }
        assert!((5..=8).contains(&replaced), "{replaced}");
    }

    #[test]
    fn shares_of_places_sum_to_one_and_differ() {
        let pods = Pods::new(Noise::new(1), 3, 4);
        let shares: Vec<f64> = (0..4).map(|place| pods.share(place)).collect();
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert!(shares.iter().all(|share| (share - 0.25).abs() < 0.08));
        assert!(shares.iter().any(|share| (share - 0.25).abs() > 0.005));
    }

    #[test]
    fn leaked_memory_is_given_back_at_a_restart() {
        let pods = Pods::new(Noise::new(1), EMAIL, 1);
        let memory = |hours: f64| pods.memory(&PROFILES[EMAIL], 0, hours * 3600.0, 1.0);
        assert!(memory(100.0) > memory(10.0) + 20.0);
        assert!(memory(102.0) < memory(10.0));
    }
}
