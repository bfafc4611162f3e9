//! What a run shows: every series, and every set of them.

use std::borrow::Cow;

use mora_forecast::{DEFAULT_RISK_PRICE, RISK_PRICES};
use serde::Serialize;

use crate::answer::{Cell, StoodIn};
use crate::calibrate::margin;
use crate::maxima::mean;
use crate::method::Method;
use crate::options::Options;
use crate::run::Cells;
use crate::score::{Quantiles, Requests, mean_usage, ratios, under};
use crate::trial::Trial;

/// The version of [`Report`]; counts up when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// The result of a run.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: u32,
    /// How it was judged.
    pub options: Options,
    /// The sets, by name.
    pub sets: Vec<SetReport>,
    /// The series that could not be judged.
    pub skipped: Vec<Skipped>,
}

/// A series that could not be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Skipped {
    /// Its set.
    pub set: String,
    /// Its name.
    pub series: String,
    /// Why.
    pub reason: String,
}

/// One set: series that were measured alike, and share a safety margin per method.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SetReport {
    /// Its name: the value column.
    pub set: String,
    /// The methods over all series.
    pub methods: Vec<MethodReport>,
    /// The series, by name.
    pub series: Vec<SeriesReport>,
}

/// Requests at a safety margin.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct AtMargin {
    /// The factor on every request; the mean of the factors where each series has its own.
    pub margin: f64,
    /// O at it.
    pub over: f64,
    /// U at it.
    pub under: f64,
    /// The price of risk it goes with, in mean usages, for a method that has one and was given a choice.
    pub price: Option<f64>,
}

/// A method over the series of a set: means over series unless it says otherwise.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MethodReport {
    /// The method.
    pub method: Method,
    /// What it requests.
    pub about: &'static str,
    /// At its own defaults.
    pub defaults: Requests,
    /// One margin for the set (for MOrA with a price of risk), found on the validation days and applied to the
    /// judged ones: the primary score. `None` where no margin is enough.
    pub calibrated: Option<AtMargin>,
    /// One margin for the set, found on the judged days themselves: cost at equal risk, in hindsight.
    pub hindsight: Option<AtMargin>,
    /// A margin per series, found on its validation days.
    pub calibrated_per_series: Option<AtMargin>,
    /// A margin per series, found on its judged days.
    pub hindsight_per_series: Option<AtMargin>,
    /// Its quantiles; `None` where it states none.
    pub quantiles: Option<Quantiles>,
    /// Its quantiles beside the reference method's.
    pub relative: Option<Relative>,
    /// Origins at which the KRR rule stood in.
    pub stood_in: usize,
    /// Seconds per fit.
    pub fit_seconds: f64,
    /// Seconds per forecast.
    pub forecast_seconds: f64,
}

/// Losses divided by those of the reference method; below 1 is better.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Relative {
    /// Pinball loss: geometric mean over the series of their ratios.
    pub pinball: Option<f64>,
    /// Pinball loss: ratio of the means over series.
    pub pinball_of_means: Option<f64>,
    /// Absolute error of the median: geometric mean over the series of their ratios.
    pub mase: Option<f64>,
    /// Absolute error of the median, scaled: ratio of the means over series.
    pub mase_of_means: Option<f64>,
}

/// One series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeriesReport {
    /// Its name.
    pub series: String,
    /// Seconds between samples.
    pub sample_seconds: u32,
    /// Origins only the margin was calibrated on.
    pub validation_days: usize,
    /// Origins that were judged.
    pub judged_days: usize,
    /// The first judged day.
    pub judged_from: jiff::Timestamp,
    /// Mean usage on the judged days.
    pub mean_usage: f64,
    /// The methods.
    pub methods: Vec<SeriesMethod>,
}

/// A method on one series.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SeriesMethod {
    /// The method.
    pub method: Method,
    /// At its own defaults.
    pub defaults: Requests,
    /// At the set's margin, found on the validation days.
    pub calibrated: Option<AtMargin>,
    /// At the set's margin in hindsight.
    pub hindsight: Option<AtMargin>,
    /// At a margin of its own, found on its validation days.
    pub own_calibrated: Option<AtMargin>,
    /// At a margin of its own in hindsight.
    pub own_hindsight: Option<AtMargin>,
    /// Its quantiles; `None` where it states none.
    pub quantiles: Option<Quantiles>,
    /// Where the KRR rule stood in.
    pub stood_in: Option<StoodIn>,
    /// Seconds per fit.
    pub fit_seconds: f64,
    /// Seconds per forecast.
    pub forecast_seconds: f64,
}

/// Scores `cells`, which hold what each of `methods` answered for each of `trials`.
#[must_use]
pub fn judge(
    trials: &[Trial],
    skipped: Vec<Skipped>,
    cells: &Cells,
    methods: &[Method],
    options: &Options,
) -> Report {
    let mut sets: Vec<&str> = trials.iter().map(|trial| trial.recording().set.as_str()).collect();
    sets.sort_unstable();
    sets.dedup();
    let sets = sets.into_iter().map(|set| {
        let of_set = |index: &usize| trials[*index].recording().set == set;
        let members: Vec<usize> = (0..trials.len()).filter(of_set).collect();
        judge_set(set, &members, trials, (cells, methods), options)
    });
    Report { schema: SCHEMA, options: options.clone(), sets: sets.collect(), skipped }
}

fn judge_set(
    set: &str,
    members: &[usize],
    trials: &[Trial],
    (cells, methods): (&Cells, &[Method]),
    options: &Options,
) -> SetReport {
    let mut series: Vec<SeriesReport> =
        members.iter().map(|&index| describe(&trials[index])).collect();
    let mut reports: Vec<MethodReport> = Vec::new();
    for &method in methods {
        let held: Vec<(&Trial, &Cell)> = members
            .iter()
            .filter_map(|&index| Some((&trials[index], cells.get(&(index, method))?)))
            .collect();
        let scored = score(method, &held, options.risk);
        reports.push(summary(method, &scored));
        series.iter_mut().zip(scored).for_each(|(series, scores)| series.methods.push(scores));
    }
    relate(&mut reports, &series);
    series.sort_by(|a, b| a.series.cmp(&b.series));
    SetReport { set: set.to_owned(), methods: reports, series }
}

fn describe(trial: &Trial) -> SeriesReport {
    SeriesReport {
        series: trial.recording().name.clone(),
        sample_seconds: trial.recording().series.step().seconds(),
        validation_days: trial.validation(),
        judged_days: trial.origins() - trial.validation(),
        judged_from: trial.judged_from(),
        mean_usage: mean_usage(&trial.days()[trial.validation()..]),
        methods: Vec::new(),
    }
}

/// One series' answers at some price, and its usage in requests on the validation and on the judged days.
struct Held<'a> {
    trial: &'a Trial,
    cell: Cow<'a, Cell>,
    /// The price the answers are at; `None` for a method's default.
    price: Option<usize>,
    ratios: [Vec<f64>; 2],
}

/// The two parts of a recording.
#[derive(Clone, Copy)]
enum Part {
    Validation,
    Judged,
}

/// A margin for all series of a set, with the price it goes with.
#[derive(Clone, Copy)]
struct Common {
    price: Option<usize>,
    margin: f64,
}

impl<'a> Held<'a> {
    fn new(trial: &'a Trial, cell: &'a Cell, price: Option<usize>) -> Self {
        let cell = if price.is_some() { Cow::Owned(cell.at(price)) } else { Cow::Borrowed(cell) };
        let all = ratios(trial.days(), &cell.answers);
        let before = trial.days()[..trial.validation()].iter().map(|day| day.usage.len()).sum();
        let (validation, judged) = all.split_at(before);
        let ratios = [validation.to_vec(), judged.to_vec()];
        Self { trial, cell, price, ratios }
    }

    /// O on one part.
    fn over(&self, part: Part) -> f64 {
        let from = self.trial.validation();
        let (days, answers) = (self.trial.days(), &self.cell.answers);
        match part {
            Part::Validation => Requests::of(&days[..from], &answers[..from]).over,
            Part::Judged => Requests::of(&days[from..], &answers[from..]).over,
        }
    }

    /// On the judged days, with a margin on every request.
    fn at(&self, margin: Option<f64>) -> Option<AtMargin> {
        let margin = margin?;
        let price = self.price.map(|price| RISK_PRICES[price]);
        let under = under(&self.ratios[Part::Judged as usize], margin);
        Some(AtMargin { margin, over: margin * self.over(Part::Judged), under, price })
    }

    fn own_margin(&self, part: Part, risk: f64) -> Option<f64> {
        margin(&[&self.ratios[part as usize]], risk)
    }
}

/// The scores of `method` per series, in the order of `cells`.
fn score(method: Method, cells: &[(&Trial, &Cell)], risk: f64) -> Vec<SeriesMethod> {
    let prices = cells.iter().map(|(_, cell)| cell.prices()).max().unwrap_or(0);
    let held = |price: Option<usize>| -> Vec<Held<'_>> {
        cells.iter().map(|(trial, cell)| Held::new(trial, cell, price)).collect()
    };
    let candidates: Vec<Vec<Held<'_>>> =
        if prices == 0 { vec![held(None)] } else { (0..prices).map(|p| held(Some(p))).collect() };
    let [calibrated, hindsight] = [Part::Validation, Part::Judged].map(|part| {
        let common = common(&candidates, part, risk);
        common.map(|found| (found.margin, candidates.iter().find(|c| c[0].price == found.price)))
    });
    let at = |found: &Option<(f64, Option<&Vec<Held<'_>>>)>, index: usize| {
        let (margin, held) = (*found)?;
        held?[index].at(Some(margin))
    };
    let scores = |(index, own): (usize, Held<'_>)| {
        let from = own.trial.validation();
        let (days, answers) = (&own.trial.days()[from..], &own.cell.answers[from..]);
        let origins = own.cell.answers.len() as f64;
        SeriesMethod {
            method,
            defaults: Requests::of(days, answers),
            calibrated: at(&calibrated, index),
            hindsight: at(&hindsight, index),
            own_calibrated: own.at(own.own_margin(Part::Validation, risk)),
            own_hindsight: own.at(own.own_margin(Part::Judged, risk)),
            quantiles: Quantiles::of(days, answers),
            stood_in: own.cell.stood_in.clone(),
            fit_seconds: own.cell.fit_seconds / origins,
            forecast_seconds: own.cell.forecast_seconds / origins,
        }
    };
    held(None).into_iter().enumerate().map(scores).collect()
}

/// The price, and the margin at it, that cost least on `part` at the risk; `None` where no margin is enough.
///
/// On the validation days, which are few, neither price nor margin falls below a priced method's default.
fn common(candidates: &[Vec<Held<'_>>], part: Part, risk: f64) -> Option<Common> {
    let cost = |held: &Vec<Held<'_>>| {
        let ratios: Vec<&[f64]> = held.iter().map(|h| h.ratios[part as usize].as_slice()).collect();
        let (price, mut margin) = (held.first()?.price, margin(&ratios, risk)?);
        if let (Some(price), Part::Validation) = (price, part) {
            if RISK_PRICES[price] < DEFAULT_RISK_PRICE {
                return None;
            }
            margin = margin.max(1.0);
        }
        let over = mean(held.iter().map(|held| held.over(part)))?;
        Some((margin * over, Common { price, margin }))
    };
    candidates.iter().filter_map(cost).min_by(|a, b| a.0.total_cmp(&b.0)).map(|found| found.1)
}

fn summary(method: Method, scored: &[SeriesMethod]) -> MethodReport {
    let defaults: Vec<Requests> = scored.iter().map(|s| s.defaults).collect();
    let quantiles: Option<Vec<Quantiles>> = scored.iter().map(|s| s.quantiles).collect();
    let seconds = |of: fn(&SeriesMethod) -> f64| mean(scored.iter().map(of)).unwrap_or(0.0);
    MethodReport {
        method,
        about: method.about(),
        defaults: Requests::mean_of(&defaults),
        calibrated: mean_at(scored.iter().map(|s| s.calibrated)),
        hindsight: mean_at(scored.iter().map(|s| s.hindsight)),
        calibrated_per_series: mean_at(scored.iter().map(|s| s.own_calibrated)),
        hindsight_per_series: mean_at(scored.iter().map(|s| s.own_hindsight)),
        quantiles: quantiles.and_then(|all| Quantiles::mean_of(&all)),
        relative: None,
        stood_in: scored.iter().filter_map(|s| s.stood_in.as_ref()).map(|s| s.origins).sum(),
        fit_seconds: seconds(|s| s.fit_seconds),
        forecast_seconds: seconds(|s| s.forecast_seconds),
    }
}

/// `None` where one series has no margin.
fn mean_at(series: impl Iterator<Item = Option<AtMargin>>) -> Option<AtMargin> {
    let all: Vec<AtMargin> = series.collect::<Option<_>>()?;
    let of = |field: fn(&AtMargin) -> f64| mean(all.iter().map(field));
    Some(AtMargin {
        margin: of(|a| a.margin)?,
        over: of(|a| a.over)?,
        under: of(|a| a.under)?,
        price: all.first()?.price,
    })
}

/// Sets each method's losses beside those of the reference.
fn relate(methods: &mut [MethodReport], series: &[SeriesReport]) {
    let of = |method| methods.iter().find(|m| m.method == method).and_then(|m| m.quantiles);
    let Some(reference) = of(Method::REFERENCE) else { return };
    for report in methods {
        let Some(own) = report.quantiles else { continue };
        let ratios = |loss: fn(&Quantiles) -> Option<f64>| {
            geometric_mean(series.iter().filter_map(|s| {
                divided(
                    loss(&quantiles(s, report.method)?),
                    loss(&quantiles(s, Method::REFERENCE)?),
                )
            }))
        };
        report.relative = Some(Relative {
            pinball: ratios(|q| Some(q.pinball)),
            pinball_of_means: divided(Some(own.pinball), Some(reference.pinball)),
            mase: ratios(|q| q.mase),
            mase_of_means: divided(own.mase, reference.mase),
        });
    }
}

fn quantiles(series: &SeriesReport, method: Method) -> Option<Quantiles> {
    series.methods.iter().find(|m| m.method == method)?.quantiles
}

/// `None` where one is absent or the reference made no error.
fn divided(own: Option<f64>, reference: Option<f64>) -> Option<f64> {
    let (own, reference) = (own?, reference?);
    (reference > 0.0).then_some(own / reference)
}

/// `None` of nothing; 0 where one ratio is 0.
fn geometric_mean(ratios: impl Iterator<Item = f64>) -> Option<f64> {
    mean(ratios.map(f64::ln)).map(f64::exp)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::run;
    use crate::trial::made::{options, recording};

    /// Two series that repeat each day, one with a higher last day.
    fn report() -> Report {
        let steady = |n: i64| Some(1.0 + (n % 24) as f64);
        let rising = |n: i64| Some((1.0 + (n % 24) as f64) * if n < 72 { 1.0 } else { 2.0 });
        let options = Options { validation: 0.3, ..options() };
        let trials = [
            Trial::new(recording("steady", 5, steady), &options).unwrap(),
            Trial::new(recording("rising", 4, rising), &options).unwrap(),
        ];
        let methods = [Method::Oracle, Method::SeasonalNaive, Method::Maximum];
        let cells = run(&trials, &methods, &options, (&mut None, 1), &mut |_, _| ()).unwrap();
        judge(&trials, Vec::new(), &cells, &methods, &options)
    }

    fn near(found: f64, expected: f64) {
        assert!((found - expected).abs() < 1e-9, "{found}, not {expected}");
    }

    #[test]
    fn margins_come_from_the_validation_days_and_from_hindsight() {
        let report = report();
        let [set] = &report.sets[..] else { panic!("one set") };
        let [oracle, naive, maximum] = &set.methods[..] else { panic!("three methods") };
        near(oracle.calibrated.unwrap().over, 1.0);
        // On the validation days nothing rises: a factor of 1 would do, and half of one series is missed.
        let calibrated = naive.calibrated.unwrap();
        near(calibrated.margin, 1.0);
        near(calibrated.under, f64::midpoint(0.0, 0.5));
        let hindsight = naive.hindsight.unwrap();
        near(hindsight.margin, 2.0);
        near(hindsight.over, 2.0 * (1.0 + 2.0 / 3.0) / 2.0);
        near(naive.hindsight_per_series.unwrap().margin, 1.5);
        near(maximum.defaults.over, f64::midpoint(24.0 / 12.5, 24.0 / 18.75));
    }

    #[test]
    fn losses_are_set_beside_the_reference_only_where_quantiles_are_stated() {
        let report = report();
        let methods = &report.sets[0].methods;
        assert!(methods[0].relative.is_none() && methods[2].quantiles.is_none());
        near(methods[1].relative.unwrap().pinball_of_means.unwrap(), 1.0);
        let names: Vec<&str> = report.sets[0].series.iter().map(|s| s.series.as_str()).collect();
        assert_eq!(names, ["rising", "steady"]);
    }
}
