//! What an arm would cost at the risk of another.

use serde::{Deserialize, Serialize};

/// An arm with one margin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RiskPoint {
    /// What it costs.
    pub cost: f64,
    /// How often its users were let down, or its pods were short.
    pub risk: f64,
}

/// What an arm costs at a stated risk.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EqualRisk {
    /// So much, between two of its margins.
    Interpolated(f64),
    /// No more than this, with the smallest margin that was tried.
    AtMost(f64),
    /// No margin that was tried brings the risk so low.
    NotReached,
}

impl EqualRisk {
    /// The cost; infinite where it is not reached.
    #[must_use]
    pub const fn cost(self) -> f64 {
        match self {
            Self::Interpolated(cost) | Self::AtMost(cost) => cost,
            Self::NotReached => f64::INFINITY,
        }
    }
}

/// What an arm costs at `risk`, by its points in order of margin from the smallest.
///
/// The way goes from the largest margin down until the risk is passed, so that a lucky point beyond does not count. Between
/// two margins it is straight, which is above a curve that bends as risks do: the cost is rather too high than too low.
/// Nothing is said beyond the margins that were tried.
#[must_use]
pub fn cost_at(points: &[RiskPoint], risk: f64) -> EqualRisk {
    let mut safe: Option<RiskPoint> = None;
    for &point in points.iter().rev() {
        match safe {
            _ if point.risk <= risk => safe = Some(point),
            None => return EqualRisk::NotReached,
            Some(safe) => {
                let share = (risk - safe.risk) / (point.risk - safe.risk);
                return EqualRisk::Interpolated(safe.cost + share * (point.cost - safe.cost));
            }
        }
    }
    safe.map_or(EqualRisk::NotReached, |point| EqualRisk::AtMost(point.cost))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(all: &[(f64, f64)]) -> Vec<RiskPoint> {
        all.iter().map(|&(cost, risk)| RiskPoint { cost, risk }).collect()
    }

    #[test]
    fn between_two_margins_the_way_is_straight() {
        let arm = points(&[(60.0, 0.10), (80.0, 0.02), (100.0, 0.01)]);
        let EqualRisk::Interpolated(cost) = cost_at(&arm, 0.04) else { panic!() };
        assert!((cost - 75.0).abs() < 1e-12, "{cost}");
    }

    #[test]
    fn beyond_the_margins_nothing_is_made_up() {
        let arm = points(&[(60.0, 0.10), (80.0, 0.02)]);
        assert_eq!(cost_at(&arm, 0.2), EqualRisk::AtMost(60.0));
        assert_eq!(cost_at(&arm, 0.01), EqualRisk::NotReached);
        assert_eq!(cost_at(&[], 0.01), EqualRisk::NotReached);
    }

    #[test]
    fn a_lucky_point_of_a_smaller_margin_does_not_count() {
        let arm = points(&[(50.0, 0.0), (60.0, 0.10), (80.0, 0.02)]);
        let EqualRisk::Interpolated(cost) = cost_at(&arm, 0.02) else { panic!() };
        assert!((cost - 80.0).abs() < 1e-12, "{cost}");
    }
}
