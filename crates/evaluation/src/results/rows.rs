//! Result rows and courses as tables.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::table::{Column, Table};
use super::{Provenance, ResultRow, RunKey};
use crate::{Metrics, Trace, TracePoint};

/// Facts of runs, as one JSON object each.
const FACTS: &str = "facts";

fn texts<'a, T: 'a>(rows: &'a [T], of: impl Fn(&'a T) -> String) -> Column {
    Column::Text(rows.iter().map(of).collect())
}

fn keys(keys: &[&RunKey]) -> Table {
    let integers = |of: fn(&RunKey) -> i64| Column::Integer(keys.iter().map(|k| of(k)).collect());
    vec![
        ("scenario".to_owned(), texts(keys, |key| key.scenario.clone())),
        ("arm".to_owned(), texts(keys, |key| key.arm.to_string())),
        ("margin_thousandths".to_owned(), integers(|key| i64::from(key.margin_thousandths))),
        ("seed".to_owned(), integers(|key| key.seed.cast_signed())),
    ]
}

/// The metrics by name; those that are missing are null.
fn named(metrics: &Metrics) -> Map<String, Value> {
    match serde_json::to_value(metrics) {
        Ok(Value::Object(metrics)) => metrics,
        _ => Map::new(),
    }
}

/// A row a run: its key, its metrics, its provenance.
pub(super) fn of_rows(rows: &[ResultRow]) -> Table {
    let mut table = keys(&rows.iter().map(|row| &row.key).collect::<Vec<_>>());
    let metrics: Vec<_> = rows.iter().map(|row| named(&row.metrics)).collect();
    for name in named(&Metrics::default()).keys() {
        let values = metrics.iter().map(|metrics| metrics.get(name).and_then(Value::as_f64));
        table.push((name.clone(), Column::Real(values.collect())));
    }
    let provenance = |of: fn(&Provenance) -> String| texts(rows, |row| of(&row.provenance));
    table.extend([
        ("version".to_owned(), provenance(|p| p.version.clone())),
        ("commit".to_owned(), provenance(|p| p.commit.clone())),
        ("environment".to_owned(), provenance(|p| p.environment.clone())),
        ("configuration".to_owned(), provenance(|p| p.configuration.clone())),
        (FACTS.to_owned(), provenance(|p| serde_json::json!(p.facts).to_string())),
    ]);
    table
}

/// A table from which rows are read.
struct Reader {
    columns: BTreeMap<String, Column>,
    length: usize,
}

impl Reader {
    fn new(table: Table) -> Self {
        let length = table.first().map_or(0, |(_, column)| match column {
            Column::Text(values) => values.len(),
            Column::Integer(values) => values.len(),
            Column::Real(values) => values.len(),
        });
        Self { columns: table.into_iter().collect(), length }
    }

    fn text(&self, name: &str, row: usize) -> Result<&str, String> {
        match self.columns.get(name) {
            Some(Column::Text(values)) => Ok(&values[row]),
            _ => Err(format!("there is no column `{name}` of text")),
        }
    }

    fn integer(&self, name: &str, row: usize) -> Result<i64, String> {
        match self.columns.get(name) {
            Some(Column::Integer(values)) => Ok(values[row]),
            _ => Err(format!("there is no column `{name}` of whole numbers")),
        }
    }

    fn real(&self, name: &str, row: usize) -> Result<Option<f64>, String> {
        match self.columns.get(name) {
            Some(Column::Real(values)) => Ok(values[row]),
            _ => Err(format!("there is no column `{name}` of numbers")),
        }
    }

    fn present(&self, name: &str, row: usize) -> Result<f64, String> {
        self.real(name, row)?.ok_or_else(|| format!("row {row} has no `{name}`"))
    }

    fn key(&self, row: usize) -> Result<RunKey, String> {
        let margin = self.integer("margin_thousandths", row)?;
        Ok(RunKey {
            scenario: self.text("scenario", row)?.to_owned(),
            arm: self.text("arm", row)?.parse().map_err(|e: crate::UnknownArm| e.to_string())?,
            margin_thousandths: u32::try_from(margin)
                .map_err(|_| format!("row {row} has the margin {margin}"))?,
            seed: self.integer("seed", row)?.cast_unsigned(),
        })
    }

    fn metrics(&self, row: usize) -> Result<Metrics, String> {
        let mut metrics = Map::new();
        for name in named(&Metrics::default()).keys() {
            metrics.insert(name.clone(), Value::from(self.real(name, row)?));
        }
        serde_json::from_value(Value::Object(metrics)).map_err(|e| format!("row {row}: {e}"))
    }

    fn provenance(&self, row: usize) -> Result<Provenance, String> {
        let text = |name| self.text(name, row).map(str::to_owned);
        let facts = serde_json::from_str(self.text(FACTS, row)?);
        Ok(Provenance {
            version: text("version")?,
            commit: text("commit")?,
            environment: text("environment")?,
            configuration: text("configuration")?,
            facts: facts.map_err(|error| format!("the facts of row {row}: {error}"))?,
        })
    }
}

/// The rows of a table; fails with what does not fit.
pub(super) fn to_rows(table: Table) -> Result<Vec<ResultRow>, String> {
    let reader = Reader::new(table);
    let row = |row| {
        Ok(ResultRow {
            key: reader.key(row)?,
            metrics: reader.metrics(row)?,
            provenance: reader.provenance(row)?,
        })
    };
    (0..reader.length).map(row).collect()
}

/// A row a point, by run and time.
pub(super) fn of_traces(traces: &[Trace]) -> Table {
    let points: Vec<(&RunKey, &TracePoint)> =
        traces.iter().flat_map(|trace| trace.points.iter().map(|p| (&trace.key, p))).collect();
    let mut table = keys(&points.iter().map(|(key, _)| *key).collect::<Vec<_>>());
    let reals = |of: fn(&TracePoint) -> Option<f64>| {
        Column::Real(points.iter().map(|(_, point)| of(point)).collect())
    };
    let seconds = points.iter().map(|(_, point)| point.at.as_second());
    table.extend([
        ("at_second".to_owned(), Column::Integer(seconds.collect())),
        ("requests".to_owned(), reals(|p| Some(p.requests))),
        ("cpu_requested".to_owned(), reals(|p| Some(p.cpu_requested))),
        ("cpu_used".to_owned(), reals(|p| Some(p.cpu_used))),
        ("latency_p95".to_owned(), reals(|p| p.latency_p95)),
        ("replicas".to_owned(), reals(|p| Some(p.replicas))),
    ]);
    table
}

/// The courses in a table; fails with what does not fit.
pub(super) fn to_traces(table: Table) -> Result<Vec<Trace>, String> {
    let reader = Reader::new(table);
    let mut traces: Vec<Trace> = Vec::new();
    for row in 0..reader.length {
        let second = reader.integer("at_second", row)?;
        let point = TracePoint {
            at: Timestamp::from_second(second).map_err(|error| error.to_string())?,
            requests: reader.present("requests", row)?,
            cpu_requested: reader.present("cpu_requested", row)?,
            cpu_used: reader.present("cpu_used", row)?,
            latency_p95: reader.real("latency_p95", row)?,
            replicas: reader.present("replicas", row)?,
        };
        let key = reader.key(row)?;
        match traces.last_mut().filter(|trace| trace.key == key) {
            Some(trace) => trace.points.push(point),
            None => traces.push(Trace { key, points: vec![point] }),
        }
    }
    Ok(traces)
}
