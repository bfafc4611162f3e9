//! The Prophet member alone on a recorded series, for `scripts/bench-prophet`.
//!
//! Usage: `prophet_alone FILE SLOT_SECONDS DAYS`. FILE has the lines `second,value` under a heading, one minute
//! apart. It fits DAYS days and forecasts the day after, for each day that is left, and prints one JSON
//! object: seconds of each fit and forecast, paths over what was fitted and over the day after, peak memory in KiB.

use std::time::Instant;

use anyhow::Context;
use jiff::Timestamp;
use mora_core::{Series, Step};
use mora_forecast::ProphetAlone;
use serde_json::{Value, json};

const DAY: i64 = 86_400;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [file, slot, days] = arguments.as_slice() else {
        anyhow::bail!("usage: prophet_alone FILE SLOT_SECONDS DAYS");
    };
    let series = read(file)?;
    let slot = Step::from_seconds(slot.parse()?).context("a slot has at least one second")?;
    let days: i64 = days.parse()?;
    let first = series.start().as_second();
    let windows = (series.len() as i64 * 60) / DAY - days;
    let runs = (0..windows).map(|day| run(&series, slot, first + day * DAY, days));
    let runs: Vec<Value> = runs.collect::<anyhow::Result<_>>()?;
    println!("{}", json!({ "runs": runs, "peak_kib": peak_kib()? }));
    Ok(())
}

/// One fit from second `first` on, and what it says of the day after.
fn run(series: &Series, slot: Step, first: i64, days: i64) -> anyhow::Result<Value> {
    let start = Timestamp::from_second(first)?;
    let end = Timestamp::from_second(first + days * DAY)?;
    let a_day = DAY as usize / slot.seconds() as usize;
    let began = Instant::now();
    let model = ProphetAlone::fit(&series.between(start, end), slot, days >= 14)?;
    let fitted = began.elapsed().as_secs_f64();
    let next = model.path(end, a_day)?;
    let forecast = began.elapsed().as_secs_f64() - fitted;
    let seen = model.path(start, days as usize * a_day)?;
    Ok(json!({
        "fit_seconds": fitted,
        "forecast_seconds": forecast,
        "seen": seen,
        "next": next,
    }))
}

fn read(file: &str) -> anyhow::Result<Series> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    let rows = text.lines().skip(1).map(|line| line.split_once(',').context("not `second,value`"));
    let rows: Vec<(&str, &str)> = rows.collect::<anyhow::Result<_>>()?;
    let start = rows.first().context("the file has no rows")?.0.parse()?;
    let values = rows.iter().map(|(_, value)| value.parse().ok()).collect();
    Ok(Series::new(Timestamp::from_second(start)?, Step::MINUTE, values)?)
}

/// The most memory this process has had, as Linux counts it.
fn peak_kib() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let amount = line.and_then(|line| line.split_whitespace().next());
    Ok(amount.context("/proc/self/status has no VmHWM")?.parse()?)
}
