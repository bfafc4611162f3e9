//! Asking every method for every day of every trial.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use crate::answer::{Cell, StoodIn};
use crate::ledger::{Ledger, LedgerError, key};
use crate::method::Method;
use crate::methods::{Situation, answer, stand_in};
use crate::options::Options;
use crate::trial::Trial;

/// Every cell of a run, by index of the trial and method.
pub type Cells = BTreeMap<(usize, Method), Cell>;

/// A cell that is still to be computed.
struct Job {
    trial: usize,
    method: Method,
    key: String,
}

/// What each of `methods` answers for each of `trials`, computed on `jobs` threads.
///
/// Cells that `ledger` holds are taken from it, the others are added to it as they are finished.
/// `observe` is told how many cells of how many are done. The answers do not depend on `jobs`. Fails
/// when the ledger cannot be written.
pub fn run(
    trials: &[Trial],
    methods: &[Method],
    options: &Options,
    (ledger, jobs): (&mut Option<Ledger>, usize),
    observe: &mut dyn FnMut(usize, usize),
) -> Result<Cells, LedgerError> {
    let mut cells = Cells::new();
    let todo = plan(trials, methods, options, ledger.as_ref(), &mut cells);
    let (found, total) = (cells.len(), cells.len() + todo.len());
    observe(found, total);
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let work = |index: usize| {
        let job = todo.get(index)?;
        Some(compute(&trials[job.trial], job.method, options))
    };
    thread::scope(|scope| {
        let (sender, receiver) = sync_channel(1);
        for _ in 0..jobs.max(1).min(todo.len()) {
            let (sender, next, stop) = (sender.clone(), &next, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some(cell) = work(index) else { return };
                    if sender.send((index, cell)).is_err() {
                        return;
                    }
                }
            });
        }
        drop(sender);
        let kept = keep(receiver, |index, cell, done| {
            let job = &todo[index];
            if let Some(ledger) = ledger.as_mut() {
                ledger.append(&job.key, &trials[job.trial], job.method, &cell)?;
            }
            cells.insert((job.trial, job.method), cell);
            observe(found + done, total);
            Ok(())
        });
        stop.store(true, Ordering::Relaxed);
        kept
    })?;
    Ok(derived(cells, trials.len(), methods))
}

/// Hands every finished cell to `take`, with how many there were, until all are there or it fails.
fn keep(
    receiver: Receiver<(usize, Cell)>,
    mut take: impl FnMut(usize, Cell, usize) -> Result<(), LedgerError>,
) -> Result<(), LedgerError> {
    receiver
        .into_iter()
        .enumerate()
        .try_for_each(|(before, (index, cell))| take(index, cell, before + 1))
}

/// The cells to compute; those the ledger holds are put into `cells`.
fn plan(
    trials: &[Trial],
    methods: &[Method],
    options: &Options,
    ledger: Option<&Ledger>,
    cells: &mut Cells,
) -> Vec<Job> {
    let mut bases: Vec<Method> = methods.iter().map(|method| method.base()).collect();
    bases.sort_unstable();
    bases.dedup();
    let mut todo = Vec::new();
    for (index, trial) in trials.iter().enumerate() {
        for &method in &bases {
            let key = key(trial, method, options);
            match ledger.and_then(|ledger| ledger.find(&key)) {
                Some(cell) => drop(cells.insert((index, method), cell.clone())),
                None => todo.push(Job { trial: index, method, key }),
            }
        }
    }
    todo
}

fn compute(trial: &Trial, method: Method, options: &Options) -> Cell {
    let mut cell =
        Cell { answers: Vec::new(), stood_in: None, fit_seconds: 0.0, forecast_seconds: 0.0 };
    for day in trial.days() {
        let history = trial.history(day, options);
        let asked = Situation {
            history: &history,
            start: day.start,
            slot: options.slot,
            slots: options.slots(),
            options,
            day,
        };
        let timed = answer(method, &asked).unwrap_or_else(|reason| {
            let origins = cell.stood_in.as_ref().map_or(0, |before| before.origins) + 1;
            cell.stood_in = Some(StoodIn { origins, reason });
            stand_in(&asked)
        });
        cell.answers.push(timed.answer);
        cell.fit_seconds += timed.fit.as_secs_f64();
        cell.forecast_seconds += timed.forecast.as_secs_f64();
    }
    cell
}

/// `cells` with those made from others, and without those that were not asked for.
fn derived(mut cells: Cells, trials: usize, methods: &[Method]) -> Cells {
    for trial in 0..trials {
        if let Some(base) = cells.get(&(trial, Method::MoraStatic.base())).cloned() {
            let answers = base.answers.into_iter().map(crate::Answer::flattened).collect();
            cells.insert((trial, Method::MoraStatic), Cell { answers, ..base });
        }
    }
    cells.retain(|(_, method), _| methods.contains(method));
    cells
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trial::made::{options, recording};

    const METHODS: [Method; 5] = [
        Method::SeasonalNaive,
        Method::Krr,
        Method::HourOfDayMaximum,
        Method::HoltWinters,
        Method::MoraStatic,
    ];

    fn trials() -> Vec<Trial> {
        let wave = |scale: f64| move |n: i64| Some(5.0 + scale * (n % 24) as f64 + (n % 5) as f64);
        [1.0, 2.0, 0.5]
            .map(|scale| Trial::new(recording("wave", 7, wave(scale)), &options()).unwrap())
            .into()
    }

    /// A run without the seconds it took.
    fn answers(ledger: &mut Option<Ledger>, jobs: usize) -> Cells {
        let cells = run(&trials(), &METHODS, &options(), (ledger, jobs), &mut |_, _| ()).unwrap();
        let timeless = |cell| Cell { fit_seconds: 0.0, forecast_seconds: 0.0, ..cell };
        cells.into_iter().map(|(place, cell)| (place, timeless(cell))).collect()
    }

    #[test]
    fn the_answers_do_not_depend_on_the_number_of_threads() {
        let alone = answers(&mut None, 1);
        assert_eq!(alone.len(), 15);
        assert_eq!(alone, answers(&mut None, 4));
        let flat = &alone[&(0, Method::MoraStatic)].answers[0].request;
        assert!(flat.iter().all(|value| (value - flat[0]).abs() < 1e-12));
    }

    #[test]
    fn a_run_that_goes_on_after_a_torn_line_ends_like_one_that_was_not_broken_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cells.jsonl");
        let whole = answers(&mut Some(Ledger::open(&path).unwrap()), 2);
        let text = std::fs::read_to_string(&path).unwrap();
        assert_eq!(text.lines().count(), 15);
        std::fs::write(&path, &text[..text.len() / 2]).unwrap();
        let mut found = Vec::new();
        let mut ledger = Some(Ledger::open(&path).unwrap());
        let held = ledger.as_ref().map_or(0, Ledger::len);
        assert!((1..15).contains(&held), "{held}");
        let observe = &mut |done, total| found.push((done, total));
        run(&trials(), &METHODS, &options(), (&mut ledger, 1), observe).unwrap();
        assert_eq!((found[0], found[found.len() - 1]), ((held, 15), (15, 15)));
        assert_eq!(answers(&mut Some(Ledger::open(&path).unwrap()), 1), whole);
    }

    #[test]
    fn where_a_method_refuses_the_krr_rule_stands_in_and_is_counted() {
        let sparse = |n: i64| (n >= 24 || n % 2 == 0).then_some(1.0 + (n % 3) as f64);
        let trial = Trial::new(recording("sparse", 3, sparse), &options()).unwrap();
        let cell = compute(&trial, Method::Mora, &options());
        let stood_in = cell.stood_in.unwrap();
        assert_eq!(stood_in.origins, 1);
        assert!(stood_in.reason.contains("too little history"), "{}", stood_in.reason);
        assert_eq!(cell.answers.len(), 2);
    }
}
