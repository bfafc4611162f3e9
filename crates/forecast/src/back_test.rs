//! Rolling daily origins: what every member would have said of days it had not seen.

use std::ops::ControlFlow;

use crate::error::FitError;
use crate::fit::{FitOptions, Watch};
use crate::levels::{Levels, weighted_levels};
use crate::members::Member;
use crate::members::holt_winters::HoltWinters;
use crate::members::hour_of_week::HourOfWeek;
use crate::members::lstm::features::Features;
use crate::members::lstm::network::{Network, OUTPUTS};
use crate::members::lstm::train::{Start, train};
use crate::members::naive::Naive;
use crate::members::prophet::Prophet;
use crate::plan::Plan;
use crate::slots::History;

/// Days a member must have before the first origin.
const DAYS_BEFORE: usize = 3;
/// Origins without which nothing can be said about days that were not used.
const LEAST_ORIGINS: usize = 2;
/// Days of history from which the LSTM is tried.
const LSTM_DAYS: usize = 7;
/// Slots of history from which the LSTM is tried, a week of hours: it reads 48 slots at once, and of a few long ones it
/// would learn nothing.
const LSTM_SLOTS: usize = 168;

/// One slot of the back-test: what came, and what each would have said the day before.
#[derive(Debug, Clone)]
pub(crate) struct Trial {
    /// Number of the slot.
    pub(crate) slot: i64,
    /// The largest observation.
    pub(crate) observed: f64,
    /// How far the slot was usually off, in the signal's unit.
    pub(crate) spread: f64,
    /// The seasonal naive forecast.
    pub(crate) baseline: Levels,
    /// The quantiles of all that had been seen.
    pub(crate) flat: Levels,
    /// The members' forecasts in the order of [`Member::ALL`].
    pub(crate) members: Forecasts,
}

/// The members that forecast a point; their quantiles come from its errors.
pub(crate) const POINTS: [Member; 2] = [Member::Prophet, Member::HoltWinters];

/// One forecast per member; `None` where a member does not reach.
pub(crate) type Forecasts = [Option<Levels>; Member::ALL.len()];

/// The trials of every origin, oldest first.
#[derive(Debug, Default)]
pub(crate) struct BackTest {
    pub(crate) origins: Vec<Vec<Trial>>,
    /// How far the members that forecast a point were off, in spreads, in the order of [`POINTS`].
    pub(crate) residuals: [Levels; POINTS.len()],
    /// The network trained before the first origin, and its features over the whole history.
    pub(crate) lstm: Option<(Features, Network)>,
}

impl BackTest {
    /// Tries the members at the last days of `history`; without origins where it is too short.
    pub(crate) fn run(
        history: &History,
        plan: &Plan,
        options: &FitOptions,
        watch: &mut Watch<'_>,
    ) -> Result<Self, FitError> {
        let count = origins(history, options);
        if count == 0 {
            return Ok(Self::default());
        }
        let first = history.end() - count * history.day();
        let lstm = train_before(history, plan, first, options, watch)?;
        let mut drafts = Vec::new();
        for origin in (0..count).map(|i| first + i * history.day()) {
            drafts.push(draft(history, plan, origin, lstm.as_ref(), options)?);
            watch.tell("back-test", 0.45 + 0.15 * drafts.len() as f64 / count as f64)?;
        }
        Ok(Self { residuals: residuals(&drafts, None), origins: finish(&drafts), lstm })
    }
}

/// How many origins a back-test of `history` has; none where that would be fewer than two.
pub(crate) fn origins(history: &History, options: &FitOptions) -> i64 {
    let days = history.days();
    let before = DAYS_BEFORE.max(days.div_ceil(2));
    let count = options.origins.min(days.saturating_sub(before));
    if count < LEAST_ORIGINS { 0 } else { count as i64 }
}

/// Whether the LSTM is tried on `history`.
pub(crate) fn tries_lstm(history: &History, options: &FitOptions) -> bool {
    let enough = history.days() >= LSTM_DAYS && history.len() >= LSTM_SLOTS;
    enough && options.members.contains(&Member::Lstm)
}

/// The LSTM trained on what came before slot `first`; `None` where the history is too short for one.
fn train_before(
    history: &History,
    plan: &Plan,
    first: i64,
    options: &FitOptions,
    watch: &mut Watch<'_>,
) -> Result<Option<(Features, Network)>, FitError> {
    if !tries_lstm(history, options) {
        return Ok(None);
    }
    let features = Features::new(history, plan.season, options.horizon);
    let start = Start::Random(options.seed);
    let end = (first - history.first) as usize;
    let mut observe = |share| watch.report("lstm", 0.45 * share);
    match train(&features, end, &start, plan.tuning.lstm, &mut observe) {
        ControlFlow::Continue(network) => Ok(Some((features, network))),
        ControlFlow::Break(()) => Err(FitError::Cancelled),
    }
}

/// A trial that lacks the quantiles that take the errors of the other origins.
struct Draft {
    trial: Trial,
    points: [Option<f64>; POINTS.len()],
}

/// What the members, fitted to the slots before `origin`, say of the day after it.
fn draft(
    history: &History,
    plan: &Plan,
    origin: i64,
    lstm: Option<&(Features, Network)>,
    options: &FitOptions,
) -> Result<Vec<Draft>, FitError> {
    let known = history.before(origin);
    let day = history.day();
    let profile = HourOfWeek::fit(&known, plan.season);
    let naive = Naive::fit(&known, plan.season);
    let flat = flat_levels(&known);
    let points = points(&known, plan, origin, options)?;
    let index = (origin - history.first) as usize;
    let outputs = lstm.map(|(features, network)| network.forward(&features.batch(&[index])).out);
    let said = |lead: usize| {
        let (features, _) = lstm?;
        let out = outputs.as_ref()?.chunks_exact(OUTPUTS).nth(lead)?;
        features.levels(index + lead, out)
    };
    let own = options.members.contains(&Member::HourOfWeek);
    let slot = |lead: usize| {
        let n = origin + lead as i64;
        let trial = Trial {
            slot: n,
            observed: history.max(n)?,
            spread: profile.spread(n),
            baseline: naive.levels(n),
            flat,
            members: [own.then(|| profile.levels(n)), None, said(lead), None],
        };
        Some(Draft { trial, points: points.each_ref().map(|path| Some(path.as_ref()?[lead])) })
    };
    Ok((0..day as usize).filter_map(slot).collect())
}

/// What the members of [`POINTS`] expect of the day after `origin`; `None` where one takes no part.
fn points(
    known: &History,
    plan: &Plan,
    origin: i64,
    options: &FitOptions,
) -> Result<[Option<Vec<f64>>; POINTS.len()], FitError> {
    let count = known.day() as usize;
    let takes_part = |member: Member| options.members.contains(&member);
    let twice = known.observed().nth(1).is_some();
    let prophet = (twice && takes_part(Member::Prophet))
        .then(|| Prophet::fit(known, &plan.prophet()).and_then(|model| model.path(origin, count)))
        .transpose()
        .map_err(FitError::Prophet)?;
    let smoothed = takes_part(Member::HoltWinters)
        .then(|| HoltWinters::fit(known, plan.season).ok())
        .flatten()
        .map(|model| model.path(origin, count));
    Ok([prophet, smoothed])
}

/// The quantiles of all that was seen.
pub(crate) fn flat_levels(history: &History) -> Levels {
    let mut values: Vec<(f64, f64)> = history.observed().map(|(_, value)| (value, 1.0)).collect();
    weighted_levels(&mut values)
}

/// Quantiles of the errors of each member of [`POINTS`] in spreads, over all origins but `left_out`.
fn residuals(drafts: &[Vec<Draft>], left_out: Option<usize>) -> [Levels; POINTS.len()] {
    let others = || drafts.iter().enumerate().filter(|(index, _)| Some(*index) != left_out);
    std::array::from_fn(|point| {
        let error = |draft: &Draft| {
            Some(((draft.trial.observed - draft.points[point]?) / draft.trial.spread, 1.0))
        };
        let mut errors: Vec<(f64, f64)> =
            others().flat_map(|(_, drafts)| drafts).filter_map(error).collect();
        weighted_levels(&mut errors)
    })
}

fn finish(drafts: &[Vec<Draft>]) -> Vec<Vec<Trial>> {
    let complete = |draft: &Draft, residuals: &[Levels; POINTS.len()]| {
        let mut trial = draft.trial.clone();
        for ((member, point), residuals) in POINTS.into_iter().zip(draft.points).zip(residuals) {
            let levels = point.map(|point| residuals.map(|r| point + trial.spread * r));
            trial.members[member as usize] = levels;
        }
        trial
    };
    drafts
        .iter()
        .enumerate()
        .map(|(index, origin)| {
            let residuals = residuals(drafts, Some(index));
            origin.iter().map(|draft| complete(draft, &residuals)).collect()
        })
        .collect()
}
