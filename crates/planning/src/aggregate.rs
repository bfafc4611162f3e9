//! One workload's CPU once its own forecast and what its callers will send are brought together.

use std::collections::{BTreeMap, BTreeSet};

use mora_core::{
    CallRatio, Forecast, Justification, Quantile, Signal, SignalForecast, Step, WorkloadRef,
};

use crate::evidence::Inputs;
use crate::load_to_cpu::{LoadToCpu, elasticity};
use crate::normal::normal_quantile;
use crate::propagate::{Load, Traffic, propagate};
use crate::{Evidence, Observed};

/// An entry that is forecast this far above all it ever received is heading for unseen load.
const SURGE: f64 = 1.1;
/// An entry that causes less than this share of a workload's load does not decide about it.
const MINOR_SHARE: f64 = 0.1;
/// A path is multiplied by at most this for the callers' load: CPU without a measured slope follows no further.
const MOST_FACTOR: f64 = 2.0;
/// A caller throttled in this share of its history sent less than it would have.
const OFTEN_THROTTLED: f64 = 0.05;
/// Pinball loss over the baseline's where no back-test says better.
const UNKNOWN_LOSS: f64 = 1.0;

/// The forecast of each workload that answers the plan's slots, else why there is none.
type Answers<'a> = BTreeMap<&'a WorkloadRef, Result<&'a Forecast, String>>;

/// The application as a whole: its load, and where that leaves what was ever seen.
pub(crate) struct Application<'a> {
    pub(crate) inputs: Inputs<'a>,
    /// What every workload's worker answered, checked once.
    answers: Answers<'a>,
    quantile: Quantile,
    pub(crate) traffic: Traffic,
    surges: BTreeMap<WorkloadRef, Vec<bool>>,
    /// By what unusual load of the last hour multiplied the slots of a workload's own forecast.
    unusual: BTreeMap<WorkloadRef, Vec<f64>>,
    /// The workloads that their CPU limit often held back.
    throttled: BTreeSet<&'a WorkloadRef>,
    steps_per_slot: u32,
}

/// What the callers' load changes about a workload's CPU, and why.
pub(crate) struct AdjustedCpu {
    /// The change of each slot.
    changes: Vec<Change>,
    /// The highest slot of the path the changes were found for.
    own_peak: f64,
    pub(crate) justification: Justification,
}

impl AdjustedCpu {
    /// A path of the forecast, in cores over all replicas, after the change.
    ///
    /// What is added keeps the distance that the two paths have where they are highest.
    pub(crate) fn adjusted(&self, path: &[f64]) -> Vec<f64> {
        let distance = if self.own_peak > 0.0 { highest(path) / self.own_peak } else { 1.0 };
        let distance = distance.min(MOST_FACTOR);
        path.iter().zip(&self.changes).map(|(cores, change)| change.of(*cores, distance)).collect()
    }
}

/// The change of one slot: a factor, and cores that are added to it.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Change {
    factor: f64,
    added: f64,
}

impl Change {
    /// The change that turns `own` cores into `adjusted`: a factor of up to [`MOST_FACTOR`], the rest as an amount.
    ///
    /// An idle slot can grow a thousandfold, which no other path should be multiplied by.
    fn new(own: f64, adjusted: f64) -> Self {
        let factor = if own > 0.0 { (adjusted / own).min(MOST_FACTOR) } else { 1.0 };
        Self { factor, added: (adjusted - factor * own).max(0.0) }
    }

    /// `cores` after the change, of which what is added is multiplied by `distance`.
    fn of(self, cores: f64, distance: f64) -> f64 {
        cores * self.factor + self.added * distance
    }
}

/// The request rate by the workload's own forecast and by its callers, per slot.
struct Rates<'a> {
    own: &'a [f64],
    propagated: &'a [f64],
}

impl<'a> Application<'a> {
    /// Propagates the load of the entries, of which `unusual` load multiplied the forecasts already.
    pub(crate) fn new(inputs: Inputs<'a>, unusual: BTreeMap<WorkloadRef, Vec<f64>>) -> Self {
        let Inputs { evidence, policy } = inputs;
        let step = rate_step(evidence);
        let answers: Answers<'a> =
            evidence.workloads().into_iter().map(|w| (w, evidence.forecast(w))).collect();
        let entries = entries(evidence, &answers, policy.quantile);
        let traffic = propagate(&evidence.graph, &entries, evidence.slots, step);
        let surges = entries
            .keys()
            .filter_map(|w| {
                let surge = surge(evidence, &answers, w, policy.quantile)?;
                Some((w.clone(), with_unusual(surge, unusual.get(w))))
            })
            .collect();
        let steps_per_slot = (evidence.slot.seconds() / step.seconds()).max(1);
        let often = |share: f64| share >= OFTEN_THROTTLED;
        let throttled =
            evidence.observed.iter().filter(|(_, o)| o.throttled_share.is_some_and(often));
        let throttled = throttled.map(|(workload, _)| workload).collect();
        let quantile = policy.quantile;
        Self { inputs, answers, quantile, traffic, surges, unusual, throttled, steps_per_slot }
    }

    /// What the callers' load changes about the workload's CPU; `None` where its forecast has no CPU.
    pub(crate) fn adjusted_cpu(&self, forecast: &Forecast) -> Option<AdjustedCpu> {
        let signal = forecast.signals.get(&Signal::Cpu)?;
        let own = path_at(signal, self.quantile)?.1;
        let mut justification = Justification {
            own_cpu_peak: Some(highest(own)),
            pinball_ratio: signal.skill.pinball_ratio,
            observed_coverage: signal.confidence.map(|c| c.observed),
            origins: signal.skill.origins,
            ..Justification::default()
        };
        let path = self.follow_callers(forecast, own, &mut justification);
        let changes = own.iter().zip(&path).map(|(own, path)| Change::new(*own, *path)).collect();
        Some(AdjustedCpu { changes, own_peak: highest(own), justification })
    }

    /// Cores that are expected at most of the slots just ahead; empty where that is not known or not wanted, or load is unusual.
    pub(crate) fn nowcast(&self, workload: &WorkloadRef) -> &'a [f64] {
        let Inputs { evidence, policy } = self.inputs;
        if !policy.follow_recent_load || self.unusual.contains_key(workload) {
            return &[];
        }
        evidence.observed.get(workload).map_or(&[], |observed| &observed.nowcast)
    }

    /// How much more a young or surging workload needs than its history shows, in [1, 2], and why.
    pub(crate) fn raise_of_baseline(&self, workload: &WorkloadRef) -> Option<(f64, String)> {
        let observed = self.inputs.evidence.observed.get(workload)?;
        let propagated = self.propagated(workload)?;
        let surging = self.surging(workload).contains(&true);
        let factor = elasticity(observed.rate.as_ref()?.most, highest(&propagated));
        let reason = match (observed.is_young(), surging) {
            (true, _) => "its history is younger than 3 days",
            (_, true) => "an entry heads for load it never had",
            _ => return None,
        };
        (factor > 1.0).then(|| {
            (factor, format!("CPU is raised {factor:.2} times for what the callers will send, because {reason}"))
        })
    }

    fn follow_callers(
        &self,
        forecast: &Forecast,
        own: &[f64],
        why: &mut Justification,
    ) -> Vec<f64> {
        let Some(propagated) = self.propagated(&forecast.workload) else {
            self.note_blindness(&forecast.workload, why);
            return own.to_vec();
        };
        why.callers = self.callers_at(&forecast.workload, highest_slot(&propagated));
        let rate = forecast.signals.get(&Signal::RequestRate);
        let Some((_, own_rate)) = rate.and_then(|signal| path_at(signal, self.quantile)) else {
            why.notes.push("its own request rate is not forecast, so the callers' load could not be compared with it".to_owned());
            return own.to_vec();
        };
        let rates = Rates { own: own_rate, propagated: &propagated };
        self.reconcile(&forecast.workload, own, &rates, why)
    }

    /// CPU at the rate that own forecast and callers agree on.
    fn reconcile(
        &self,
        workload: &WorkloadRef,
        own: &[f64],
        rates: &Rates<'_>,
        why: &mut Justification,
    ) -> Vec<f64> {
        let observed = self.inputs.evidence.observed.get(workload);
        let model = observed.map_or(LoadToCpu::Proportional, |observed| observed.load_to_cpu);
        let young = observed.is_some_and(Observed::is_young);
        let weight = if young { 0.0 } else { self.own_weight(workload) };
        let cpu = |slot: usize, rate: f64| model.cpu(own[slot], rates.own[slot], rate);
        let (hidden, surging) = (self.throttled_callers(workload), self.surging(workload));
        let unusual = slots_above(self.unusual.get(workload));
        let agreed = |slot: usize| {
            let blend = weight * rates.own[slot] + (1.0 - weight) * rates.propagated[slot];
            let overrides = !hidden.is_empty() || surging[slot];
            let blend = if overrides { blend.max(rates.propagated[slot]) } else { blend };
            if unusual.contains(&slot) { blend.max(rates.own[slot]) } else { blend }
        };
        let busiest = highest_slot(rates.propagated);
        why.own_weight = Some(weight);
        why.propagated_cpu_peak = Some(cpu(busiest, rates.propagated[busiest]));
        if young {
            why.notes.push(
                "its history is younger than 3 days, so the callers' load decides".to_owned(),
            );
        }
        if let Some(caller) = hidden.first() {
            why.notes.push(format!("{caller} was throttled, so part of its demand is not in this workload's history and the callers' load is a minimum"));
        }
        if surging.contains(&true) {
            why.notes.push(
                "an entry heads for load it never had, so the callers' load is a minimum"
                    .to_owned(),
            );
        }
        (0..own.len()).map(|slot| cpu(slot, agreed(slot))).collect()
    }

    /// The rate that arrives at `workload` at the policy's quantile; `None` where nobody calls it or
    /// the load of a caller is unknown.
    fn propagated(&self, workload: &WorkloadRef) -> Option<Vec<f64>> {
        let called = self.traffic.graph.callers(workload).any(|(_, call)| call.ratio > 0.0);
        if !called || self.traffic.blind.contains(workload) {
            return None;
        }
        let load = self.traffic.loads.get(workload)?;
        (highest(&load.mean) > 0.0).then(|| load.upper(self.quantile, self.steps_per_slot))
    }

    fn note_blindness(&self, workload: &WorkloadRef, why: &mut Justification) {
        if self.traffic.blind.contains(workload) {
            why.notes.push(
                "the load of an entry that leads here is unknown, so only its own forecast counts"
                    .to_owned(),
            );
        }
    }

    fn callers_at(&self, workload: &WorkloadRef, slot: usize) -> BTreeMap<WorkloadRef, f64> {
        let sent = |(caller, call): (&WorkloadRef, &CallRatio)| {
            let rate = self.traffic.loads.get(caller)?.mean.get(slot)? * call.ratio;
            (rate > 0.0).then(|| (caller.clone(), rate))
        };
        self.traffic.graph.callers(workload).filter_map(sent).collect()
    }

    /// In which slots an entry that causes a fair share of the workload's load leaves its own range.
    fn surging(&self, workload: &WorkloadRef) -> Vec<bool> {
        let mut surging = vec![false; self.inputs.evidence.slots];
        let Some(origins) = self.traffic.origins.get(workload) else { return surging };
        let total: f64 = origins.values().sum();
        let fair = origins.iter().filter(|(_, rate)| **rate >= MINOR_SHARE * total);
        for surge in fair.filter_map(|(entry, _)| self.surges.get(entry)) {
            surging.iter_mut().zip(surge).for_each(|(any, one)| *any |= one);
        }
        surging
    }

    /// The forecast of `workload`, if it answers this plan's slots, else the reason it does not.
    pub(crate) fn forecast(&self, workload: &WorkloadRef) -> Result<&'a Forecast, String> {
        let unknown = || Err("no worker is responsible for it".to_owned());
        self.answers.get(workload).cloned().unwrap_or_else(unknown)
    }

    /// The callers with a fair share of the load that their CPU limit often held back.
    ///
    /// What they did not send their callees have never seen (Nodens, ATC 2023).
    fn throttled_callers<'w>(&'w self, workload: &'w WorkloadRef) -> Vec<&'w WorkloadRef> {
        let received = self.traffic.loads.get(workload).filter(|_| !self.throttled.is_empty());
        let Some(received) = received else { return Vec::new() };
        let busiest = highest_slot(&received.mean);
        let callers = self.traffic.graph.callers(workload).filter(|(caller, call)| {
            let load = self.traffic.loads.get(caller).and_then(|load| load.mean.get(busiest));
            let sent = call.ratio * load.copied().unwrap_or(0.0);
            self.throttled.contains(caller) && sent >= MINOR_SHARE * highest(&received.mean)
        });
        callers.map(|(caller, _)| caller).collect()
    }

    /// The weight of the own rate forecast: the loss of the callers' load over the sum of both losses.
    ///
    /// The callers' load errs as their own forecasts do, and by the spread of the call ratios.
    fn own_weight(&self, workload: &WorkloadRef) -> f64 {
        let own = self.loss(workload);
        let sums = |sum: (f64, f64), (caller, call): (&WorkloadRef, &CallRatio)| {
            let caller_load = self.traffic.loads.get(caller).map_or(0.0, |l| highest(&l.mean));
            let rate = call.ratio * caller_load;
            let spread = if call.ratio > 0.0 { call.spread / call.ratio } else { 0.0 };
            (sum.0 + rate, sum.1 + rate * (self.loss(caller) + spread))
        };
        let (rate, weighed) = self.traffic.graph.callers(workload).fold((0.0, 0.0), sums);
        let callers = if rate > 0.0 { weighed / rate } else { UNKNOWN_LOSS };
        if own + callers > 0.0 { callers / (own + callers) } else { 0.5 }
    }

    fn loss(&self, workload: &WorkloadRef) -> f64 {
        let forecast = self.answers.get(workload).and_then(|answer| answer.as_ref().ok());
        let skill = forecast.and_then(|f| f.signals.get(&Signal::RequestRate)).map(|s| s.skill);
        skill.and_then(|s| s.pinball_ratio).unwrap_or(UNKNOWN_LOSS)
    }
}

/// The path at `quantile`, else at the next higher one, else the highest there is; `None` without a path.
pub(crate) fn path_at(signal: &SignalForecast, quantile: Quantile) -> Option<(Quantile, &[f64])> {
    let found = signal.paths.range(quantile..).next().or_else(|| signal.paths.last_key_value());
    found.map(|(quantile, path)| (*quantile, path.as_slice()))
}

/// The largest value of a path, and 0 for an empty one.
pub(crate) fn highest(path: &[f64]) -> f64 {
    path.iter().copied().fold(0.0, f64::max)
}

fn highest_slot(path: &[f64]) -> usize {
    let larger = |best: usize, slot: usize| if path[slot] > path[best] { slot } else { best };
    (0..path.len()).reduce(larger).unwrap_or(0)
}

/// The load from outside of every workload that has some and whose rate is forecast or was observed.
fn entries(
    evidence: &Evidence,
    answers: &Answers<'_>,
    quantile: Quantile,
) -> BTreeMap<WorkloadRef, Load> {
    let ends = evidence.graph.edges().flat_map(|(caller, callee, _)| [caller, callee]);
    let others = ends.filter(|end| !answers.contains_key(*end));
    let every = answers.keys().copied().chain(others);
    let load = |workload: &WorkloadRef| {
        let share = Some(external_share(evidence, workload)).filter(|share| *share > 0.0)?;
        let forecast = answers.get(workload).and_then(|answer| answer.as_ref().ok());
        let (median, upper, at) = match forecast.and_then(|f| f.signals.get(&Signal::RequestRate)) {
            Some(signal) => forecast_rate(signal, quantile)?,
            None => observed_rate(evidence, workload, quantile)?,
        };
        Some(outside(share, &median, &upper, at))
    };
    every.filter_map(|w| Some((w.clone(), load(w)?))).collect()
}

/// Median and upper path of a rate, and the quantile of the latter.
type Spread = (Vec<f64>, Vec<f64>, Quantile);

fn forecast_rate(signal: &SignalForecast, quantile: Quantile) -> Option<Spread> {
    let (at, upper) = path_at(signal, quantile)?;
    let (_, median) = path_at(signal, Quantile::new(0.5).ok()?)?;
    Some((median.to_vec(), upper.to_vec(), at))
}

/// The rate as it was observed, the same in every slot.
fn observed_rate(
    evidence: &Evidence,
    workload: &WorkloadRef,
    quantile: Quantile,
) -> Option<Spread> {
    let levels = &evidence.observed.get(workload)?.rate.as_ref()?.levels;
    let (at, upper) = levels.range(quantile..).next().or_else(|| levels.last_key_value())?;
    let (_, median) = levels.range(Quantile::new(0.5).ok()?..).next()?;
    let path = |value| vec![value; evidence.slots];
    Some((path(*median), path(*upper), *at))
}

fn outside(share: f64, median: &[f64], upper: &[f64], quantile: Quantile) -> Load {
    let width = normal_quantile(quantile.get());
    let variance = |(median, upper): (&f64, &f64)| {
        if width > 0.0 { (share * (upper - median).max(0.0) / width).powi(2) } else { 0.0 }
    };
    Load {
        mean: median.iter().map(|rate| share * rate).collect(),
        variance: median.iter().zip(upper).map(variance).collect(),
        arrivals: vec![0.0; median.len()],
    }
}

/// In which slots the rate is forecast above everything observed; `None` without both.
fn surge(
    evidence: &Evidence,
    answers: &Answers<'_>,
    workload: &WorkloadRef,
    quantile: Quantile,
) -> Option<Vec<bool>> {
    let most = evidence.observed.get(workload)?.rate.as_ref()?.most;
    let forecast = answers.get(workload)?.as_ref().ok()?;
    let signal = forecast.signals.get(&Signal::RequestRate)?;
    let (_, upper) = path_at(signal, quantile)?;
    Some(upper.iter().map(|rate| *rate > SURGE * most).collect())
}

/// `surge`, also where load was seen to be unusual.
fn with_unusual(mut surge: Vec<bool>, factors: Option<&Vec<f64>>) -> Vec<bool> {
    for slot in slots_above(factors) {
        surge[slot] = true;
    }
    surge
}

/// The slots whose load grows by more than a surge.
fn slots_above(factors: Option<&Vec<f64>>) -> BTreeSet<usize> {
    let factors = factors.map_or(&[][..], Vec::as_slice);
    factors
        .iter()
        .enumerate()
        .filter(|(_, factor)| **factor > SURGE)
        .map(|(slot, _)| slot)
        .collect()
}

/// The share of a workload's load that comes from outside: as observed, all of it where nobody calls it and nothing
/// was observed, else nothing.
fn external_share(evidence: &Evidence, workload: &WorkloadRef) -> f64 {
    let observed = evidence.observed.get(workload).map(|observed| observed.external_share);
    let called = || evidence.graph.callers(workload).any(|(_, call)| call.ratio > 0.0);
    observed.unwrap_or_else(|| if called() { 0.0 } else { 1.0 })
}

/// The spacing at which request rates were observed, a minute where none was.
fn rate_step(evidence: &Evidence) -> Step {
    let rates = evidence.observed.values().filter_map(|observed| observed.rate.as_ref());
    rates.map(|rate| rate.step).min().unwrap_or(Step::MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_grows_by_the_factor_of_the_callers_load_and_beyond_twofold_by_the_amount() {
        for (own, adjusted, other, expected) in [
            (2.0, 2.0, 3.0, 3.0),
            (2.0, 1.6, 3.0, 2.4),
            (2.0, 3.0, 3.0, 4.5),
            (2.0, 6.0, 3.0, 8.0),
            (0.001, 1.0, 0.5, 1.998),
            (0.0, 1.0, 0.5, 1.5),
            (0.0, 0.0, 0.5, 0.5),
        ] {
            let change = Change::new(own, adjusted);
            assert!((change.of(own, 1.0) - adjusted).abs() < 1e-12, "{own} to {adjusted}");
            assert!(
                (change.of(other, 1.0) - expected).abs() < 1e-12,
                "{own} to {adjusted}: {other}"
            );
        }
    }
}
