//! The reasoning behind a recommendation.

use jiff::Timestamp;
use mora_core::{Cause, Justification, Part};

use super::each;
use super::time::{timestamp_from_wire, timestamp_to_wire};
use crate::{FieldError, required, v1};

impl From<&Justification> for v1::Justification {
    fn from(justification: &Justification) -> Self {
        let caller = |(caller, rate): (&_, &f64)| v1::CallerShare {
            caller: Some(v1::WorkloadRef::from(caller)),
            request_rate: *rate,
        };
        Self {
            own_cpu_peak_cores: justification.own_cpu_peak,
            propagated_cpu_peak_cores: justification.propagated_cpu_peak,
            callers: justification.callers.iter().map(caller).collect(),
            own_weight: justification.own_weight,
            priority: justification.priority,
            pinball_ratio: justification.pinball_ratio,
            observed_coverage: justification.observed_coverage,
            origins: justification.origins,
            notes: justification.notes.clone(),
            request_record: justification.request_record.map(Into::into),
            cpu_parts: justification.cpu_parts.iter().map(|part| (*part).into()).collect(),
            memory_parts: justification.memory_parts.iter().map(|part| (*part).into()).collect(),
            data_from: justification.data_from.map(timestamp_to_wire),
            data_until: justification.data_until.map(timestamp_to_wire),
            decided_by: justification.decided_by.map(timestamp_to_wire),
        }
    }
}

impl TryFrom<v1::Justification> for Justification {
    type Error = FieldError;

    fn try_from(wire: v1::Justification) -> Result<Self, FieldError> {
        let mut callers = std::collections::BTreeMap::new();
        for (index, share) in wire.callers.into_iter().enumerate() {
            let caller = required(share.caller, "caller")
                .map_err(|e: FieldError| e.within(&format!("callers[{index}]")))?;
            callers.insert(caller, share.request_rate);
        }
        Ok(Self {
            own_cpu_peak: wire.own_cpu_peak_cores,
            propagated_cpu_peak: wire.propagated_cpu_peak_cores,
            callers,
            own_weight: wire.own_weight,
            priority: wire.priority,
            pinball_ratio: wire.pinball_ratio,
            observed_coverage: wire.observed_coverage,
            origins: wire.origins,
            request_record: wire
                .request_record
                .map(|record| required(Some(record), "request_record"))
                .transpose()?,
            cpu_parts: each(wire.cpu_parts, "cpu_parts")?,
            memory_parts: each(wire.memory_parts, "memory_parts")?,
            data_from: instant(wire.data_from, "data_from")?,
            data_until: instant(wire.data_until, "data_until")?,
            decided_by: instant(wire.decided_by, "decided_by")?,
            notes: wire.notes,
        })
    }
}

fn instant(
    wire: Option<prost_types::Timestamp>,
    name: &str,
) -> Result<Option<Timestamp>, FieldError> {
    wire.map(|time| timestamp_from_wire(Some(time), name)).transpose()
}

impl From<Part> for v1::Part {
    fn from(part: Part) -> Self {
        Self { cause: v1::Cause::from(part.cause).into(), amount: part.amount }
    }
}

impl TryFrom<v1::Part> for Part {
    type Error = FieldError;

    fn try_from(wire: v1::Part) -> Result<Self, FieldError> {
        let cause = Cause::try_from(wire.cause()).map_err(|e| e.within("cause"))?;
        Ok(Self { cause, amount: wire.amount })
    }
}

impl From<Cause> for v1::Cause {
    fn from(cause: Cause) -> Self {
        match cause {
            Cause::OwnForecast => Self::OwnForecast,
            Cause::Baseline => Self::Baseline,
            Cause::Margin => Self::Margin,
            Cause::LastHour => Self::LastHour,
            Cause::Callers => Self::Callers,
            Cause::History => Self::History,
            Cause::Replicas => Self::Replicas,
            Cause::Bounds => Self::Bounds,
            Cause::Cluster => Self::Cluster,
        }
    }
}

impl TryFrom<v1::Cause> for Cause {
    type Error = FieldError;

    fn try_from(wire: v1::Cause) -> Result<Self, FieldError> {
        Self::ALL
            .into_iter()
            .find(|cause| v1::Cause::from(*cause) == wire)
            .ok_or_else(|| FieldError::new("", "must be a cause"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cause_survives_the_wire_and_an_unspecified_one_is_refused() {
        for cause in Cause::ALL {
            assert_eq!(Cause::try_from(v1::Cause::from(cause)), Ok(cause));
        }
        let part = v1::Part { cause: 0, amount: 1 };
        assert_eq!(Part::try_from(part).unwrap_err().path(), "cause");
    }
}
