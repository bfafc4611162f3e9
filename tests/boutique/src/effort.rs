//! What a request costs: rounds of SHA-256 over memory that is held until it is answered.

use std::hint::black_box;
use std::num::ParseFloatError;

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::service_name::ServiceName;

/// What one round digests, in bytes.
const ROUND: usize = 4096;
/// The environment variable that scales the rounds.
pub(crate) const VARIABLE: &str = "BOUTIQUE_WORK";
/// The largest factor.
const MOST: f64 = 100.0;

/// A factor that cannot be used.
#[derive(Debug, Error)]
pub(crate) enum EffortError {
    #[error("BOUTIQUE_WORK is `{0}`, which is no number; write a factor such as 1.0")]
    NoNumber(String, #[source] ParseFloatError),
    #[error("BOUTIQUE_WORK is {0}; write a factor from 0 to {MOST}")]
    OutOfRange(f64),
}

/// The work of one request of one service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Effort {
    rounds: usize,
    held: usize,
}

/// Memory of a request; free when dropped.
#[derive(Debug)]
pub(crate) struct Held(Vec<u8>);

impl Effort {
    /// The work of a request of `service`, its rounds multiplied by the environment's factor, 1 without one.
    ///
    /// Fails when the factor is no number from 0 to 100.
    pub(crate) fn of(service: ServiceName) -> Result<Self, EffortError> {
        Ok(Self::scaled(service, factor(std::env::var(VARIABLE).ok().as_deref())?))
    }

    fn scaled(service: ServiceName, factor: f64) -> Self {
        let (rounds, kibibytes) = stock(service);
        Self { rounds: (f64::from(rounds) * factor).round() as usize, held: kibibytes * 1024 }
    }

    /// Does the work on this thread: it is shorter than handing it to another would be worth.
    pub(crate) fn spend(self) -> Held {
        let held = vec![self.held as u8; self.held];
        let mut digest = [0; 32];
        for block in held.chunks(ROUND).cycle().take(self.rounds) {
            let seeded = Sha256::new().chain_update(digest).chain_update(block);
            digest = black_box(seeded.finalize().into());
        }
        Held(held)
    }
}

impl Held {
    /// Ends with the request, so that the memory cannot be given back before.
    pub(crate) fn release(self) {
        drop(black_box(self.0));
    }
}

/// Rounds and kibibytes of a request. The ratios follow what the services of the real application are known for:
/// the frontend renders and the recommendations rank, everything else is quick.
const fn stock(service: ServiceName) -> (u32, usize) {
    match service {
        ServiceName::Frontend => (60, 128),
        ServiceName::Recommendation => (80, 256),
        ServiceName::Checkout => (40, 64),
        ServiceName::Ad => (25, 64),
        ServiceName::Email => (30, 64),
        ServiceName::Cart | ServiceName::ProductCatalog => (10, 32),
        ServiceName::Payment | ServiceName::Shipping => (10, 16),
        ServiceName::RedisCart => (3, 16),
        ServiceName::Currency => (4, 16),
    }
}

fn factor(text: Option<&str>) -> Result<f64, EffortError> {
    let Some(text) = text else { return Ok(1.0) };
    let factor =
        text.parse::<f64>().map_err(|error| EffortError::NoNumber(text.to_owned(), error))?;
    (0.0..=MOST).contains(&factor).then_some(factor).ok_or(EffortError::OutOfRange(factor))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_scales_the_rounds_and_leaves_the_memory() {
        let one = Effort::scaled(ServiceName::Frontend, 1.0);
        let half = Effort::scaled(ServiceName::Frontend, 0.5);
        assert_eq!((half.rounds * 2, half.held), (one.rounds, one.held));
        assert_eq!(Effort::scaled(ServiceName::Currency, 0.0).rounds, 0);
        assert_eq!(one.spend().0.len(), one.held);
    }

    #[test]
    fn a_factor_that_is_none_is_refused() {
        assert!(matches!(factor(None), Ok(1.0)));
        assert!(matches!(factor(Some("0.25")), Ok(0.25)));
        assert!(matches!(factor(Some("much")), Err(EffortError::NoNumber(..))));
        for outside in ["-1", "101", "NaN", "inf"] {
            assert!(matches!(factor(Some(outside)), Err(EffortError::OutOfRange(_))), "{outside}");
        }
    }
}
