//! The exported network, answering through ONNX: on the embedded tract backend, or on an ONNX Runtime.

use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

use ort::environment::Environment;
use ort::session::Session;
use ort::value::TensorRef;
use serde::{Deserialize, Serialize};

use crate::error::{ForecastError, RuntimeError};
use crate::levels::Levels;
use crate::members::hour_of_week::Expected;
use crate::members::lstm::export;
use crate::members::lstm::features::{Features, in_units};
use crate::members::lstm::network::{AHEAD, INPUTS, Network, OUTPUTS, WINDOW};

/// What the network reads at the end of its history, and what its answer is relative to.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Origin {
    /// The first slot it answers.
    first: i64,
    /// `WINDOW` x `INPUTS`.
    window: Vec<f32>,
    /// Slots ahead x `AHEAD`.
    ahead: Vec<f32>,
    /// Levels and spread the profile expects of the slots ahead, in the signal's unit.
    expected: Vec<(Levels, f64)>,
}

impl Origin {
    /// The origin after the last slot of `features`, which is the slot before `first`.
    pub(crate) fn new(features: &Features, first: i64) -> Self {
        let batch = features.batch(&[features.len]);
        let expected = features.expected_ahead();
        Self {
            first,
            window: batch.window,
            ahead: batch.ahead,
            expected: expected.iter().map(|e| (e.levels, e.spread)).collect(),
        }
    }

    /// Number of slots the network answers.
    pub(crate) fn reach(&self) -> usize {
        self.expected.len()
    }

    /// Whether the shapes fit the network and the numbers can be what a fit leaves behind.
    pub(crate) fn is_sound(&self, first: i64) -> bool {
        self.first == first
            && (1..=86_400).contains(&self.reach())
            && self.window.len() == WINDOW * INPUTS
            && self.ahead.len() == self.reach() * AHEAD
            && self.window.iter().chain(&self.ahead).all(|value| value.is_finite())
    }
}

/// A network ready to answer at one origin, the end of the history it was fitted to.
#[derive(Debug)]
pub(crate) struct Lstm {
    onnx: Vec<u8>,
    session: Mutex<Session>,
    /// What it answered: its input never changes, so it runs once.
    answer: OnceLock<Vec<f32>>,
}

/// The process' one ONNX environment: the backend never frees one.
static ENVIRONMENT: OnceLock<Environment> = OnceLock::new();

fn environment() -> Result<&'static Environment, ort::Error> {
    if let Some(environment) = ENVIRONMENT.get() {
        return Ok(environment);
    }
    // False where the program has chosen a backend already, which then serves as well.
    let _first = ort::set_api(ort_tract::api());
    let environment = ort::init().build()?;
    Ok(ENVIRONMENT.get_or_init(|| environment))
}

/// Serves the networks of this process from the ONNX Runtime in the shared library `path`.
///
/// Fails when the library does not load, is older than 1.24, or a network has been opened before.
pub fn use_onnx_runtime(path: &Path) -> Result<(), RuntimeError> {
    if ENVIRONMENT.get().is_some() {
        return Err(RuntimeError::TooLate);
    }
    let load = |source| RuntimeError::Load { path: path.to_owned(), source };
    let environment = ort::init_from(path).map_err(load)?.build().map_err(RuntimeError::Start)?;
    ENVIRONMENT.set(environment).map_err(|_| RuntimeError::TooLate)
}

/// What a network reads and answers, so that its `lstm.onnx` can be checked in another runtime.
#[derive(Debug, Clone, PartialEq)]
pub struct LstmProbe {
    /// The input `window` in its shape's order: slots before the forecast, one, features; no unit.
    pub window: Vec<f32>,
    /// The shape of the window.
    pub window_shape: [usize; 3],
    /// The input `ahead` in its shape's order: slots ahead, features; no unit.
    pub ahead: Vec<f32>,
    /// The shape of what is known ahead.
    pub ahead_shape: [usize; 2],
    /// The output, slots ahead times quantiles, in spreads about the profile.
    pub output: Vec<f32>,
}

impl Lstm {
    /// Exports `network` for `reach` slots and opens the file.
    pub(crate) fn new(network: &Network, reach: usize) -> Result<Self, ort::Error> {
        Self::open(export::write(network, reach))
    }

    /// Opens bytes that [`export::read`] has passed.
    pub(crate) fn open(onnx: Vec<u8>) -> Result<Self, ort::Error> {
        let session = Session::builder(environment()?)?.commit_from_memory(&onnx)?;
        Ok(Self { onnx, session: Mutex::new(session), answer: OnceLock::new() })
    }

    /// The ONNX file.
    pub(crate) fn onnx(&self) -> &[u8] {
        &self.onnx
    }

    /// The quantiles of the slots from `origin` on, as many as the network reaches; `origin` is always the same.
    pub(crate) fn levels(&self, origin: &Origin) -> Result<Vec<Levels>, ForecastError> {
        let outputs = if let Some(outputs) = self.answer.get() {
            outputs
        } else {
            let outputs = self.run(origin).map_err(ForecastError::Onnx)?;
            self.answer.get_or_init(|| outputs)
        };
        if outputs.len() != origin.reach() * OUTPUTS {
            return Err(ForecastError::Shape(outputs.len()));
        }
        let slots = origin.expected.iter().zip(outputs.chunks_exact(OUTPUTS));
        Ok(slots
            .map(|(&(levels, spread), out)| in_units(Expected { levels, spread }, out))
            .collect())
    }

    /// What the session reads at `origin`, and answers when it is run now.
    pub(crate) fn probe(&self, origin: &Origin) -> Result<LstmProbe, ForecastError> {
        Ok(LstmProbe {
            window: origin.window.clone(),
            window_shape: [WINDOW, 1, INPUTS],
            ahead: origin.ahead.clone(),
            ahead_shape: [origin.reach(), AHEAD],
            output: self.run(origin).map_err(ForecastError::Onnx)?,
        })
    }

    fn run(&self, origin: &Origin) -> Result<Vec<f32>, ort::Error> {
        let window = TensorRef::from_array_view(([WINDOW, 1, INPUTS], origin.window.as_slice()))?;
        let ahead = TensorRef::from_array_view(([origin.reach(), AHEAD], origin.ahead.as_slice()))?;
        // A session holds no state between runs, so one that panicked left nothing half done.
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let inputs = ort::inputs![export::WINDOW_INPUT => window, export::AHEAD_INPUT => ahead];
        let outputs = session.run(inputs)?;
        let (_, values) = outputs[export::OUTPUT].try_extract_tensor::<f32>()?;
        Ok(values.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::members::lstm::network::{Batch, OUT};
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    #[test]
    fn the_onnx_session_answers_what_the_training_code_does() {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut network = Network::new(&mut rng);
        let mut draw = |count: usize| -> Vec<f32> {
            (0..count).map(|_| rng.next_u32() as f32 / u32::MAX as f32 * 4.0 - 2.0).collect()
        };
        network.parameters[OUT.range()].copy_from_slice(&draw(OUT.range().len()));
        let origin = Origin {
            first: 0,
            window: draw(WINDOW * INPUTS),
            ahead: draw(24 * AHEAD),
            expected: vec![([0.0; 4], 1.0); 24],
        };
        let served = Lstm::new(&network, 24).unwrap().run(&origin).unwrap();
        let Origin { window, ahead, .. } = origin;
        let trained = network.forward(&Batch { size: 1, reach: 24, window, ahead }).out;
        assert_eq!(served.len(), trained.len());
        for (a, b) in served.iter().zip(&trained) {
            assert!((a - b).abs() < 1e-5, "{a} is not {b}");
        }
    }
}
