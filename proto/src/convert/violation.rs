//! Violations, limits and what autoscalers should aim at.

use mora_core::{
    AutoscalerAdvice, Bytes, Limit, Limits, Millicores, Shortfall, Violation, ViolationKind,
};

use crate::v1::violation::Shortfall as WireShortfall;
use crate::{FieldError, required, v1};

impl From<Limits> for v1::Limits {
    fn from(limits: Limits) -> Self {
        Self {
            current_cpu_millicores: limits.cpu.current.map(Millicores::get),
            cpu_millicores: limits.cpu.target.map(Millicores::get),
            current_memory_bytes: limits.memory.current.map(Bytes::get),
            memory_bytes: limits.memory.target.map(Bytes::get),
            cpu_fixed: limits.cpu.fixed,
            memory_fixed: limits.memory.fixed,
        }
    }
}

impl From<v1::Limits> for Limits {
    fn from(wire: v1::Limits) -> Self {
        Self {
            cpu: Limit {
                current: wire.current_cpu_millicores.map(Millicores::new),
                target: wire.cpu_millicores.map(Millicores::new),
                fixed: wire.cpu_fixed,
            },
            memory: Limit {
                current: wire.current_memory_bytes.map(Bytes::new),
                target: wire.memory_bytes.map(Bytes::new),
                fixed: wire.memory_fixed,
            },
        }
    }
}

impl From<AutoscalerAdvice> for v1::AutoscalerAdvice {
    fn from(advice: AutoscalerAdvice) -> Self {
        Self {
            min_replicas: advice.min_replicas,
            max_replicas: advice.max_replicas,
            peak_replicas: advice.peak_replicas,
            current_target_percent: advice.current_target_percent,
            target_percent: advice.target_percent,
        }
    }
}

impl From<v1::AutoscalerAdvice> for AutoscalerAdvice {
    fn from(wire: v1::AutoscalerAdvice) -> Self {
        Self {
            min_replicas: wire.min_replicas,
            max_replicas: wire.max_replicas,
            peak_replicas: wire.peak_replicas,
            current_target_percent: wire.current_target_percent,
            target_percent: wire.target_percent,
        }
    }
}

impl From<ViolationKind> for v1::ViolationKind {
    fn from(kind: ViolationKind) -> Self {
        match kind {
            ViolationKind::LimitRange => Self::LimitRange,
            ViolationKind::Node => Self::Node,
            ViolationKind::Quota => Self::Quota,
            ViolationKind::Capacity => Self::Capacity,
            ViolationKind::BelowMinimum => Self::BelowMinimum,
            ViolationKind::Packing => Self::Packing,
        }
    }
}

impl TryFrom<v1::ViolationKind> for ViolationKind {
    type Error = FieldError;

    fn try_from(wire: v1::ViolationKind) -> Result<Self, FieldError> {
        let found = Self::ALL.into_iter().find(|kind| v1::ViolationKind::from(*kind) == wire);
        found.ok_or_else(|| FieldError::new("", "must be a kind of violation"))
    }
}

impl From<Shortfall> for WireShortfall {
    fn from(shortfall: Shortfall) -> Self {
        match shortfall {
            Shortfall::CpuRequest(amount) => Self::CpuRequestMillicores(amount.get()),
            Shortfall::CpuLimit(amount) => Self::CpuLimitMillicores(amount.get()),
            Shortfall::MemoryRequest(amount) => Self::MemoryRequestBytes(amount.get()),
            Shortfall::MemoryLimit(amount) => Self::MemoryLimitBytes(amount.get()),
        }
    }
}

impl From<WireShortfall> for Shortfall {
    fn from(wire: WireShortfall) -> Self {
        match wire {
            WireShortfall::CpuRequestMillicores(amount) => {
                Self::CpuRequest(Millicores::new(amount))
            }
            WireShortfall::CpuLimitMillicores(amount) => Self::CpuLimit(Millicores::new(amount)),
            WireShortfall::MemoryRequestBytes(amount) => Self::MemoryRequest(Bytes::new(amount)),
            WireShortfall::MemoryLimitBytes(amount) => Self::MemoryLimit(Bytes::new(amount)),
        }
    }
}

impl From<&Violation> for v1::Violation {
    fn from(violation: &Violation) -> Self {
        Self {
            kind: v1::ViolationKind::from(violation.kind).into(),
            workload: violation.workload.as_ref().map(Into::into),
            container: violation.container.clone(),
            place: violation.place.clone(),
            shortfall: Some(violation.shortfall.into()),
            reason: violation.reason.clone(),
        }
    }
}

impl TryFrom<v1::Violation> for Violation {
    type Error = FieldError;

    fn try_from(wire: v1::Violation) -> Result<Self, FieldError> {
        let kind = ViolationKind::try_from(wire.kind()).map_err(|e| e.within("kind"))?;
        let missing = || FieldError::new("shortfall", "is missing");
        Ok(Self {
            kind,
            workload: wire.workload.map(|w| required(Some(w), "workload")).transpose()?,
            container: wire.container,
            place: wire.place,
            shortfall: wire.shortfall.ok_or_else(missing)?.into(),
            reason: wire.reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_violation_and_every_resource_survives_the_wire() {
        let shortfalls = [
            Shortfall::CpuRequest(Millicores::new(1)),
            Shortfall::CpuLimit(Millicores::new(2)),
            Shortfall::MemoryRequest(Bytes::new(3)),
            Shortfall::MemoryLimit(Bytes::new(4)),
        ];
        for kind in ViolationKind::ALL {
            for shortfall in shortfalls {
                let violation = Violation {
                    kind,
                    workload: Some("shop/cart".parse().unwrap()),
                    container: None,
                    place: Some("shop/team".to_owned()),
                    shortfall,
                    reason: "it is full".to_owned(),
                };
                assert_eq!(Violation::try_from(v1::Violation::from(&violation)), Ok(violation));
            }
        }
    }

    #[test]
    fn a_violation_of_no_kind_is_refused() {
        let error = Violation::try_from(v1::Violation::default()).unwrap_err();
        assert_eq!(error.path(), "kind");
    }
}
