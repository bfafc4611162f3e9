//! Checking what clients ask for.

use jiff::{SignedDuration, Timestamp};
use mora_core::{Quantile, RiskPrice, Signal, Step, WorkloadRef};
use mora_proto::{FieldError, step_from_wire, timestamp_from_wire, v1};

use crate::jobs::JobHeader;

const LONGEST_HORIZON: SignedDuration = SignedDuration::from_hours(7 * 24);
const MOST_QUANTILES: usize = 16;
const MOST_ROWS: u64 = 5_000_000;
const DEFAULT_QUANTILES: [f64; 4] = [0.5, 0.9, 0.95, 0.99];

/// A checked forecast request.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct PeakQuery {
    pub(crate) signals: Vec<Signal>,
    pub(crate) start: Timestamp,
    pub(crate) slots: usize,
    pub(crate) quantiles: Vec<Quantile>,
    pub(crate) risk_price: RiskPrice,
}

/// The query a request stands for, for a model with slots of width `slot` and data until `data_until`.
pub(crate) fn peak_query(
    request: &v1::ForecastPeakRequest,
    slot: Step,
    data_until: Timestamp,
) -> Result<PeakQuery, FieldError> {
    if let Some(asked) = request.slot {
        let asked = step_from_wire(Some(asked), "slot")?;
        if asked != slot {
            let problem = format!(
                "this model has slots of {} s; ask for that or train another",
                slot.seconds()
            );
            return Err(FieldError::new("slot", problem));
        }
    }
    Ok(PeakQuery {
        signals: signals(request)?,
        start: start(request, slot, data_until)?,
        slots: slots(request, slot)?,
        quantiles: quantiles(&request.quantiles)?,
        risk_price: risk_price(request.risk_price)?,
    })
}

fn risk_price(asked: Option<f64>) -> Result<RiskPrice, FieldError> {
    let price = asked.map(RiskPrice::new).transpose();
    Ok(price.map_err(|e| FieldError::new("risk_price", e))?.unwrap_or_default())
}

fn signals(request: &v1::ForecastPeakRequest) -> Result<Vec<Signal>, FieldError> {
    if request.signals.is_empty() {
        return Ok(Signal::ALL.to_vec());
    }
    let signal = |(index, signal): (usize, v1::Signal)| {
        Signal::try_from(signal).map_err(|e| e.within(&format!("signals[{index}]")))
    };
    request.signals().enumerate().map(signal).collect()
}

fn start(
    request: &v1::ForecastPeakRequest,
    slot: Step,
    data_until: Timestamp,
) -> Result<Timestamp, FieldError> {
    let earliest = slot.floor(data_until);
    let next = if earliest < data_until { earliest + slot.times(1) } else { earliest };
    if request.start.is_none() {
        return Ok(next);
    }
    let start = slot.floor(timestamp_from_wire(request.start, "start")?);
    if start < earliest {
        let problem = format!("is before {earliest}, where this model's data ends");
        return Err(FieldError::new("start", problem));
    }
    Ok(start)
}

fn slots(request: &v1::ForecastPeakRequest, slot: Step) -> Result<usize, FieldError> {
    let horizon = match request.horizon {
        None => SignedDuration::from_hours(24),
        Some(wire) => SignedDuration::new(wire.seconds, wire.nanos),
    };
    if horizon < slot.times(1) || horizon > LONGEST_HORIZON {
        let problem = format!("must be from one slot ({} s) to 7 days", slot.seconds());
        return Err(FieldError::new("horizon", problem));
    }
    Ok((horizon.as_secs() / i64::from(slot.seconds())) as usize)
}

fn quantiles(asked: &[f64]) -> Result<Vec<Quantile>, FieldError> {
    if asked.len() > MOST_QUANTILES {
        return Err(FieldError::new("quantiles", format!("at most {MOST_QUANTILES}")));
    }
    let asked = if asked.is_empty() { &DEFAULT_QUANTILES } else { asked };
    let quantile = |(index, probability): (usize, &f64)| {
        Quantile::new(*probability).map_err(|e| FieldError::new(&format!("quantiles[{index}]"), e))
    };
    asked.iter().enumerate().map(quantile).collect()
}

/// The checked header of an upload for `workload`.
pub(crate) fn job_header(header: v1::TrainHeader) -> Result<(WorkloadRef, JobHeader), FieldError> {
    let workload = mora_proto::required(header.workload.clone(), "workload")?;
    let columns = columns(&header)?;
    if header.rows == 0 || header.rows > MOST_ROWS {
        return Err(FieldError::new("rows", format!("must be from 1 to {MOST_ROWS}")));
    }
    let slot = match header.slot {
        None => Step::HOUR,
        Some(slot) => step_from_wire(Some(slot), "slot")?,
    };
    if !(900..=86_400).contains(&slot.seconds()) || 86_400 % slot.seconds() != 0 {
        return Err(FieldError::new(
            "slot",
            "must be from 15 minutes to 24 hours and divide a day",
        ));
    }
    let checked = JobHeader {
        id: job_id(header.job_id)?,
        columns,
        start: timestamp_from_wire(header.start, "start")?,
        step: step_from_wire(header.step, "step")?,
        rows: header.rows as usize,
        checksum: header.checksum,
        replicas: header.replicas,
        slot,
        seed: header.seed,
        force: header.force,
    };
    if checked.step > slot {
        return Err(FieldError::new("step", "must not be wider than a slot"));
    }
    Ok((workload, checked))
}

fn columns(header: &v1::TrainHeader) -> Result<Vec<Signal>, FieldError> {
    let mut columns = Vec::new();
    for (index, signal) in header.columns().enumerate() {
        let path = format!("columns[{index}]");
        let signal = Signal::try_from(signal).map_err(|e| e.within(&path))?;
        if columns.contains(&signal) {
            return Err(FieldError::new(&path, "is listed twice"));
        }
        columns.push(signal);
    }
    if columns.is_empty() {
        return Err(FieldError::new("columns", "must list at least one signal"));
    }
    Ok(columns)
}

fn job_id(id: String) -> Result<String, FieldError> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    if (1..=128).contains(&id.len()) && id.chars().all(allowed) {
        Ok(id)
    } else {
        Err(FieldError::new("job_id", "must be 1 to 128 letters, digits, `-`, `_` or `.`"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn ask(change: impl FnOnce(&mut v1::ForecastPeakRequest)) -> Result<PeakQuery, FieldError> {
        let mut request = v1::ForecastPeakRequest::default();
        change(&mut request);
        peak_query(&request, Step::HOUR, at(7200 + 60))
    }

    fn seconds(seconds: i64) -> prost_types::Duration {
        prost_types::Duration { seconds, nanos: 0 }
    }

    #[test]
    fn an_empty_request_asks_for_the_day_after_the_data() {
        let query = ask(|_| ()).unwrap();
        assert_eq!((query.start, query.slots, query.quantiles.len()), (at(3 * 3600), 24, 4));
        assert_eq!(query.signals, Signal::ALL);
        assert_eq!(query.risk_price, RiskPrice::DEFAULT);
    }

    #[test]
    fn every_field_out_of_range_is_named() {
        let path = |result: Result<PeakQuery, FieldError>| result.unwrap_err().path().to_owned();
        assert_eq!(path(ask(|r| r.horizon = Some(seconds(60)))), "horizon");
        assert_eq!(path(ask(|r| r.horizon = Some(seconds(8 * 86_400)))), "horizon");
        assert_eq!(path(ask(|r| r.slot = Some(seconds(900)))), "slot");
        assert_eq!(path(ask(|r| r.quantiles = vec![0.5, 1.0])), "quantiles[1]");
        assert_eq!(path(ask(|r| r.quantiles = vec![0.5; 17])), "quantiles");
        assert_eq!(path(ask(|r| r.signals = vec![1, 0])), "signals[1]");
        for price in [0.0, -80.0, f64::NAN, f64::INFINITY] {
            assert_eq!(path(ask(|r| r.risk_price = Some(price))), "risk_price");
        }
        let early = mora_proto::timestamp_to_wire(at(0));
        assert_eq!(path(ask(|r| r.start = Some(early))), "start");
    }

    #[test]
    fn a_header_out_of_range_is_named() {
        let header = v1::TrainHeader {
            job_id: "job-1".to_owned(),
            workload: Some((&"shop/cart".parse::<WorkloadRef>().unwrap()).into()),
            columns: vec![1],
            start: Some(mora_proto::timestamp_to_wire(at(0))),
            step: Some(seconds(60)),
            rows: 10,
            ..v1::TrainHeader::default()
        };
        assert!(job_header(header.clone()).is_ok());
        let path = |change: fn(&mut v1::TrainHeader)| {
            let mut bad = header.clone();
            change(&mut bad);
            job_header(bad).unwrap_err().path().to_owned()
        };
        assert_eq!(path(|h| h.job_id = "a b".to_owned()), "job_id");
        assert_eq!(path(|h| h.columns = vec![1, 1]), "columns[1]");
        assert_eq!(path(|h| h.columns.clear()), "columns");
        assert_eq!(path(|h| h.rows = 0), "rows");
        assert_eq!(path(|h| h.slot = Some(seconds(60))), "slot");
        assert_eq!(path(|h| h.step = Some(seconds(7200))), "step");
        assert_eq!(path(|h| h.workload = None), "workload");
    }
}
