//! Reading recorded series.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, bail, ensure};
use mora_backtest::Observations;
use mora_collector::{Row, TidyFile};

use super::BacktestArguments;
use super::columns::Columns;

/// Observations by set and series.
pub(super) type Recorded = BTreeMap<(String, String), Observations>;

/// Reads what `arguments` name; fails when a file, a column or a cell cannot be used.
pub(super) fn read(arguments: &BacktestArguments) -> anyhow::Result<Recorded> {
    let mut recorded = Recorded::new();
    let mut found = BTreeSet::new();
    let wanted = wanted(arguments)?;
    for path in &arguments.data {
        let file = TidyFile::new(path)?;
        let columns = Columns::of(&file, arguments)?;
        found.extend(columns.values.iter().map(|(_, name)| name.clone()));
        read_file(&file, &columns, &wanted, &mut recorded)?;
    }
    if let Some(absent) = arguments.value.iter().find(|name| !found.contains(*name)) {
        bail!("no file has a column `{absent}`, which --value names");
    }
    let names: BTreeSet<&String> = recorded.keys().map(|(_, name)| name).collect();
    if let Some(absent) = arguments.only.iter().find(|name| !names.contains(name)) {
        bail!("no series is named `{absent}`, which --only names, or --where leaves it out");
    }
    Ok(recorded)
}

/// The series that are wanted; `None` for all.
struct Wanted {
    only: Option<BTreeSet<String>>,
    meta: Option<BTreeSet<String>>,
}

impl Wanted {
    fn includes(&self, name: &str) -> bool {
        [&self.only, &self.meta].iter().all(|names| names.as_ref().is_none_or(|n| n.contains(name)))
    }
}

fn wanted(arguments: &BacktestArguments) -> anyhow::Result<Wanted> {
    let only: BTreeSet<String> = arguments.only.iter().cloned().collect();
    let condition = arguments.meta.as_deref().zip(arguments.condition.as_deref());
    let meta = condition.map(|(path, condition)| named_where(path, condition)).transpose()?;
    Ok(Wanted { only: (!only.is_empty()).then_some(only), meta })
}

/// The names in the first column of the rows at `path` whose column has the value of `condition`.
fn named_where(path: &Path, condition: &str) -> anyhow::Result<BTreeSet<String>> {
    let (column, value) = condition.split_once('=').context("--where wants COLUMN=VALUE")?;
    let file = TidyFile::new(path)?;
    let columns = file.columns()?;
    let Some(index) = columns.iter().position(|name| name == column) else {
        let present = columns.join(", ");
        bail!(
            "{} has no column `{column}`, which --where names; its columns are {present}",
            path.display()
        );
    };
    let mut names = BTreeSet::new();
    file.visit(&mut |row| {
        let matches = row.text(index).is_some_and(|text| text == value);
        names.extend(row.text(0).filter(|_| matches));
        Ok(())
    })?;
    ensure!(!names.is_empty(), "no row of {} has {condition}, as --where wants", path.display());
    Ok(names)
}

fn read_file(
    file: &TidyFile,
    columns: &Columns,
    wanted: &Wanted,
    recorded: &mut Recorded,
) -> anyhow::Result<()> {
    let whole =
        file.path().file_name().map_or_else(String::new, |n| n.to_string_lossy().into_owned());
    let whole = whole.split('.').next().unwrap_or_default();
    file.visit(&mut |row| {
        let name = name(row, columns).unwrap_or_else(|| whole.to_owned());
        if !wanted.includes(&name) {
            return Ok(());
        }
        let instant = row.instant(columns.time)?;
        for (index, set) in &columns.values {
            if let Some(value) = row.amount(*index)? {
                let observations = recorded.entry((set.clone(), name.clone())).or_default();
                observations.push(instant, value);
            }
        }
        Ok(())
    })?;
    Ok(())
}

/// The texts of the series columns; `None` where the file has none.
fn name(row: &Row<'_>, columns: &Columns) -> Option<String> {
    let parts = columns.series.iter().map(|index| row.text(*index).unwrap_or_default());
    let parts: Vec<String> = parts.collect();
    (!parts.is_empty()).then(|| parts.join("/"))
}
