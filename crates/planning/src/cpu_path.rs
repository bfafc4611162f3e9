//! Which path of a forecast becomes the CPU request, and why.

use mora_core::{RequestRecord, SignalForecast};

use crate::aggregate::path_at;
use crate::{CpuPath, Policy};

/// The path that becomes the CPU request, before the callers' load has changed it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Chosen<'a> {
    /// Cores over all replicas per slot.
    pub(crate) path: &'a [f64],
    /// What requests by this rule would have cost; `None` where it is not known.
    pub(crate) record: Option<RequestRecord>,
    /// Which rule it was, each a sentence.
    pub(crate) notes: Vec<String>,
}

impl<'a> Chosen<'a> {
    /// The path `policy` wants of `signal`; the quantile's where the worker answers no request path, and `None` where
    /// there is not even that.
    pub(crate) fn new(signal: &'a SignalForecast, policy: &Policy) -> Option<Self> {
        match policy.cpu_path {
            CpuPath::LeastCost if !signal.requests.is_empty() => {
                Some(Self::least_cost(signal, policy))
            }
            CpuPath::LeastCost => {
                let mut chosen = Self::quantile(signal, policy)?;
                let reason = "its worker answers no request path of least cost, so a quantile is used instead";
                chosen.notes.insert(0, reason.to_owned());
                Some(chosen)
            }
            CpuPath::Quantile => Self::quantile(signal, policy),
        }
    }

    fn least_cost(signal: &'a SignalForecast, policy: &Policy) -> Self {
        let price = policy.risk_price;
        let record = signal.record_nearest(price).filter(|record| record.days > 0);
        let rule = format!("CPU follows the path of least cost at a risk price of {price}");
        let note = match record {
            None => format!("{rule}; its history is too short to say what that would have cost"),
            Some(record) => format!("{rule}; {}", observed(&record)),
        };
        Self { path: &signal.requests, record, notes: vec![note] }
    }

    fn quantile(signal: &'a SignalForecast, policy: &Policy) -> Option<Self> {
        let wanted = policy.quantile;
        let (found, path) = path_at(signal, wanted)?;
        let mut notes = vec![format!("CPU follows the {found} quantile of its forecast")];
        if found != wanted {
            let note =
                format!("its worker answers no quantile {wanted}, so {found} is used instead");
            notes.push(note);
        }
        Some(Self { path, record: None, notes })
    }
}

/// What was observed, as the rest of a sentence.
fn observed(record: &RequestRecord) -> String {
    let RequestRecord { price, overhead, above, days } = record;
    let days = if *days == 1 { "the last day".to_owned() } else { format!("the last {days} days") };
    format!(
        "on {days} the price {price} would have requested {overhead:.2} cores per core used, with usage above the request in {:.2} % of samples",
        above * 100.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use mora_core::{Quantile, RiskPrice, Rung, Skill};

    fn signal(requests: &[f64], records: Vec<RequestRecord>) -> SignalForecast {
        let path = |q, value| (Quantile::new(q).unwrap(), vec![value; 2]);
        SignalForecast {
            paths: [path(0.5, 1.0), path(0.99, 3.0)].into(),
            requests: requests.to_vec(),
            request_records: records,
            rung: Rung::Ensemble,
            members: Vec::new(),
            skill: Skill { pinball_ratio: None, origins: 0 },
            confidence: None,
        }
    }

    fn record(price: f64) -> RequestRecord {
        RequestRecord { price, overhead: 1.234, above: 0.0056, days: 12 }
    }

    #[test]
    fn the_path_of_least_cost_says_what_its_price_would_have_cost() {
        let signal = signal(&[2.0, 1.5], vec![record(40.0), record(80.0)]);
        let chosen = Chosen::new(&signal, &Policy::default()).unwrap();
        assert_eq!(chosen.path, [2.0, 1.5]);
        assert_eq!(chosen.record, Some(record(80.0)));
        let note = &chosen.notes[0];
        for part in ["risk price of 80", "last 12 days", "1.23 cores", "0.56 %"] {
            assert!(note.contains(part), "{note}");
        }
        let policy = Policy { risk_price: RiskPrice::new(30.0).unwrap(), ..Policy::default() };
        let note = &Chosen::new(&signal, &policy).unwrap().notes[0];
        assert!(note.contains("risk price of 30") && note.contains("the price 40"), "{note}");
    }

    #[test]
    fn a_history_too_short_for_a_record_is_said_so() {
        let fresh = RequestRecord { days: 0, ..record(80.0) };
        for records in [Vec::new(), vec![fresh]] {
            let signal = signal(&[2.0, 1.5], records);
            let chosen = Chosen::new(&signal, &Policy::default()).unwrap();
            assert_eq!((chosen.path, chosen.record), (&[2.0, 1.5][..], None));
            assert!(chosen.notes[0].contains("too short"), "{:?}", chosen.notes);
        }
    }

    #[test]
    fn a_worker_without_a_request_path_is_held_to_the_quantile_with_a_note() {
        let signal = signal(&[], Vec::new());
        let chosen = Chosen::new(&signal, &Policy::default()).unwrap();
        assert_eq!(chosen.path, [3.0, 3.0]);
        assert!(chosen.notes[0].contains("answers no request path"), "{:?}", chosen.notes);
    }

    #[test]
    fn a_policy_that_wants_a_quantile_gets_that_or_the_next_with_a_note() {
        let signal = signal(&[2.0, 1.5], vec![record(80.0)]);
        let policy = |q| Policy {
            cpu_path: CpuPath::Quantile,
            quantile: Quantile::new(q).unwrap(),
            ..Policy::default()
        };
        let chosen = |q| Chosen::new(&signal, &policy(q)).unwrap();
        assert_eq!((chosen(0.5).path, chosen(0.5).record), (&[1.0, 1.0][..], None));
        assert_eq!(chosen(0.99).notes, ["CPU follows the 0.99 quantile of its forecast"]);
        assert!(chosen(0.9).notes[1].contains("no quantile 0.9, so 0.99"));
    }
}
