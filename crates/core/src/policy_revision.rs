//! Which policy a plan was made under.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One state of a policy that is kept in the cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PolicyRevision {
    /// The namespace it is in.
    pub namespace: String,
    /// Its name there.
    pub name: String,
    /// How often what it states had changed, from 1.
    pub generation: i64,
}

impl fmt::Display for PolicyRevision {
    /// As in `mora/default, generation 3`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}, generation {}", self.namespace, self.name, self.generation)
    }
}
