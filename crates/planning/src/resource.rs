//! The two resources, for rules that are the same for both.

use mora_core::{Amount, Bytes, Millicores, Shortfall, Stated};

/// CPU in millicores or memory in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    Cpu,
    Memory,
}

impl Resource {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "CPU",
            Self::Memory => "memory",
        }
    }

    /// What amounts that are shared out are multiples of.
    pub(crate) const fn grain(self) -> u64 {
        match self {
            Self::Cpu => 1,
            Self::Memory => Bytes::MEBIBYTE.get(),
        }
    }

    pub(crate) const fn of(self, amount: Amount) -> u64 {
        match self {
            Self::Cpu => amount.cpu.get(),
            Self::Memory => amount.memory.get(),
        }
    }

    pub(crate) fn stated(self, stated: Stated) -> Option<u64> {
        match self {
            Self::Cpu => stated.cpu.map(Millicores::get),
            Self::Memory => stated.memory.map(Bytes::get),
        }
    }

    pub(crate) fn text(self, amount: u64) -> String {
        match self {
            Self::Cpu => Millicores::new(amount).to_string(),
            Self::Memory => Bytes::new(amount).to_string(),
        }
    }

    pub(crate) const fn missing_request(self, amount: u64) -> Shortfall {
        match self {
            Self::Cpu => Shortfall::CpuRequest(Millicores::new(amount)),
            Self::Memory => Shortfall::MemoryRequest(Bytes::new(amount)),
        }
    }

    pub(crate) const fn missing_limit(self, amount: u64) -> Shortfall {
        match self {
            Self::Cpu => Shortfall::CpuLimit(Millicores::new(amount)),
            Self::Memory => Shortfall::MemoryLimit(Bytes::new(amount)),
        }
    }
}
