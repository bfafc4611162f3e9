//! `mora backtest`: methods judged on recorded series of the user's own.

mod columns;
mod holidays;
mod page;
mod read;
mod table;

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::thread::available_parallelism;

use anyhow::Context;
use clap::{Args, ValueEnum};
use mora_backtest::{
    Ledger, Method, Observations, Options, Recording, Report, ResampleError, SetReport, Skipped,
    Trial, judge, run,
};
use mora_coordinator::write_whole;
use mora_core::Step;
use mora_runtime::Exit;

use crate::progress::{bar, say};
use crate::stdout::print;

const DAY_SECONDS: u32 = 86_400;

/// How the result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Output {
    /// A summary per set
    Table,
    /// Everything, for programs
    Json,
    /// One line per series and method
    Csv,
    /// One page with plots
    Html,
}

/// Options of `mora backtest`; see `docs/backtest.md`.
#[derive(Debug, Args)]
pub(crate) struct BacktestArguments {
    /// Recorded series: a tidy .csv, .csv.gz or .parquet file; may be repeated
    #[arg(long, required = true, value_name = "FILE")]
    data: Vec<PathBuf>,
    /// Column that names the series; several, with commas between them, name it together
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    series: Vec<String>,
    /// Column to judge, each a set of its own; may be repeated
    #[arg(long, value_name = "COLUMN", value_delimiter = ',')]
    value: Vec<String>,
    /// Column of instants: Unix seconds or milliseconds, or RFC 3339
    #[arg(long, value_name = "COLUMN")]
    time: Option<String>,
    /// Judge only the series with these names
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    only: Vec<String>,
    /// File with a row per series, for --where
    #[arg(long, value_name = "FILE", requires = "condition")]
    meta: Option<PathBuf>,
    /// Judge only the series whose row in the --meta file has this value
    #[arg(long = "where", value_name = "COLUMN=VALUE", requires = "meta")]
    condition: Option<String>,
    /// A sample is the largest value in this time; a coarser recording keeps its own step
    #[arg(long, default_value = "5m", value_parser = step)]
    sample: Step,
    /// How long a request holds
    #[arg(long, default_value = "1h", value_parser = step)]
    slot: Step,
    /// History before the first origin, in whole days
    #[arg(long, default_value = "7d", value_parser = days)]
    history: u32,
    /// Most history a method is given, in whole days
    #[arg(long, default_value = "28d", value_parser = days)]
    lookback: u32,
    /// Most origins per series, the newest ones; all when absent
    #[arg(long, value_name = "N")]
    origins: Option<usize>,
    /// Share of the origins, the oldest ones, on which only the safety margin is found
    #[arg(long, default_value_t = 0.3, value_name = "SHARE")]
    validation: f64,
    /// Share of samples that may lie above the request
    #[arg(long, default_value_t = 0.01, value_name = "SHARE")]
    risk: f64,
    /// Methods with commas between them, or all; seasonal-naive always takes part
    #[arg(long, default_value = "all")]
    method: String,
    /// Holidays that MOrA's Prophet learns: a CSV of names and dates, see docs/backtest.md
    #[arg(long, value_name = "FILE")]
    holidays: Option<PathBuf>,
    /// Settings tried for Prophet and for the LSTM, each, on days before their own back-test
    #[arg(long, default_value_t = 0, value_name = "N")]
    tuning_budget: u32,
    /// Seed of what is drawn at random
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Threads; as many as there are processors when absent
    #[arg(long, value_name = "N")]
    jobs: Option<NonZeroUsize>,
    /// Keep finished parts in this file, and go on from it
    #[arg(long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Output format
    #[arg(long, short, value_enum, default_value_t = Output::Table)]
    output: Output,
    /// In a table, show every series too
    #[arg(long)]
    per_series: bool,
    /// Write to this file instead of standard output
    #[arg(long, alias = "out", value_name = "FILE")]
    to: Option<PathBuf>,
}

/// Runs the command; the result goes to standard output, or to the file that is named.
pub(crate) async fn backtest(arguments: BacktestArguments) -> anyhow::Result<Exit> {
    tokio::task::spawn_blocking(move || judged(&arguments))
        .await
        .context("the back-test broke off")?
}

fn judged(arguments: &BacktestArguments) -> anyhow::Result<Exit> {
    let options = options(arguments)?;
    options.check()?;
    let methods = Method::parse_list(&arguments.method)?;
    let (trials, skipped) = trials(arguments, &options)?;
    let mut ledger = arguments.resume.as_deref().map(resume).transpose()?;
    let cells = {
        let bar = bar(0);
        let mut observe = |done: usize, total: usize| {
            bar.set_length(total as u64);
            bar.set_position(done as u64);
            bar.set_message(format!("{done} of {total} cells"));
        };
        let jobs = arguments.jobs.or(available_parallelism().ok()).map_or(1, NonZeroUsize::get);
        let cells = run(&trials, &methods, &options, (&mut ledger, jobs), &mut observe)?;
        bar.finish_and_clear();
        cells
    };
    let report = judge(&trials, skipped, &cells, &methods, &options);
    report.sets.iter().for_each(tell_stand_ins);
    write(arguments, &report)?;
    Ok(Exit::Success)
}

fn options(arguments: &BacktestArguments) -> anyhow::Result<Options> {
    let holidays = arguments.holidays.as_deref().map(holidays::read).transpose()?;
    Ok(Options {
        sample: arguments.sample,
        slot: arguments.slot,
        history_days: arguments.history,
        lookback_days: arguments.lookback,
        origins: arguments.origins,
        validation: arguments.validation,
        risk: arguments.risk,
        seed: arguments.seed,
        holidays: holidays.unwrap_or_default(),
        tuning_budget: arguments.tuning_budget,
    })
}

/// The series that can be judged, and why others cannot.
fn trials(
    arguments: &BacktestArguments,
    options: &Options,
) -> anyhow::Result<(Vec<Trial>, Vec<Skipped>)> {
    let (mut trials, mut skipped) = (Vec::new(), Vec::new());
    for ((set, name), observations) in read::read(arguments)? {
        match trial(&set, &name, observations, options)? {
            Ok(trial) => trials.push(trial),
            Err(reason) => skipped.push(Skipped { set, series: name, reason }),
        }
    }
    for Skipped { set, series, reason } in skipped.iter().take(SHOWN) {
        say(&format!("{series} ({set}) is left out: {reason}"));
    }
    if skipped.len() > SHOWN {
        say(&format!("{} more series are left out", skipped.len() - SHOWN));
    }
    anyhow::ensure!(
        !trials.is_empty(),
        "none of {} series can be judged; a series needs {} days of history and 2 days after it, half observed: record longer, or shorten --history",
        skipped.len(),
        options.history_days
    );
    let days: usize = trials.iter().map(Trial::origins).sum();
    say(&format!("judging {} series on {days} days", trials.len()));
    Ok((trials, skipped))
}

/// Series that are left out and named one by one.
const SHOWN: usize = 5;

/// The trial of a series, or why it is left out; fails when it was read wrongly.
fn trial(
    set: &str,
    name: &str,
    observations: Observations,
    options: &Options,
) -> anyhow::Result<Result<Trial, String>> {
    let series = match observations.resample(options) {
        Ok(series) => series,
        Err(twice @ ResampleError::Twice(_)) => {
            return Err(twice).with_context(|| format!("cannot read the series {name} ({set})"));
        }
        Err(other) => return Ok(Err(other.to_string())),
    };
    let recording = Recording { set: set.to_owned(), name: name.to_owned(), series };
    Ok(Trial::new(recording, options).map_err(|unsuitable| unsuitable.to_string()))
}

fn resume(path: &Path) -> anyhow::Result<Ledger> {
    let ledger = Ledger::open(path)?;
    if !ledger.is_empty() {
        say(&format!("{} holds {} finished cells", path.display(), ledger.len()));
    }
    Ok(ledger)
}

/// Says where a method did not answer.
fn tell_stand_ins(set: &SetReport) {
    for method in &set.methods {
        let mut of_series = set.series.iter().flat_map(|series| &series.methods);
        let reason =
            of_series.find_map(|m| (m.method == method.method).then_some(m.stood_in.as_ref()?));
        if let Some(stood_in) = reason {
            say(&format!(
                "{} ({}): the KRR rule stood in on {} days, because {}",
                method.method, set.set, method.stood_in, stood_in.reason
            ));
        }
    }
}

fn write(arguments: &BacktestArguments, report: &Report) -> anyhow::Result<()> {
    let text = match arguments.output {
        Output::Table => table::table(report, arguments.per_series),
        Output::Json => serde_json::to_string_pretty(report)? + "\n",
        Output::Csv => table::csv(report)?,
        Output::Html => page::page(report, &arguments.data),
    };
    match &arguments.to {
        Some(path) => {
            write_whole(path, &text)?;
            say(&format!("result: {}", path.display()));
        }
        None => print(&text)?,
    }
    Ok(())
}

/// A number with its unit: s, m, h or d.
fn seconds(text: &str) -> Result<u32, String> {
    let refused =
        || format!("`{text}` is no length of time; use a whole number and s, m, h or d, as in 5m");
    let unit = text.chars().last().ok_or_else(refused)?;
    let number: u32 = text[..text.len() - unit.len_utf8()].parse().map_err(|_| refused())?;
    let width = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => DAY_SECONDS,
        _ => return Err(refused()),
    };
    number.checked_mul(width).filter(|seconds| *seconds > 0).ok_or_else(refused)
}

fn step(text: &str) -> Result<Step, String> {
    Step::from_seconds(seconds(text)?).ok_or_else(|| format!("`{text}` is too short"))
}

fn days(text: &str) -> Result<u32, String> {
    let seconds = seconds(text)?;
    let whole = seconds.is_multiple_of(DAY_SECONDS).then_some(seconds / DAY_SECONDS);
    whole.ok_or_else(|| format!("`{text}` is not in whole days; use for example 7d"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_have_a_unit() {
        assert_eq!(
            ["90s", "5m", "1h", "7d"].map(seconds),
            [Ok(90), Ok(300), Ok(3600), Ok(604_800)]
        );
        for wrong in ["", "5", "m", "0h", "-1h", "5w", "1.5h", "99999999d", "5µ"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
        assert_eq!(days("48h"), Ok(2));
        assert!(days("36h").is_err());
    }
}
