//! What a run of values is about, besides its workload.

use std::fmt;
use std::str::FromStr;

use mora_core::{Indicator, WorkloadRef};

/// What a run of values is about, besides its workload.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// CPU usage of one container of one pod, in cores.
    Cpu {
        /// The container.
        container: String,
        /// The pod.
        pod: String,
    },
    /// Memory working set of one container of one pod, in bytes.
    Memory {
        /// The container.
        container: String,
        /// The pod.
        pod: String,
    },
    /// An out-of-memory kill of one container of one pod: when, and what it had in bytes.
    OomKill {
        /// The container.
        container: String,
        /// The pod.
        pod: String,
    },
    /// What a container claimed at an instant, in cores or bytes; a gap where it stated nothing.
    Claim {
        /// The container.
        container: String,
        /// Which claim.
        claimed: Claimed,
    },
    /// Requests received, per second.
    RequestRate,
    /// Ready replicas.
    Replicas,
    /// Requests received from one caller, per second.
    Calls {
        /// The caller.
        caller: WorkloadRef,
    },
    /// How well it did.
    Indicator(Indicator),
}

/// Which claim of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claimed {
    /// Its CPU request, in cores.
    CpuRequest,
    /// Its CPU limit, in cores.
    CpuLimit,
    /// Its memory request, in bytes.
    MemoryRequest,
    /// Its memory limit, in bytes.
    MemoryLimit,
}

impl Claimed {
    /// All claims.
    pub const ALL: [Self; 4] =
        [Self::CpuRequest, Self::CpuLimit, Self::MemoryRequest, Self::MemoryLimit];

    const fn as_str(self) -> &'static str {
        match self {
            Self::CpuRequest => "cpu_request",
            Self::CpuLimit => "cpu_limit",
            Self::MemoryRequest => "memory_request",
            Self::MemoryLimit => "memory_limit",
        }
    }
}

impl What {
    /// The name of what was measured, as in the column `metric`.
    #[must_use]
    pub const fn metric(&self) -> &'static str {
        match self {
            Self::Cpu { .. } => "cpu",
            Self::Memory { .. } => "memory",
            Self::OomKill { .. } => "oom_kill",
            Self::Claim { claimed, .. } => claimed.as_str(),
            Self::RequestRate => "request_rate",
            Self::Replicas => "replicas",
            Self::Calls { .. } => "calls",
            Self::Indicator(indicator) => indicator.as_str(),
        }
    }

    /// The container it is about; empty for what is not about one.
    #[must_use]
    pub fn container(&self) -> &str {
        match self {
            Self::Cpu { container, .. }
            | Self::Memory { container, .. }
            | Self::OomKill { container, .. }
            | Self::Claim { container, .. } => container,
            _ => "",
        }
    }

    /// The pod or the caller it is about; empty for what is about neither.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::Cpu { pod, .. } | Self::Memory { pod, .. } | Self::OomKill { pod, .. } => {
                pod.clone()
            }
            Self::Calls { caller } => caller.to_string(),
            _ => String::new(),
        }
    }

    /// The opposite of [`What::metric`], [`What::container`] and [`What::subject`]; `None` for a metric of another version.
    pub(crate) fn of(metric: &str, container: &str, subject: &str) -> Option<Self> {
        let (container, pod) = (container.to_owned(), subject.to_owned());
        Some(match metric {
            "cpu" => Self::Cpu { container, pod },
            "memory" => Self::Memory { container, pod },
            "oom_kill" => Self::OomKill { container, pod },
            "request_rate" => Self::RequestRate,
            "replicas" => Self::Replicas,
            "calls" => Self::Calls { caller: WorkloadRef::from_str(subject).ok()? },
            metric => {
                let claimed = Claimed::ALL.into_iter().find(|claimed| claimed.as_str() == metric);
                let indicator = Indicator::ALL.into_iter().find(|i| i.as_str() == metric);
                let claim = claimed.map(|claimed| Self::Claim { container, claimed });
                claim.or(indicator.map(Self::Indicator))?
            }
        })
    }
}

impl fmt::Display for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [self.metric(), self.container(), &self.subject()];
        let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
        f.pad(&parts.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_by_its_three_columns() {
        let (container, pod) = ("server".to_owned(), "cart-0".to_owned());
        let mut all = vec![
            What::Cpu { container: container.clone(), pod: pod.clone() },
            What::Memory { container: container.clone(), pod: pod.clone() },
            What::OomKill { container: container.clone(), pod },
            What::RequestRate,
            What::Replicas,
            What::Calls { caller: "shop/StatefulSet/front".parse().unwrap() },
        ];
        all.extend(Indicator::ALL.map(What::Indicator));
        all.extend(
            Claimed::ALL.map(|claimed| What::Claim { container: container.clone(), claimed }),
        );
        for what in all {
            let again = What::of(what.metric(), what.container(), &what.subject());
            assert_eq!(again, Some(what));
        }
        assert_eq!(What::of("of tomorrow", "", ""), None);
        assert_eq!(What::of("calls", "", "no workload"), None);
    }
}
