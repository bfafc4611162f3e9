//! The two resources of a container, as amounts in their smallest unit.

use mora_core::{Bytes, Capacity, Millicores, Recommendation};

/// A resource; its amounts are millicores or bytes per replica.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Resource {
    Cpu,
    Memory,
}

impl Resource {
    pub(super) const ALL: [Self; 2] = [Self::Cpu, Self::Memory];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Memory => "memory",
        }
    }

    /// Amounts are whole multiples of this.
    pub(super) const fn grain(self) -> u64 {
        match self {
            Self::Cpu => 1,
            Self::Memory => Bytes::MEBIBYTE.get(),
        }
    }

    pub(super) fn text(self, amount: u64) -> String {
        match self {
            Self::Cpu => Millicores::new(amount).to_string(),
            Self::Memory => Bytes::new(amount).to_string(),
        }
    }

    /// What is in force.
    pub(super) fn current(self, recommendation: &Recommendation) -> Option<u64> {
        match self {
            Self::Cpu => recommendation.cpu.current.map(Millicores::get),
            Self::Memory => recommendation.memory.current.map(Bytes::get),
        }
    }

    pub(super) const fn target(self, recommendation: &Recommendation) -> u64 {
        match self {
            Self::Cpu => recommendation.cpu.target.get(),
            Self::Memory => recommendation.memory.target.get(),
        }
    }

    /// What all replicas of everything in a plan may request.
    pub(super) fn capacity(self, capacity: &Capacity) -> u64 {
        match self {
            Self::Cpu => capacity.cpu().get(),
            Self::Memory => capacity.memory().get(),
        }
    }
}
