//! Forecasts.

use std::collections::BTreeMap;

use mora_core::{
    Confidence, Forecast, MemberWeight, Quantile, RequestRecord, RiskPrice, Rung, Signal,
    SignalForecast, Skill,
};

use super::time::{duration_to_wire, step_from_wire, timestamp_from_wire, timestamp_to_wire};
use super::{amount, each, finite};
use crate::{FieldError, required, v1};

impl From<&Forecast> for v1::ForecastPeakResponse {
    fn from(forecast: &Forecast) -> Self {
        let age = forecast.start.duration_since(forecast.data_until);
        Self {
            workload: Some((&forecast.workload).into()),
            model_version: forecast.model_version.clone(),
            start: Some(timestamp_to_wire(forecast.start)),
            slot: Some(duration_to_wire(forecast.slot.times(1))),
            data_until: Some(timestamp_to_wire(forecast.data_until)),
            replicas: forecast.replicas,
            signals: forecast
                .signals
                .keys()
                .map(|signal| signal_to_wire(forecast, *signal))
                .collect(),
            warnings: forecast.warnings.clone(),
            data_age: Some(duration_to_wire(age.max(jiff::SignedDuration::ZERO))),
        }
    }
}

fn signal_to_wire(forecast: &Forecast, signal: Signal) -> v1::SignalForecast {
    let paths = forecast.signals[&signal].paths.iter().map(|(quantile, values)| v1::QuantilePath {
        quantile: quantile.get(),
        values: values.clone(),
        peak: forecast
            .peak(signal, *quantile)
            .map(|peak| v1::Peak { time: Some(timestamp_to_wire(peak.at)), value: peak.value }),
    });
    v1::SignalForecast {
        signal: v1::Signal::from(signal).into(),
        paths: paths.collect(),
        ..(&forecast.signals[&signal]).into()
    }
}

impl From<&SignalForecast> for v1::SignalForecast {
    /// Without the signal's name and its paths, which need the schedule they belong to.
    fn from(forecast: &SignalForecast) -> Self {
        Self {
            signal: v1::Signal::Unspecified.into(),
            paths: Vec::new(),
            rung: v1::Rung::from(forecast.rung).into(),
            members: forecast.members.iter().map(Into::into).collect(),
            skill: Some(forecast.skill.into()),
            confidence: forecast.confidence.map(Into::into),
            requests: forecast.requests.clone(),
            request_records: forecast.request_records.iter().map(|r| (*r).into()).collect(),
        }
    }
}

impl From<RequestRecord> for v1::RequestRecord {
    fn from(record: RequestRecord) -> Self {
        Self {
            risk_price: record.price,
            overhead_ratio: record.overhead,
            above_share: record.above,
            days: record.days,
        }
    }
}

impl TryFrom<v1::RequestRecord> for RequestRecord {
    type Error = FieldError;

    fn try_from(wire: v1::RequestRecord) -> Result<Self, FieldError> {
        let price =
            RiskPrice::new(wire.risk_price).map_err(|e| FieldError::new("risk_price", e))?;
        if !(0.0..=1.0).contains(&wire.above_share) {
            return Err(FieldError::new("above_share", "must be from 0 to 1"));
        }
        Ok(Self {
            price: price.get(),
            overhead: amount(wire.overhead_ratio, "overhead_ratio")?,
            above: wire.above_share,
            days: wire.days,
        })
    }
}

impl From<&MemberWeight> for v1::MemberWeight {
    fn from(member: &MemberWeight) -> Self {
        Self { member: member.member.clone(), weight: member.weight }
    }
}

impl From<Skill> for v1::Skill {
    fn from(skill: Skill) -> Self {
        Self { pinball_ratio: skill.pinball_ratio, origins: skill.origins }
    }
}

impl From<Confidence> for v1::Confidence {
    fn from(confidence: Confidence) -> Self {
        Self {
            stated: confidence.stated.get(),
            observed: confidence.observed,
            slots: confidence.slots,
        }
    }
}

impl TryFrom<v1::Skill> for Skill {
    type Error = FieldError;

    fn try_from(wire: v1::Skill) -> Result<Self, FieldError> {
        let ratio = wire.pinball_ratio.map(|ratio| finite(ratio, "pinball_ratio")).transpose()?;
        Ok(Self { pinball_ratio: ratio, origins: wire.origins })
    }
}

impl TryFrom<v1::Confidence> for Confidence {
    type Error = FieldError;

    fn try_from(wire: v1::Confidence) -> Result<Self, FieldError> {
        let stated = Quantile::new(wire.stated).map_err(|e| FieldError::new("stated", e))?;
        Ok(Self { stated, observed: finite(wire.observed, "observed")?, slots: wire.slots })
    }
}

impl TryFrom<v1::MemberWeight> for MemberWeight {
    type Error = FieldError;

    fn try_from(wire: v1::MemberWeight) -> Result<Self, FieldError> {
        Ok(Self { weight: finite(wire.weight, "weight")?, member: wire.member })
    }
}

impl TryFrom<v1::ForecastPeakResponse> for Forecast {
    type Error = FieldError;

    fn try_from(wire: v1::ForecastPeakResponse) -> Result<Self, FieldError> {
        let mut signals = BTreeMap::new();
        for (index, signal) in wire.signals.into_iter().enumerate() {
            let (name, forecast) =
                signal_from_wire(signal).map_err(|e| e.within(&format!("signals[{index}]")))?;
            signals.insert(name, forecast);
        }
        Ok(Self {
            workload: required(wire.workload, "workload")?,
            model_version: wire.model_version,
            start: timestamp_from_wire(wire.start, "start")?,
            slot: step_from_wire(wire.slot, "slot")?,
            data_until: timestamp_from_wire(wire.data_until, "data_until")?,
            replicas: wire.replicas,
            signals,
            warnings: wire.warnings,
        })
    }
}

fn signal_from_wire(wire: v1::SignalForecast) -> Result<(Signal, SignalForecast), FieldError> {
    let signal = Signal::try_from(wire.signal()).map_err(|e| e.within("signal"))?;
    let rung = Rung::try_from(wire.rung()).map_err(|e| e.within("rung"))?;
    for (index, value) in wire.requests.iter().enumerate() {
        amount(*value, "").map_err(|e| e.within(&format!("requests[{index}]")))?;
    }
    let forecast = SignalForecast {
        requests: wire.requests,
        request_records: each(wire.request_records, "request_records")?,
        paths: each::<_, Path>(wire.paths, "paths")?.into_iter().map(|p| (p.0, p.1)).collect(),
        rung,
        members: each(wire.members, "members")?,
        skill: required(wire.skill, "skill")?,
        confidence: wire.confidence.map(|c| required(Some(c), "confidence")).transpose()?,
    };
    Ok((signal, forecast))
}

struct Path(Quantile, Vec<f64>);

impl TryFrom<v1::QuantilePath> for Path {
    type Error = FieldError;

    fn try_from(wire: v1::QuantilePath) -> Result<Self, FieldError> {
        let quantile = Quantile::new(wire.quantile).map_err(|e| FieldError::new("quantile", e))?;
        for (index, value) in wire.values.iter().enumerate() {
            finite(*value, "").map_err(|e| e.within(&format!("values[{index}]")))?;
        }
        Ok(Self(quantile, wire.values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use mora_core::Step;

    fn forecast() -> Forecast {
        let quantile = |q| Quantile::new(q).unwrap();
        let cpu = SignalForecast {
            paths: [(quantile(0.5), vec![0.1, 0.2]), (quantile(0.99), vec![0.4, 0.3])].into(),
            requests: vec![0.3, 0.25],
            request_records: vec![RequestRecord {
                price: 80.0,
                overhead: 1.3,
                above: 0.01,
                days: 11,
            }],
            rung: Rung::Ensemble,
            members: vec![MemberWeight { member: "lstm".to_owned(), weight: 1.0 }],
            skill: Skill { pinball_ratio: Some(0.7), origins: 14 },
            confidence: Some(Confidence { stated: quantile(0.95), observed: 0.94, slots: 336 }),
        };
        Forecast {
            workload: "shop/cart".parse().unwrap(),
            model_version: "20260301T000000Z-1".to_owned(),
            start: Timestamp::UNIX_EPOCH,
            slot: Step::HOUR,
            data_until: Timestamp::UNIX_EPOCH,
            replicas: 2,
            signals: [(Signal::Cpu, cpu)].into(),
            warnings: vec!["young data".to_owned()],
        }
    }

    #[test]
    fn a_forecast_survives_the_wire() {
        let wire = v1::ForecastPeakResponse::from(&forecast());
        assert_eq!(wire.signals[0].paths[1].peak.as_ref().map(|p| p.value), Some(0.4));
        assert_eq!(Forecast::try_from(wire), Ok(forecast()));
    }

    #[test]
    fn a_number_that_is_none_is_named_by_its_path() {
        let mut wire = v1::ForecastPeakResponse::from(&forecast());
        wire.signals[0].paths[1].values[0] = f64::NAN;
        let error = Forecast::try_from(wire).unwrap_err();
        assert_eq!(error.path(), "signals[0].paths[1].values[0]");
        let path = |change: fn(&mut v1::SignalForecast)| {
            let mut wire = v1::ForecastPeakResponse::from(&forecast());
            change(&mut wire.signals[0]);
            Forecast::try_from(wire).unwrap_err().path().to_owned()
        };
        assert_eq!(path(|s| s.requests[1] = f64::INFINITY), "signals[0].requests[1]");
        assert_eq!(path(|s| s.requests[0] = -0.1), "signals[0].requests[0]");
        let record = "signals[0].request_records[0]";
        assert_eq!(path(|s| s.request_records[0].risk_price = 0.0), format!("{record}.risk_price"));
        assert_eq!(
            path(|s| s.request_records[0].above_share = f64::NAN),
            format!("{record}.above_share")
        );
        assert_eq!(
            path(|s| s.request_records[0].overhead_ratio = -1.0),
            format!("{record}.overhead_ratio")
        );
    }
}
