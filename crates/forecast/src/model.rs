//! A fitted model: how it answers, and how it is saved and loaded.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mora_core::{
    Confidence, MemberWeight, Quantile, RequestRecord, Rung, Series, SignalForecast, Skill, Step,
};
use serde::{Deserialize, Serialize};

use crate::back_test::{Forecasts, POINTS};
use crate::calibration::{Account, calibrated};
use crate::error::{ForecastError, LoadError, SaveError};
use crate::fusion::{Shares, Weights, fuse};
use crate::held_out::BackTestSlot;
use crate::ladder::{Verdict, takes_part};
use crate::levels::{LEVELS, Levels, STATED, interpolate, uncrossed};
use crate::members::Member;
use crate::members::holt_winters::HoltWinters;
use crate::members::hour_of_week::HourOfWeek;
use crate::members::lstm::export;
use crate::members::lstm::serve::{Lstm, LstmProbe, Origin};
use crate::members::prophet::{Prophet, Saved};
use crate::requests::Requests;
use crate::slots::{DAY_SECONDS, History, number, slots_per_day};
use crate::tuning::Tuning;

const MODEL: &str = "model.json";
const PROPHET: &str = "prophet.json";
const LSTM: &str = "lstm.onnx";
const BACK_TEST: &str = "back_test.json";

/// The format of the files; counts up when older ones can no longer be read.
const FORMAT: u32 = 4;

/// A file of a saved model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelFile {
    /// `model.json`, `back_test.json`, `prophet.json` or `lstm.onnx`.
    pub name: &'static str,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// The data a model has seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Seen {
    slot: Step,
    from: Timestamp,
    until: Timestamp,
    /// The slot after the last.
    end: i64,
}

impl Seen {
    /// The extent of `history`, which is `series` in slots.
    pub(crate) fn new(series: &Series, history: &History) -> Self {
        let values = series.values();
        let first = values.iter().position(Option::is_some).unwrap_or(0);
        let last = values.iter().rposition(Option::is_some).map_or(0, |last| last + 1);
        Self {
            slot: history.slot,
            from: series.time(first),
            until: series.time(last),
            end: history.end(),
        }
    }

    fn is_sound(&self) -> bool {
        let width = self.slot.seconds();
        let end = self.end.checked_mul(i64::from(width));
        DAY_SECONDS.is_multiple_of(width)
            && end.is_some_and(|second| Timestamp::from_second(second).is_ok())
    }
}

/// The content of `model.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    format: u32,
    seen: Seen,
    rung: Rung,
    weights: Weights,
    /// Where in the tail each level is read.
    depths: Levels,
    skill: Skill,
    confidence: Option<Confidence>,
    back_test_loss: Option<f64>,
    notes: Vec<String>,
    flat: Levels,
    profile: HourOfWeek,
    /// Errors of the members that forecast a point, in spreads, in the order of [`POINTS`].
    residuals: [Levels; POINTS.len()],
    prophet: bool,
    holt_winters: Option<HoltWinters>,
    lstm: Option<Origin>,
    requests: Option<Requests>,
    tuning: Tuning,
}

/// The members fitted to the whole history.
pub(crate) struct Parts {
    pub(crate) flat: Levels,
    pub(crate) profile: HourOfWeek,
    pub(crate) residuals: [Levels; POINTS.len()],
    pub(crate) prophet: Option<Prophet>,
    pub(crate) holt_winters: Option<HoltWinters>,
    pub(crate) requests: Option<Requests>,
    pub(crate) lstm: Option<(Lstm, Origin)>,
    pub(crate) tuning: Tuning,
}

/// A fitted model of one signal. It answers from what it learned and is never fitted again.
#[derive(Debug)]
pub struct SignalModel {
    record: Record,
    back_test: Vec<BackTestSlot>,
    prophet: Option<Prophet>,
    lstm: Option<Lstm>,
}

impl SignalModel {
    /// A model of `parts` that answers as `verdict` says; `usage` is the mean it is compared by.
    pub(crate) fn new(seen: Seen, verdict: Verdict<'_>, parts: Parts, usage: f64) -> Self {
        let (lstm, origin) = parts.lstm.unzip();
        let back_test = BackTestSlot::all(&verdict.said, seen.slot);
        let record = Record {
            format: FORMAT,
            seen,
            rung: verdict.rung,
            weights: verdict.weights,
            depths: verdict.depths,
            skill: skill(&verdict),
            confidence: verdict.account.and_then(|account| confidence(&account)),
            back_test_loss: verdict
                .account
                .map(|a| if usage > 0.0 { a.loss / usage } else { a.loss }),
            notes: verdict.notes,
            flat: parts.flat,
            profile: parts.profile,
            residuals: parts.residuals,
            prophet: parts.prophet.is_some(),
            holt_winters: parts.holt_winters,
            lstm: origin,
            requests: parts.requests,
            tuning: parts.tuning,
        };
        Self { record, back_test, prophet: parts.prophet, lstm }
    }

    /// The distribution of the largest observation in each of `slots` slots, from the one that holds `start` on.
    ///
    /// The path of a higher quantile is nowhere below, none is negative. Fails when no quantile, no slot or more than
    /// 7 days are asked for.
    pub fn forecast(
        &self,
        start: Timestamp,
        slots: usize,
        quantiles: &[Quantile],
    ) -> Result<SignalForecast, ForecastError> {
        self.check_slots(slots)?;
        if quantiles.is_empty() {
            return Err(ForecastError::NoQuantile);
        }
        let levels = self.levels(number(start, self.slot()), slots)?;
        let path = |quantile: &Quantile| {
            levels.iter().map(|levels| interpolate(levels, quantile.get())).collect()
        };
        let paths = quantiles.iter().map(|quantile| (*quantile, path(quantile))).collect();
        Ok(SignalForecast { paths, ..self.summary() })
    }

    /// What to request in each of `slots` slots, from the one that holds `start` on, when a share of the samples above
    /// the request costs `risk_price` times the mean usage; in the signal's unit, at least 0.
    ///
    /// The path of least cost by the history's own days (see [`RequestRecord`]); with less than three days of them the
    /// 0.99 quantile of the slots. Fails when no slot or more than 7 days are asked for.
    pub fn requests(
        &self,
        start: Timestamp,
        slots: usize,
        risk_price: f64,
    ) -> Result<Vec<f64>, ForecastError> {
        self.check_slots(slots)?;
        let first = number(start, self.slot());
        match &self.record.requests {
            Some(requests) => Ok(requests.path(first, slots, risk_price)),
            None => Ok(self
                .levels(first, slots)?
                .iter()
                .map(|levels| levels[LEVELS.len() - 1])
                .collect()),
        }
    }

    /// What requests at each known price would have cost on the last days; empty with less than four days of history.
    #[must_use]
    pub fn request_records(&self) -> &[RequestRecord] {
        self.record.requests.as_ref().map_or(&[], Requests::records)
    }

    /// The settings its members were fitted with, and how many others were tried.
    #[must_use]
    pub fn tuning(&self) -> Tuning {
        self.record.tuning
    }

    fn check_slots(&self, asked: usize) -> Result<(), ForecastError> {
        let most = 7 * slots_per_day(self.slot()) as usize;
        if (1..=most).contains(&asked) { Ok(()) } else { Err(ForecastError::Slots { asked, most }) }
    }

    /// The levels of `count` slots from slot `first` on.
    fn levels(&self, first: i64, count: usize) -> Result<Vec<Levels>, ForecastError> {
        let record = &self.record;
        if record.rung == Rung::Statistical {
            return Ok(vec![uncrossed(record.flat); count]);
        }
        let fused =
            |forecasts: &Forecasts| calibrated(&fuse(&record.weights, forecasts), &record.depths);
        Ok(self.forecasts(first, count)?.iter().map(fused).collect())
    }

    /// What each member says of `count` slots from slot `first` on.
    fn forecasts(&self, first: i64, count: usize) -> Result<Vec<Forecasts>, ForecastError> {
        let Record { profile, residuals, holt_winters, seen, .. } = &self.record;
        let prophet = self.prophet.as_ref().map(|model| model.path(first, count)).transpose();
        let prophet = prophet.map_err(ForecastError::Prophet)?;
        let network = self.lstm.as_ref().zip(self.record.lstm.as_ref());
        let network = network.map(|(lstm, origin)| lstm.levels(origin)).transpose()?;
        let smoothed = holt_winters.as_ref().map(|model| model.path(first, count));
        let points = [prophet, smoothed];
        let forecast = |index: usize| {
            let n = first + index as i64;
            let point = |point: usize| {
                let value = points[point].as_ref()?[index];
                Some(residuals[point].map(|r| value + profile.spread(n) * r))
            };
            let lead = usize::try_from(n - seen.end).ok();
            [
                Some(profile.levels(n)),
                point(0),
                network.as_ref().and_then(|levels| levels.get(lead?).copied()),
                point(1),
            ]
        };
        Ok((0..count).map(forecast).collect())
    }

    /// What a reader of a forecast from `start` on should know, each a sentence.
    #[must_use]
    pub fn warnings(&self, start: Timestamp) -> Vec<String> {
        let mut warnings = self.record.notes.clone();
        let behind = start.as_second() - self.data_until().as_second();
        if behind > i64::from(DAY_SECONDS) {
            let hours = behind / 3600;
            warnings.push(format!("the newest observation is {hours} h older than the start"));
        }
        let lead = number(start, self.slot()) - self.record.seen.end;
        if let Some(reach) = self.record.lstm.as_ref().map(Origin::reach)
            && lead >= reach as i64
        {
            warnings.push(format!(
                "the LSTM is left out: it reaches {reach} slots past the data, and the start is {lead} past it"
            ));
        }
        warnings
    }

    /// Members, skill, confidence and what requests would have cost, with empty paths.
    #[must_use]
    pub fn summary(&self) -> SignalForecast {
        SignalForecast {
            paths: BTreeMap::new(),
            requests: Vec::new(),
            request_records: self.request_records().to_vec(),
            rung: self.record.rung,
            members: members(self.record.rung, &self.record.weights),
            skill: self.record.skill,
            confidence: self.record.confidence,
        }
    }

    /// Width of a slot.
    #[must_use]
    pub fn slot(&self) -> Step {
        self.record.seen.slot
    }

    /// The instant of the oldest observation it has seen.
    #[must_use]
    pub fn data_from(&self) -> Timestamp {
        self.record.seen.from
    }

    /// The instant after the newest observation it has seen.
    #[must_use]
    pub fn data_until(&self) -> Timestamp {
        self.record.seen.until
    }

    /// Mean pinball loss of the back-test divided by mean usage, at least 0; `None` without a back-test.
    #[must_use]
    pub fn back_test_loss(&self) -> Option<f64> {
        self.record.back_test_loss
    }

    /// What the LSTM reads and answers when its session is run now, to check `lstm.onnx` in another runtime.
    ///
    /// `None` where it takes no part. Fails when the ONNX backend does.
    pub fn lstm_probe(&self) -> Result<Option<LstmProbe>, ForecastError> {
        let network = self.lstm.as_ref().zip(self.record.lstm.as_ref());
        network.map(|(lstm, origin)| lstm.probe(origin)).transpose()
    }

    /// Every slot of the back-test in order, with what would have been said of it by weights and a calibration
    /// that its own day took no part in; empty without a back-test.
    #[must_use]
    pub fn back_test(&self) -> &[BackTestSlot] {
        &self.back_test
    }

    /// The model as files: `model.json` and `back_test.json`, and where the member takes part `prophet.json` and
    /// `lstm.onnx`.
    pub fn save(&self) -> Result<Vec<ModelFile>, SaveError> {
        let mut files = vec![
            ModelFile { name: MODEL, bytes: serde_json::to_vec(&self.record)? },
            ModelFile { name: BACK_TEST, bytes: serde_json::to_vec(&self.back_test)? },
        ];
        if let Some(prophet) = &self.prophet {
            files.push(ModelFile { name: PROPHET, bytes: serde_json::to_vec(prophet.saved())? });
        }
        if let Some(lstm) = &self.lstm {
            files.push(ModelFile { name: LSTM, bytes: lstm.onnx().to_vec() });
        }
        Ok(files)
    }

    /// The model that was saved as `files`, by name; it answers the same bits as before.
    ///
    /// Fails when a file is missing, damaged, or of another format.
    pub fn load(files: &BTreeMap<String, Vec<u8>>) -> Result<Self, LoadError> {
        let bytes = file(files, MODEL)?;
        let Format { format } = parse(MODEL, bytes)?;
        if format != FORMAT {
            return Err(LoadError::Format { found: format, known: FORMAT });
        }
        let record: Record = parse(MODEL, bytes)?;
        record.check()?;
        let back_test: Vec<BackTestSlot> = parse(BACK_TEST, file(files, BACK_TEST)?)?;
        if !BackTestSlot::are_sound(&back_test, record.seen.slot, record.seen.end) {
            return Err(LoadError::Damaged { file: BACK_TEST, what: "slots no back-test leaves" });
        }
        let prophet = record.prophet.then(|| load_prophet(files, &record.seen)).transpose()?;
        let origin = record.lstm.as_ref();
        let lstm = origin.map(|origin| load_lstm(files, origin.reach())).transpose()?;
        Ok(Self { record, back_test, prophet, lstm })
    }
}

/// The part of `model.json` that every format has.
#[derive(Deserialize)]
struct Format {
    format: u32,
}

impl Record {
    fn check(&self) -> Result<(), LoadError> {
        let sums_to_one = |row: &Shares| (row.iter().sum::<f64>() - 1.0).abs() < 1e-9;
        let positive = self.weights.iter().flatten().all(|weight| *weight >= 0.0);
        let has = |member| match member {
            Member::HourOfWeek => true,
            Member::Prophet => self.prophet,
            Member::Lstm => self.lstm.is_some(),
            Member::HoltWinters => self.holt_winters.is_some(),
        };
        let complete = Member::ALL.iter().all(|&m| has(m) || !takes_part(&self.weights, m));
        let origin = self.lstm.as_ref().is_none_or(|origin| origin.is_sound(self.seen.end));
        let (day, end) = (slots_per_day(self.seen.slot), self.seen.end);
        let smoothed = self.holt_winters.as_ref().is_none_or(|model| model.is_sound(day, end));
        let requests = self.requests.as_ref().is_none_or(|requests| requests.is_sound(day, end));
        let checks = [
            (self.seen.is_sound(), "slots that no fit uses"),
            (self.weights.iter().all(sums_to_one) && positive, "weights that do not sum to 1"),
            (complete, "a weight for a member that is not there"),
            (self.profile.is_sound(day, end), "a profile of another shape"),
            (origin, "LSTM input of another shape"),
            (smoothed, "Holt-Winters state of another shape"),
            (requests, "request paths of another shape"),
            (self.tuning.is_sound(), "settings out of range"),
        ];
        let failed = checks.into_iter().find(|(sound, _)| !sound);
        failed.map_or(Ok(()), |(_, what)| Err(LoadError::Damaged { file: MODEL, what }))
    }
}

fn file<'a>(
    files: &'a BTreeMap<String, Vec<u8>>,
    name: &'static str,
) -> Result<&'a [u8], LoadError> {
    files.get(name).map(Vec::as_slice).ok_or(LoadError::Missing(name))
}

fn parse<'a, T: Deserialize<'a>>(file: &'static str, bytes: &'a [u8]) -> Result<T, LoadError> {
    serde_json::from_slice(bytes).map_err(|source| LoadError::Json { file, source })
}

fn load_prophet(files: &BTreeMap<String, Vec<u8>>, seen: &Seen) -> Result<Prophet, LoadError> {
    let saved: Saved = parse(PROPHET, file(files, PROPHET)?)?;
    if !saved.is_sound(seen.slot, seen.end) {
        return Err(LoadError::Damaged {
            file: PROPHET,
            what: "slots or parameters no fit leaves",
        });
    }
    Prophet::restore(saved).map_err(LoadError::Prophet)
}

fn load_lstm(files: &BTreeMap<String, Vec<u8>>, reach: usize) -> Result<Lstm, LoadError> {
    let bytes = file(files, LSTM)?;
    if export::read(bytes, reach).is_none() {
        return Err(LoadError::Damaged { file: LSTM, what: "not a network this program wrote" });
    }
    Lstm::open(bytes.to_vec()).map_err(LoadError::Onnx)
}

fn skill(verdict: &Verdict<'_>) -> Skill {
    let loss = verdict.account.map(|account| account.loss);
    Skill {
        pinball_ratio: loss.filter(|_| verdict.baseline > 0.0).map(|loss| loss / verdict.baseline),
        origins: verdict.origins as u32,
    }
}

fn confidence(account: &Account) -> Option<Confidence> {
    let stated = Quantile::new(LEVELS[STATED]).ok()?;
    Some(Confidence { stated, observed: account.coverage, slots: account.slots as u32 })
}

/// The members that take part, with their weights at the highest level.
fn members(rung: Rung, weights: &Weights) -> Vec<MemberWeight> {
    if rung == Rung::Statistical {
        return Vec::new();
    }
    let highest = weights[weights.len() - 1];
    let taking_part = Member::ALL.into_iter().filter(|&member| takes_part(weights, member));
    taking_part
        .map(|m| MemberWeight { member: m.as_str().to_owned(), weight: highest[m as usize] })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::FitError;
    use crate::fit::{FitOptions, fit};
    use crate::members::made::{FIRST, noise, series};
    use std::ops::ControlFlow;

    /// A series whose model has all members.
    fn seen() -> Series {
        series(28, |n| {
            let turn = std::f64::consts::TAU * (n % 24) as f64 / 24.0;
            Some(100.0 + 40.0 * turn.sin() + 0.2 * n as f64 + 5.0 * noise(n))
        })
    }

    fn fitted(seed: u64) -> Result<SignalModel, FitError> {
        let options = FitOptions { seed, ..FitOptions::default() };
        fit(&seen(), &options, &mut |_| ControlFlow::Continue(()))
    }

    fn files(model: &SignalModel) -> BTreeMap<String, Vec<u8>> {
        model.save().unwrap().into_iter().map(|file| (file.name.to_owned(), file.bytes)).collect()
    }

    fn start(days: i64) -> Timestamp {
        Timestamp::from_second(FIRST * 3600 + days * 86_400).unwrap()
    }

    fn quantiles() -> Vec<Quantile> {
        [0.1, 0.5, 0.8, 0.95, 0.99, 0.999].map(|q| Quantile::new(q).unwrap()).to_vec()
    }

    #[test]
    fn a_loaded_model_answers_the_same_bits() {
        let model = fitted(1).unwrap();
        let files = files(&model);
        assert_eq!(files.keys().collect::<Vec<_>>(), [BACK_TEST, LSTM, MODEL, PROPHET]);
        let loaded = SignalModel::load(&files).unwrap();
        for days in [27, 28, 30] {
            let ask = |model: &SignalModel| model.forecast(start(days), 60, &quantiles()).unwrap();
            assert_eq!(ask(&loaded), ask(&model));
        }
        assert!(loaded.save().unwrap() == model.save().unwrap(), "saved again as other bytes");
        assert_eq!(loaded.warnings(start(35)), model.warnings(start(35)));
    }

    #[test]
    fn the_same_data_and_seed_give_the_same_bytes() {
        let saved = |seed| fitted(seed).unwrap().save().unwrap();
        let first = saved(1);
        assert!(first == saved(1), "another model from the same data and seed");
        assert!(first != saved(2), "the seed does nothing");
    }

    #[test]
    fn paths_ascend_with_the_quantile_and_are_not_negative() {
        let forecast = fitted(1).unwrap().forecast(start(28), 168, &quantiles()).unwrap();
        let paths: Vec<&Vec<f64>> = forecast.paths.values().collect();
        for slot in 0..168 {
            let column: Vec<f64> = paths.iter().map(|path| path[slot]).collect();
            assert!(column.is_sorted() && column[0] >= 0.0, "{column:?}");
        }
    }

    #[test]
    fn a_start_past_the_reach_of_the_lstm_is_warned_of_and_still_answered() {
        let model = fitted(1).unwrap();
        assert!(model.warnings(start(28)).is_empty(), "{:?}", model.warnings(start(28)));
        let warnings = model.warnings(start(30));
        assert!(warnings.iter().any(|w| w.contains("the LSTM is left out")), "{warnings:?}");
        assert!(warnings.iter().any(|w| w.contains("48 h older")), "{warnings:?}");
        let path = model.forecast(start(30), 24, &quantiles()).unwrap().paths;
        assert!(path.values().flatten().all(|value| value.is_finite()));
    }

    #[test]
    fn requests_out_of_range_are_refused() {
        let model = fitted(1).unwrap();
        for slots in [0, 169] {
            let error = model.forecast(start(28), slots, &quantiles()).unwrap_err();
            assert!(matches!(error, ForecastError::Slots { most: 168, .. }), "{error}");
        }
        let error = model.forecast(start(28), 24, &[]).unwrap_err();
        assert!(matches!(error, ForecastError::NoQuantile));
    }

    #[test]
    fn what_was_tuned_is_saved_and_the_same_bytes_every_time() {
        let options = FitOptions { tuning_budget: 3, ..FitOptions::default() };
        let fitted = || fit(&seen(), &options, &mut |_| ControlFlow::Continue(())).unwrap();
        let model = fitted();
        let tuning = model.tuning();
        assert_eq!((tuning.prophet_candidates, tuning.lstm_candidates), (3, 3));
        assert!(model.save().unwrap() == fitted().save().unwrap(), "another model");
        assert_eq!(SignalModel::load(&files(&model)).unwrap().tuning(), tuning);
        assert_eq!(super::tests::fitted(1).unwrap().tuning(), Tuning::default());
    }

    #[test]
    fn the_extent_of_the_data_is_remembered() {
        let model = fitted(1).unwrap();
        assert_eq!((model.data_from(), model.data_until()), (start(0), start(28)));
        assert_eq!(model.slot(), Step::HOUR);
        assert!(model.back_test_loss().is_some_and(|loss| loss > 0.0 && loss < 1.0));
    }

    #[test]
    fn the_kept_back_test_is_what_skill_and_confidence_were_computed_from() {
        let model = fitted(1).unwrap();
        let slots = model.back_test();
        let summary = model.summary();
        let confidence = summary.confidence.unwrap();
        assert_eq!(slots.len(), confidence.slots as usize);
        let held = slots.iter().filter(|slot| slot.held()).count() as f64 / slots.len() as f64;
        assert!((held - confidence.observed).abs() < 1e-12);
        assert_eq!((slots[0].start, slots.len()), (start(14), 14 * 24));
        let series = seen();
        for (slot, value) in slots.iter().zip(&series.values()[14 * 24..]) {
            assert_eq!(Some(slot.observed), *value);
        }
        assert_eq!(SignalModel::load(&files(&model)).unwrap().back_test(), slots);
    }

    #[test]
    fn missing_cut_and_foreign_files_are_refused() {
        let good = files(&fitted(1).unwrap());
        for name in [MODEL, BACK_TEST, PROPHET, LSTM] {
            let mut files = good.clone();
            files.remove(name);
            assert!(matches!(SignalModel::load(&files), Err(LoadError::Missing(_))), "{name}");
            for bytes in [Vec::new(), b"{}".to_vec(), good[name][..good[name].len() / 2].to_vec()] {
                files.insert(name.to_owned(), bytes);
                assert!(SignalModel::load(&files).is_err(), "{name}");
            }
            files.insert(name.to_owned(), (0..=255).cycle().take(4096).collect());
            assert!(SignalModel::load(&files).is_err(), "{name}");
        }
    }

    #[test]
    fn a_changed_byte_is_refused_or_answered_without_a_panic() {
        let good = files(&fitted(1).unwrap());
        for (name, bytes) in &good {
            for at in (0..bytes.len()).step_by(bytes.len() / 60) {
                let mut files = good.clone();
                files.get_mut(name).unwrap()[at] ^= 0x15;
                if let Ok(model) = SignalModel::load(&files) {
                    let forecast = model.forecast(start(28), 24, &quantiles());
                    assert!(forecast.is_ok_and(|f| f.paths.len() == 6), "{name} at {at}");
                }
            }
        }
    }

    #[test]
    fn files_of_another_format_are_refused_by_number() {
        let mut files = files(&fitted(1).unwrap());
        let text = String::from_utf8(files[MODEL].clone()).unwrap();
        let older = text.replacen("\"format\":4", "\"format\":1", 1);
        files.insert(MODEL.to_owned(), older.into_bytes());
        let error = SignalModel::load(&files).err();
        assert!(matches!(error, Some(LoadError::Format { found: 1, known: FORMAT })), "{error:?}");
    }
}
