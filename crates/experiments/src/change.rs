//! What an experiment changes about a workload.

use std::fmt;

use mora_core::{ResourceClaim, WorkloadRef};
use serde::{Deserialize, Serialize};

/// Which part of a workload, in the order in which parts are restored: an autoscaler that still holds its bounds together
/// would undo restored replicas.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// The bounds of the autoscaler with this name.
    Autoscaler(String),
    /// How many replicas it is to have.
    Replicas,
    /// What the container with this name claims.
    Claim(String),
}

/// Between how many replicas an autoscaler moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bounds {
    /// Fewest.
    pub min: u32,
    /// Most.
    pub max: u32,
}

/// What such a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Of [`Aspect::Autoscaler`].
    Autoscaler(Bounds),
    /// Of [`Aspect::Replicas`].
    Replicas(u32),
    /// Of [`Aspect::Claim`].
    Claim(ResourceClaim),
}

/// One change of one workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The workload.
    pub workload: WorkloadRef,
    /// The part.
    pub aspect: Aspect,
    /// What it is before.
    pub before: Value,
    /// What it is to be.
    pub after: Value,
}

impl fmt::Display for Aspect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Autoscaler(name) => write!(f, "bounds of autoscaler {name}"),
            Self::Replicas => f.write_str("replicas"),
            Self::Claim(container) => write!(f, "claim of container {container}"),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Autoscaler(Bounds { min, max }) => write!(f, "{min} to {max}"),
            Self::Replicas(count) => write!(f, "{count}"),
            Self::Claim(claim) => {
                let text = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
                write!(
                    f,
                    "cpu {}/{}, memory {}/{}",
                    text(claim.cpu_request.map(|v| v.to_string())),
                    text(claim.cpu_limit.map(|v| v.to_string())),
                    text(claim.memory_request.map(|v| v.to_string())),
                    text(claim.memory_limit.map(|v| v.to_string())),
                )
            }
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { workload, aspect, before, after } = self;
        write!(f, "{workload}: {aspect} {before} -> {after}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_reads_as_a_sentence_and_survives_json() {
        let claim = |millicores: u64| {
            let cpu_limit = Some(mora_core::Millicores::new(millicores));
            Value::Claim(ResourceClaim { cpu_limit, ..ResourceClaim::default() })
        };
        let change = Change {
            workload: "shop/cart".parse().unwrap(),
            aspect: Aspect::Claim("server".to_owned()),
            before: claim(300),
            after: claim(1000),
        };
        let expected = "shop/Deployment/cart: claim of container server cpu none/300m, memory none/none -> cpu none/1, memory none/none";
        assert_eq!(change.to_string(), expected);
        let text = serde_json::to_string(&change).unwrap();
        assert_eq!(serde_json::from_str::<Change>(&text).unwrap(), change);
    }
}
