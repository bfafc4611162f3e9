//! What may be concluded from a few runs: intervals, tests of paired differences, cost at equal risk.

mod bootstrap;
mod equal_risk;
mod holm;
mod wilcoxon;

pub use bootstrap::{Bootstrap, Interval};
pub use equal_risk::{EqualRisk, RiskPoint, cost_at};
pub use holm::holm;
pub use wilcoxon::{Wilcoxon, wilcoxon};
