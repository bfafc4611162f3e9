//! The arms that need nothing but this crate.

mod baseline;
mod hpa;
mod oracle;
mod sizing;
mod stock;
mod vpa;

use std::error::Error;

use thiserror::Error;

pub use baseline::StatisticalBaseline;
pub use hpa::Hpa;
pub use oracle::{Oracle, OracleNeeds};
pub use stock::Stock;
pub use vpa::Vpa;

use crate::{Arm, ArmFactory, ArmName, RunContext};

/// Makes all arms but MOrA's.
#[derive(Debug, Default)]
pub struct BuiltInArms {
    needs: OracleNeeds,
}

/// The arm is made elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the arm `{0}` drives services and is made by the command; ask `mora evaluate` for it")]
pub struct NotBuiltIn(pub ArmName);

impl ArmFactory for BuiltInArms {
    fn make(&self, context: &RunContext<'_>) -> Result<Box<dyn Arm>, Box<dyn Error + Send + Sync>> {
        let (margin, limits) = (context.margin(), context.setup.limits);
        Ok(match context.key.arm {
            ArmName::Stock => Box::new(Stock),
            ArmName::Baseline => Box::new(StatisticalBaseline::new(margin, limits)),
            ArmName::Vpa => Box::new(Vpa::new(margin, limits)),
            name @ (ArmName::Hpa50 | ArmName::Hpa70 | ArmName::Hpa80) => {
                Box::new(Hpa::new(name, margin, &context.setup.application))
            }
            ArmName::Oracle => Box::new(Oracle::new(margin, limits, self.needs.of(context)?)),
            other => return Err(NotBuiltIn(other).into()),
        })
    }
}
