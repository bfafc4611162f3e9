//! Plans.

use mora_core::{
    Bytes, Capacity, Cut, Decision, ForecastPoint, Millicores, Plan, PlanStatus, PolicyRevision,
    Recommendation, Rung, Source, Target, Verdict,
};

use super::each;
use super::time::{duration_to_wire, step_from_wire, timestamp_from_wire, timestamp_to_wire};
use crate::{FieldError, required, v1};

impl From<&Plan> for v1::Plan {
    fn from(plan: &Plan) -> Self {
        Self {
            plan_id: plan.id.clone(),
            create_time: Some(timestamp_to_wire(plan.created_at)),
            status: v1::PlanStatus::from(plan.status).into(),
            start: Some(timestamp_to_wire(plan.start)),
            slot: Some(duration_to_wire(plan.slot.times(1))),
            capacity: plan.capacity.map(Into::into),
            recommendations: plan.recommendations.iter().map(Into::into).collect(),
            cuts: plan.cuts.iter().map(Into::into).collect(),
            warnings: plan.warnings.clone(),
            violations: plan.violations.iter().map(Into::into).collect(),
            policy: plan.policy.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<v1::Plan> for Plan {
    type Error = FieldError;

    fn try_from(wire: v1::Plan) -> Result<Self, FieldError> {
        let status = PlanStatus::try_from(wire.status()).map_err(|e| e.within("status"))?;
        Ok(Self {
            schema: Self::SCHEMA,
            id: wire.plan_id,
            created_at: timestamp_from_wire(wire.create_time, "create_time")?,
            status,
            start: timestamp_from_wire(wire.start, "start")?,
            slot: step_from_wire(wire.slot, "slot")?,
            policy: wire.policy.map(Into::into),
            capacity: wire.capacity.map(|c| required(Some(c), "capacity")).transpose()?,
            recommendations: each(wire.recommendations, "recommendations")?,
            cuts: each(wire.cuts, "cuts")?,
            violations: each(wire.violations, "violations")?,
            warnings: wire.warnings,
        })
    }
}

impl From<&PolicyRevision> for v1::PolicyRevision {
    fn from(policy: &PolicyRevision) -> Self {
        let PolicyRevision { namespace, name, generation } = policy.clone();
        Self { namespace, name, generation }
    }
}

impl From<v1::PolicyRevision> for PolicyRevision {
    fn from(wire: v1::PolicyRevision) -> Self {
        let v1::PolicyRevision { namespace, name, generation } = wire;
        Self { namespace, name, generation }
    }
}

impl From<PlanStatus> for v1::PlanStatus {
    fn from(status: PlanStatus) -> Self {
        match status {
            PlanStatus::Complete => Self::Complete,
            PlanStatus::Degraded => Self::Degraded,
            PlanStatus::Violation => Self::Violation,
        }
    }
}

impl TryFrom<v1::PlanStatus> for PlanStatus {
    type Error = FieldError;

    fn try_from(wire: v1::PlanStatus) -> Result<Self, FieldError> {
        match wire {
            v1::PlanStatus::Complete => Ok(Self::Complete),
            v1::PlanStatus::Degraded => Ok(Self::Degraded),
            v1::PlanStatus::Violation => Ok(Self::Violation),
            v1::PlanStatus::Unspecified => Err(FieldError::new("", "must be a status")),
        }
    }
}

impl From<Capacity> for v1::Capacity {
    fn from(capacity: Capacity) -> Self {
        Self {
            cpu_allocatable_millicores: capacity.cpu_allocatable.get(),
            memory_allocatable_bytes: capacity.memory_allocatable.get(),
            cpu_unmanaged_millicores: capacity.cpu_unmanaged.get(),
            memory_unmanaged_bytes: capacity.memory_unmanaged.get(),
            cap: capacity.cap,
        }
    }
}

impl TryFrom<v1::Capacity> for Capacity {
    type Error = FieldError;

    fn try_from(wire: v1::Capacity) -> Result<Self, FieldError> {
        if !(wire.cap > 0.0 && wire.cap <= 1.0) {
            return Err(FieldError::new("cap", "must be above 0 and at most 1"));
        }
        Ok(Self {
            cpu_allocatable: Millicores::new(wire.cpu_allocatable_millicores),
            memory_allocatable: Bytes::new(wire.memory_allocatable_bytes),
            cpu_unmanaged: Millicores::new(wire.cpu_unmanaged_millicores),
            memory_unmanaged: Bytes::new(wire.memory_unmanaged_bytes),
            cap: wire.cap,
        })
    }
}

impl From<&Recommendation> for v1::Recommendation {
    fn from(recommendation: &Recommendation) -> Self {
        Self {
            workload: Some((&recommendation.workload).into()),
            container: recommendation.container.clone(),
            replicas: recommendation.replicas,
            cpu: Some(recommendation.cpu.into()),
            memory: Some(recommendation.memory.into()),
            schedule: recommendation.schedule.iter().map(|point| (*point).into()).collect(),
            source: Some((&recommendation.source).into()),
            justification: Some((&recommendation.justification).into()),
            decision: recommendation.decision.as_ref().map(Into::into),
            limits: Some(recommendation.limits.into()),
            autoscaler: recommendation.autoscaler.map(Into::into),
        }
    }
}

impl TryFrom<v1::Recommendation> for Recommendation {
    type Error = FieldError;

    fn try_from(wire: v1::Recommendation) -> Result<Self, FieldError> {
        Ok(Self {
            workload: required(wire.workload, "workload")?,
            container: wire.container,
            replicas: wire.replicas,
            cpu: wire.cpu.ok_or_else(|| FieldError::new("cpu", "is missing"))?.into(),
            memory: wire.memory.ok_or_else(|| FieldError::new("memory", "is missing"))?.into(),
            schedule: each(wire.schedule, "schedule")?,
            source: required(wire.source, "source")?,
            justification: required(wire.justification, "justification")?,
            decision: wire.decision.map(|d| required(Some(d), "decision")).transpose()?,
            // Absent in plans of coordinators that do not know of limits.
            limits: wire.limits.map(Into::into).unwrap_or_default(),
            autoscaler: wire.autoscaler.map(Into::into),
        })
    }
}

impl From<&Decision> for v1::Decision {
    fn from(decision: &Decision) -> Self {
        Self {
            verdict: v1::Verdict::from(decision.verdict).into(),
            cpu_millicores: decision.cpu.map(Millicores::get),
            memory_bytes: decision.memory.map(Bytes::get),
            wave: decision.wave,
            reason: decision.reason.clone(),
        }
    }
}

impl TryFrom<v1::Decision> for Decision {
    type Error = FieldError;

    fn try_from(wire: v1::Decision) -> Result<Self, FieldError> {
        Ok(Self {
            verdict: Verdict::try_from(wire.verdict()).map_err(|e| e.within("verdict"))?,
            cpu: wire.cpu_millicores.map(Millicores::new),
            memory: wire.memory_bytes.map(Bytes::new),
            wave: wire.wave,
            reason: wire.reason,
        })
    }
}

impl From<Verdict> for v1::Verdict {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Raise => Self::Raise,
            Verdict::Lower => Self::Lower,
            Verdict::Hold => Self::Hold,
            Verdict::RollBack => Self::RollBack,
        }
    }
}

impl TryFrom<v1::Verdict> for Verdict {
    type Error = FieldError;

    fn try_from(wire: v1::Verdict) -> Result<Self, FieldError> {
        match wire {
            v1::Verdict::Raise => Ok(Self::Raise),
            v1::Verdict::Lower => Ok(Self::Lower),
            v1::Verdict::Hold => Ok(Self::Hold),
            v1::Verdict::RollBack => Ok(Self::RollBack),
            v1::Verdict::Unspecified => Err(FieldError::new("", "must be a verdict")),
        }
    }
}

impl From<Target<Millicores>> for v1::CpuTarget {
    fn from(target: Target<Millicores>) -> Self {
        Self {
            current_millicores: target.current.map(Millicores::get),
            target_millicores: target.target.get(),
            lower_bound_millicores: target.lower_bound.get(),
            upper_bound_millicores: target.upper_bound.get(),
            uncapped_target_millicores: target.uncapped_target.get(),
        }
    }
}

impl From<v1::CpuTarget> for Target<Millicores> {
    fn from(wire: v1::CpuTarget) -> Self {
        Self {
            current: wire.current_millicores.map(Millicores::new),
            target: Millicores::new(wire.target_millicores),
            lower_bound: Millicores::new(wire.lower_bound_millicores),
            upper_bound: Millicores::new(wire.upper_bound_millicores),
            uncapped_target: Millicores::new(wire.uncapped_target_millicores),
        }
    }
}

impl From<Target<Bytes>> for v1::MemoryTarget {
    fn from(target: Target<Bytes>) -> Self {
        Self {
            current_bytes: target.current.map(Bytes::get),
            target_bytes: target.target.get(),
            lower_bound_bytes: target.lower_bound.get(),
            upper_bound_bytes: target.upper_bound.get(),
            uncapped_target_bytes: target.uncapped_target.get(),
        }
    }
}

impl From<v1::MemoryTarget> for Target<Bytes> {
    fn from(wire: v1::MemoryTarget) -> Self {
        Self {
            current: wire.current_bytes.map(Bytes::new),
            target: Bytes::new(wire.target_bytes),
            lower_bound: Bytes::new(wire.lower_bound_bytes),
            upper_bound: Bytes::new(wire.upper_bound_bytes),
            uncapped_target: Bytes::new(wire.uncapped_target_bytes),
        }
    }
}

impl From<ForecastPoint> for v1::ScheduledRequest {
    fn from(point: ForecastPoint) -> Self {
        Self {
            start: Some(timestamp_to_wire(point.start)),
            cpu_millicores: point.cpu.get(),
            memory_bytes: point.memory.get(),
        }
    }
}

impl TryFrom<v1::ScheduledRequest> for ForecastPoint {
    type Error = FieldError;

    fn try_from(wire: v1::ScheduledRequest) -> Result<Self, FieldError> {
        Ok(Self {
            start: timestamp_from_wire(wire.start, "start")?,
            cpu: Millicores::new(wire.cpu_millicores),
            memory: Bytes::new(wire.memory_bytes),
        })
    }
}

impl From<&Source> for v1::Source {
    fn from(source: &Source) -> Self {
        use v1::source::Kind;
        let kind = match source {
            Source::Forecast { rung, model_version } => Kind::Forecast(v1::ForecastSource {
                rung: v1::Rung::from(*rung).into(),
                model_version: model_version.clone(),
            }),
            Source::Baseline { reason } => {
                Kind::Baseline(v1::BaselineSource { reason: reason.clone() })
            }
            Source::Statistical => Kind::Statistical(v1::StatisticalSource {}),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<v1::Source> for Source {
    type Error = FieldError;

    fn try_from(wire: v1::Source) -> Result<Self, FieldError> {
        use v1::source::Kind;
        match wire.kind.ok_or_else(|| FieldError::new("kind", "is missing"))? {
            Kind::Forecast(forecast) => Ok(Self::Forecast {
                rung: Rung::try_from(forecast.rung()).map_err(|e| e.within("forecast.rung"))?,
                model_version: forecast.model_version,
            }),
            Kind::Baseline(baseline) => Ok(Self::Baseline { reason: baseline.reason }),
            Kind::Statistical(_) => Ok(Self::Statistical),
        }
    }
}

impl From<&Cut> for v1::Cut {
    fn from(cut: &Cut) -> Self {
        Self {
            workload: Some((&cut.workload).into()),
            container: cut.container.clone(),
            cpu_millicores: cut.cpu.get(),
            memory_bytes: cut.memory.get(),
            reason: cut.reason.clone(),
        }
    }
}

impl TryFrom<v1::Cut> for Cut {
    type Error = FieldError;

    fn try_from(wire: v1::Cut) -> Result<Self, FieldError> {
        Ok(Self {
            workload: required(wire.workload, "workload")?,
            container: wire.container,
            cpu: Millicores::new(wire.cpu_millicores),
            memory: Bytes::new(wire.memory_bytes),
            reason: wire.reason,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use mora_core::{
        AutoscalerAdvice, Cause, Justification, Limit, Limits, Part, RequestRecord, Shortfall,
        Step, Violation, ViolationKind,
    };

    fn recommendation() -> Recommendation {
        let cpu = |m| Millicores::new(m);
        let memory = |m| Bytes::from_mebibytes(m);
        Recommendation {
            workload: "shop/cart".parse().unwrap(),
            container: "server".to_owned(),
            replicas: 2,
            cpu: Target {
                current: Some(cpu(100)),
                target: cpu(80),
                lower_bound: cpu(50),
                upper_bound: cpu(90),
                uncapped_target: cpu(85),
            },
            memory: Target {
                current: None,
                target: memory(64),
                lower_bound: memory(60),
                upper_bound: memory(70),
                uncapped_target: memory(64),
            },
            limits: Limits {
                cpu: Limit { current: Some(cpu(200)), target: Some(cpu(160)), fixed: true },
                memory: Limit { current: Some(memory(128)), target: None, fixed: false },
            },
            autoscaler: Some(AutoscalerAdvice {
                min_replicas: 1,
                max_replicas: 9,
                peak_replicas: 2,
                current_target_percent: 50,
                target_percent: 62,
            }),
            schedule: vec![ForecastPoint {
                start: Timestamp::UNIX_EPOCH,
                cpu: cpu(80),
                memory: memory(64),
            }],
            source: Source::Forecast { rung: Rung::Ensemble, model_version: "v1".to_owned() },
            justification: Justification {
                callers: [("shop/frontend".parse().unwrap(), 3.5)].into(),
                own_weight: Some(0.6),
                request_record: Some(RequestRecord {
                    price: 80.0,
                    overhead: 1.3,
                    above: 0.01,
                    days: 11,
                }),
                cpu_parts: vec![Part { cause: Cause::Margin, amount: -5 }],
                memory_parts: vec![Part { cause: Cause::OwnForecast, amount: 64 << 20 }],
                data_from: Some(Timestamp::UNIX_EPOCH),
                decided_by: Some(Timestamp::UNIX_EPOCH),
                ..Justification::default()
            },
            decision: Some(Decision {
                verdict: Verdict::Lower,
                cpu: Some(cpu(90)),
                memory: None,
                wave: Some(2),
                reason: "a step down".to_owned(),
            }),
        }
    }

    fn plan() -> Plan {
        Plan {
            schema: Plan::SCHEMA,
            id: "p1".to_owned(),
            created_at: Timestamp::UNIX_EPOCH,
            status: PlanStatus::Violation,
            start: Timestamp::UNIX_EPOCH,
            slot: Step::HOUR,
            policy: Some(PolicyRevision {
                namespace: "mora".to_owned(),
                name: "default".to_owned(),
                generation: 3,
            }),
            capacity: Some(Capacity {
                cpu_allocatable: Millicores::new(4000),
                memory_allocatable: Bytes::from_mebibytes(8192),
                cpu_unmanaged: Millicores::ZERO,
                memory_unmanaged: Bytes::ZERO,
                cap: 0.8,
            }),
            recommendations: vec![recommendation()],
            cuts: vec![Cut {
                workload: "shop/cart".parse().unwrap(),
                container: "server".to_owned(),
                cpu: Millicores::new(10),
                memory: Bytes::ZERO,
                reason: "over the cap".to_owned(),
            }],
            violations: vec![Violation {
                kind: ViolationKind::Capacity,
                workload: Some("shop/cart".parse().unwrap()),
                container: Some("server".to_owned()),
                place: None,
                shortfall: Shortfall::CpuRequest(Millicores::new(10)),
                reason: "over the cap".to_owned(),
            }],
            warnings: vec!["small cluster".to_owned()],
        }
    }

    #[test]
    fn a_plan_survives_the_wire() {
        assert_eq!(Plan::try_from(v1::Plan::from(&plan())), Ok(plan()));
    }

    #[test]
    fn a_bad_recommendation_is_named_by_its_path() {
        let mut wire = v1::Plan::from(&plan());
        wire.recommendations[0].source = Some(v1::Source { kind: None });
        let error = Plan::try_from(wire).unwrap_err();
        assert_eq!(error.path(), "recommendations[0].source.kind");
        let mut wire = v1::Plan::from(&plan());
        wire.recommendations[0].decision = Some(v1::Decision::default());
        let error = Plan::try_from(wire).unwrap_err();
        assert_eq!(error.path(), "recommendations[0].decision.verdict");
    }
}
