//! Training: Adam on the pinball loss, stopped where the last days before the end stop improving.

use std::ops::{ControlFlow, Range};

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use serde::{Deserialize, Serialize};

use crate::levels::LEVELS;
use crate::members::lstm::features::Features;
use crate::members::lstm::network::{Network, OUTPUTS, PARAMETERS, Pass, WINDOW};

const BATCH: usize = 32;
const EPOCHS: usize = 16;
const PATIENCE: usize = 3;
/// More windows than this per epoch are thinned out: neighbours hardly differ.
const WINDOWS: usize = 448;

/// What can be chosen of a training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LstmSettings {
    /// Rate of learning, in (0, 1); 0.004 by default.
    pub rate: f64,
}

impl Default for LstmSettings {
    fn default() -> Self {
        Self { rate: 4e-3 }
    }
}

impl LstmSettings {
    /// Whether the rate is in its range.
    pub(crate) fn is_sound(self) -> bool {
        self.rate > 0.0 && self.rate < 1.0
    }
}

/// Where a training starts from.
pub(crate) enum Start<'a> {
    /// Random weights from a seed, which say the profile.
    Random(u64),
    /// A network that was trained on a shorter part of the same history.
    Network(&'a Network),
}

/// Trains on the slots before `end`; `observe` gets the share done and may break off.
pub(crate) fn train(
    features: &Features,
    end: usize,
    start: &Start<'_>,
    settings: LstmSettings,
    observe: &mut dyn FnMut(f64) -> ControlFlow<()>,
) -> ControlFlow<(), Network> {
    let split = end - features.day.max(end / 5).min(end);
    let mut origins = windows(features.day + WINDOW / 2..split, WINDOWS);
    let judged = windows(split..end, WINDOWS / 4);
    let (mut network, mut rng) = begin(start);
    let mut best = (loss(&network, features, &judged, end), network.clone());
    let mut adam = Adam::new(settings.rate as f32);
    let mut stale = 0;
    for epoch in 0..EPOCHS {
        observe(epoch as f64 / EPOCHS as f64)?;
        shuffle(&mut origins, &mut rng);
        for batch in origins.chunks(BATCH) {
            let gradient = gradient(&network, features, batch, split);
            adam.step(&mut network.parameters, &gradient);
        }
        let now = loss(&network, features, &judged, end);
        stale = if now < best.0 { 0 } else { stale + 1 };
        if now < best.0 {
            best = (now, network.clone());
        }
        if stale > PATIENCE {
            break;
        }
    }
    ControlFlow::Continue(best.1)
}

fn begin(start: &Start<'_>) -> (Network, ChaCha8Rng) {
    match start {
        Start::Random(seed) => {
            let mut rng = ChaCha8Rng::seed_from_u64(*seed);
            (Network::new(&mut rng), rng)
        }
        Start::Network(network) => ((*network).clone(), ChaCha8Rng::seed_from_u64(0)),
    }
}

/// At most `most` origins, evenly spaced over `range`.
fn windows(range: Range<usize>, most: usize) -> Vec<usize> {
    let stride = range.len().div_ceil(most).max(1);
    range.step_by(stride).collect()
}

fn shuffle(origins: &mut [usize], rng: &mut ChaCha8Rng) {
    for last in (1..origins.len()).rev() {
        origins.swap(last, rng.next_u64() as usize % (last + 1));
    }
}

/// Visits every answer about a slot before `end` that was observed: its level, its index in the output,
/// what came less what was said, and its weight.
fn visit(
    features: &Features,
    origins: &[usize],
    pass: &Pass,
    end: usize,
    mut each: impl FnMut(f32, usize, f32, f32),
) {
    for (window, origin) in origins.iter().enumerate() {
        for lead in 0..features.reach.min(end.saturating_sub(*origin)) {
            let Some((values, weight)) = features.target(origin + lead) else { continue };
            for (level, q) in LEVELS.iter().enumerate() {
                let at = (window * features.reach + lead) * OUTPUTS + level;
                each(*q as f32, at, values[level] - pass.out[at], weight);
            }
        }
    }
}

/// Mean loss of `network` over the slots of `judged`, in spreads, from windows spread over them.
pub(crate) fn judge(network: &Network, features: &Features, judged: Range<usize>) -> f64 {
    let end = judged.end;
    loss(network, features, &windows(judged, WINDOWS / 4), end)
}

fn loss(network: &Network, features: &Features, origins: &[usize], end: usize) -> f64 {
    let (mut sum, mut weights) = (0.0, f64::MIN_POSITIVE);
    for some in origins.chunks(BATCH) {
        let pass = network.forward(&features.batch(some));
        visit(features, some, &pass, end, |q, _, short, weight| {
            sum += f64::from(weight * (q * short).max((q - 1.0) * short));
            weights += f64::from(weight);
        });
    }
    sum / weights
}

fn gradient(network: &Network, features: &Features, origins: &[usize], end: usize) -> Vec<f32> {
    let batch = features.batch(origins);
    let pass = network.forward(&batch);
    let mut d_out = vec![0.0; pass.out.len()];
    let mut weights = f32::MIN_POSITIVE;
    visit(features, origins, &pass, end, |q, at, short, weight| {
        d_out[at] = if short > 0.0 { -q * weight } else { (1.0 - q) * weight };
        weights += weight;
    });
    for d in &mut d_out {
        *d /= weights;
    }
    network.backward(&batch, &pass, &d_out)
}

/// Adam (Kingma and Ba 2015), the gradient cut to length 1.
struct Adam {
    rate: f32,
    mean: Vec<f32>,
    square: Vec<f32>,
    steps: i32,
}

impl Adam {
    fn new(rate: f32) -> Self {
        Self { rate, mean: vec![0.0; PARAMETERS], square: vec![0.0; PARAMETERS], steps: 0 }
    }

    fn step(&mut self, parameters: &mut [f32], gradient: &[f32]) {
        self.steps += 1;
        let length = gradient.iter().map(|g| g * g).sum::<f32>().sqrt();
        let cut = if length > 1.0 { 1.0 / length } else { 1.0 };
        let rate = self.rate * (1.0 - 0.999_f32.powi(self.steps)).sqrt()
            / (1.0 - 0.9_f32.powi(self.steps));
        let moments = self.mean.iter_mut().zip(&mut self.square);
        for ((parameter, g), (mean, square)) in parameters.iter_mut().zip(gradient).zip(moments) {
            let g = g * cut;
            *mean += 0.1 * (g - *mean);
            *square += 0.001 * (g * g - *square);
            *parameter -= rate * *mean / (square.sqrt() + 1e-8);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::made::{history, noise};
    use crate::season::Season;

    /// A day's level stays near that of the day before, which a profile without carry cannot know.
    fn drifting() -> Features {
        let seen = history(21, |n| {
            let day: f64 = (0..=n / 24).map(noise).sum();
            Some(50.0 + 3.0 * day + (n % 24) as f64 + noise(n + 1000))
        });
        Features::new(&seen, Season::Day, 24)
    }

    #[test]
    fn training_lowers_the_loss_on_days_it_is_not_trained_on() {
        let features = drifting();
        let start = Start::Random(1);
        let mut go = |_| ControlFlow::Continue(());
        let ControlFlow::Continue(trained) =
            train(&features, features.len, &start, LstmSettings::default(), &mut go)
        else {
            panic!("nothing broke off")
        };
        let judged: Vec<usize> = (features.len - 96..features.len - 24).collect();
        let before = loss(&begin(&start).0, &features, &judged, features.len);
        let after = loss(&trained, &features, &judged, features.len);
        assert!(after < 0.9 * before, "{after} after {before}");
    }

    #[test]
    fn a_training_that_is_broken_off_gives_nothing() {
        let start = Start::Random(1);
        let features = drifting();
        let broken = train(&features, features.len, &start, LstmSettings::default(), &mut |_| {
            ControlFlow::Break(())
        });
        assert!(broken.is_break());
    }
}
