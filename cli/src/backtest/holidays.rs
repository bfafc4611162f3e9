//! Reading holidays as Prophet's users keep them: a CSV with `holiday,ds[,lower_window,upper_window]`.

use std::path::Path;

use anyhow::{Context, bail, ensure};
use csv::{Position, StringRecord};
use jiff::civil::Date;
use mora_backtest::Holiday;

const COLUMNS: [&str; 4] = ["holiday", "ds", "lower_window", "upper_window"];

/// The holidays in the file at `path`, one per row; fails at the first cell that cannot be used, by line and column.
pub(super) fn read(path: &Path) -> anyhow::Result<Vec<Holiday>> {
    let text = std::fs::read_to_string(path).with_context(|| {
        format!(
            "cannot read the holidays {}; check that the file is there and may be read",
            path.display()
        )
    })?;
    parse(&text).with_context(|| format!("cannot use the holidays {}", path.display()))
}

fn parse(text: &str) -> anyhow::Result<Vec<Holiday>> {
    let mut reader = csv::ReaderBuilder::new().trim(csv::Trim::All).from_reader(text.as_bytes());
    let places = places(reader.headers()?)?;
    let mut holidays = Vec::new();
    for row in reader.records() {
        holidays.push(holiday(&row?, &places)?);
    }
    ensure!(!holidays.is_empty(), "it has no rows; list a holiday and its date in each");
    Ok(holidays)
}

/// Where each of [`COLUMNS`] stands, the windows only where they are.
fn places(header: &StringRecord) -> anyhow::Result<[Option<usize>; 4]> {
    // pandas writes its index as a column without a name.
    let unknown = |name: &&str| !name.is_empty() && !COLUMNS.contains(name);
    if let Some(name) = header.iter().find(unknown) {
        bail!("line 1: the column `{name}` is not known; use {}", COLUMNS.join(", "));
    }
    let places = COLUMNS.map(|name| header.iter().position(|column| column == name));
    match places {
        [Some(_), Some(_), ..] => Ok(places),
        _ => bail!("line 1: the columns holiday and ds must be there"),
    }
}

fn holiday(row: &StringRecord, places: &[Option<usize>; 4]) -> anyhow::Result<Holiday> {
    let line = row.position().map_or(0, Position::line);
    let [name, date, lower, upper] = places.map(|place| row.get(place?));
    let at = |column: usize| format!("line {line}, column `{}`", COLUMNS[column]);
    let date = date.unwrap_or_default();
    let day: Date = date
        .parse()
        .with_context(|| format!("{}: `{date}` is no date; use a day as in 2026-12-25", at(1)))?;
    let lower = days(lower).with_context(|| at(2))?;
    let upper = days(upper).with_context(|| at(3))?;
    Holiday::new(name.unwrap_or_default(), [day].into(), lower..=upper)
        .with_context(|| format!("line {line}"))
}

/// A whole number of days; 0 where there is none. pandas writes whole numbers beside gaps as `1.0`.
fn days(cell: Option<&str>) -> anyhow::Result<i32> {
    let text = cell.unwrap_or_default();
    if text.is_empty() {
        return Ok(0);
    }
    let whole = text.strip_suffix(".0").unwrap_or(text);
    whole.parse().with_context(|| format!("`{text}` is no number of days; use -1, 0 or 1"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error of `text` with its causes.
    fn refused(text: &str) -> String {
        format!("{:#}", parse(text).unwrap_err())
    }

    #[test]
    fn what_prophets_users_have_is_read() {
        let text =
            "holiday,ds,lower_window,upper_window\nsale,2026-11-27,0,3\nnew year,2026-01-01,-1,\n";
        let day = |text: &str| [text.parse().unwrap()].into();
        let due = [
            Holiday::new("sale", day("2026-11-27"), 0..=3).unwrap(),
            Holiday::new("new year", day("2026-01-01"), -1..=0).unwrap(),
        ];
        assert_eq!(parse(text).unwrap(), due);
        let indexed = ",ds,holiday,lower_window\n0,2026-01-01,new year,-1.0\n";
        assert_eq!(parse(indexed).unwrap(), due[1..]);
        assert_eq!(parse("holiday,ds\nsale,2026-11-27").unwrap().len(), 1);
    }

    #[test]
    fn a_cell_that_cannot_be_used_is_named_by_line_and_column() {
        let head = "holiday,ds,upper_window\na,2026-01-01,0\n";
        let error = refused(&format!("{head}b,2026-02-30,0\n"));
        assert!(error.starts_with("line 3, column `ds`: `2026-02-30` is no date"), "{error}");
        let error = refused(&format!("{head}b,2026-02-28,soon\n"));
        assert!(error.starts_with("line 3, column `upper_window`: `soon` is no number"), "{error}");
        let error = refused(&format!("{head}b,2026-02-28,99\n"));
        assert!(error.contains("line 3: the holiday `b` has a window of 0 to 99 days"), "{error}");
        assert!(
            refused(&format!("{head},2026-02-28,0\n")).contains("line 3: a holiday has no name")
        );
    }

    #[test]
    fn a_missing_or_unknown_column_and_an_empty_file_are_refused() {
        assert!(refused("name,ds\na,2026-01-01\n").contains("`name` is not known"));
        assert!(refused("holiday\na\n").contains("holiday and ds must be there"));
        assert!(refused("holiday,ds\n").contains("no rows"));
    }
}
