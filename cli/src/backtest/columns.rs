//! Which column of a recording holds what.

use anyhow::{bail, ensure};
use mora_collector::TidyFile;

use super::BacktestArguments;

const TIMES: [&str; 5] = ["ts", "timestamp", "time", "datetime", "date"];
const NAMES: [&str; 10] = [
    "series",
    "workload",
    "service",
    "microservice",
    "vm",
    "pod",
    "container",
    "instance",
    "host",
    "name",
];
/// The value columns of MOrA's own recordings.
const VALUES: [&str; 3] = ["cpu_cores", "memory_bytes", "request_rate"];

/// Places of columns, counted from 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Columns {
    pub(super) time: usize,
    /// None where the whole file is one series.
    pub(super) series: Vec<usize>,
    /// With their names.
    pub(super) values: Vec<(usize, String)>,
}

/// The names of a file's columns, and which of them hold text.
struct Header<'a> {
    file: &'a TidyFile,
    names: Vec<String>,
}

impl Columns {
    /// The columns `arguments` name, and those the names and cells of `file` leave no doubt about.
    pub(super) fn of(file: &TidyFile, arguments: &BacktestArguments) -> anyhow::Result<Self> {
        let header = Header { file, names: file.columns()? };
        let time = header.time(arguments.time.as_deref())?;
        let guessed = arguments.series.is_empty() || arguments.value.is_empty();
        let texts = if guessed { header.texts()? } else { Vec::new() };
        let series = header.series(&arguments.series, &texts, time)?;
        let values = if arguments.value.is_empty() {
            header.guessed_values(&texts, &[&series[..], &[time]].concat())?
        } else {
            header.named_values(&arguments.value)?
        };
        Ok(Self { time, series, values })
    }
}

impl Header<'_> {
    fn find(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    fn named(&self, name: &str, flag: &str) -> anyhow::Result<usize> {
        let Some(index) = self.find(name) else {
            bail!("{} has no column `{name}`, which {flag} names; {}", self.path(), self.present());
        };
        Ok(index)
    }

    fn path(&self) -> String {
        self.file.path().display().to_string()
    }

    fn present(&self) -> String {
        format!("its columns are {}", self.names.join(", "))
    }

    /// The columns whose names are among `known`.
    fn known(&self, known: &[&str]) -> Vec<usize> {
        let is_known = |index: &usize| known.contains(&self.names[*index].to_lowercase().as_str());
        (0..self.names.len()).filter(is_known).collect()
    }

    fn time(&self, named: Option<&str>) -> anyhow::Result<usize> {
        if let Some(name) = named {
            return self.named(name, "--time");
        }
        match self.known(&TIMES)[..] {
            [time] => Ok(time),
            [] => bail!(
                "no column of {} is known to hold instants; name it with --time; {}",
                self.path(),
                self.present()
            ),
            _ => bail!(
                "several columns of {} may hold instants; name one with --time; {}",
                self.path(),
                self.present()
            ),
        }
    }

    /// The columns in which some cell is no number.
    fn texts(&self) -> anyhow::Result<Vec<usize>> {
        let mut text = vec![false; self.names.len()];
        self.file.visit(&mut |row| {
            for (index, text) in text.iter_mut().enumerate() {
                let number = |cell: String| cell.parse::<f64>().is_ok();
                *text |= row.text(index).is_some_and(|cell| !number(cell));
            }
            Ok(())
        })?;
        Ok((0..text.len()).filter(|index| text[*index]).collect())
    }

    fn series(&self, named: &[String], texts: &[usize], time: usize) -> anyhow::Result<Vec<usize>> {
        if !named.is_empty() {
            return named.iter().map(|name| self.named(name, "--series")).collect();
        }
        let texts: Vec<usize> = texts.iter().copied().filter(|index| *index != time).collect();
        let known = self.known(&NAMES);
        let candidates = if known.is_empty() { texts } else { known };
        ensure!(
            candidates.len() <= 1,
            "several columns of {} may name the series; name one with --series; {}",
            self.path(),
            self.present()
        );
        Ok(candidates)
    }

    fn guessed_values(
        &self,
        texts: &[usize],
        taken: &[usize],
    ) -> anyhow::Result<Vec<(usize, String)>> {
        let own = self.known(&VALUES);
        let free = |index: &usize| !texts.contains(index) && !taken.contains(index);
        let numbers: Vec<usize> = (0..self.names.len()).filter(free).collect();
        let values = if own.is_empty() { numbers } else { own.clone() };
        ensure!(
            !values.is_empty(),
            "no column of {} holds values; {}",
            self.path(),
            self.present()
        );
        ensure!(
            values.len() == 1 || !own.is_empty(),
            "several columns of {} hold numbers; name those to judge with --value; {}",
            self.path(),
            self.present()
        );
        Ok(values.into_iter().map(|index| (index, self.names[index].clone())).collect())
    }

    /// The named columns that are there, at least one.
    fn named_values(&self, named: &[String]) -> anyhow::Result<Vec<(usize, String)>> {
        let found: Vec<(usize, String)> =
            named.iter().filter_map(|name| Some((self.find(name)?, name.clone()))).collect();
        match (found.is_empty(), named.first()) {
            (true, Some(name)) => Err(self
                .named(name, "--value")
                .err()
                .unwrap_or_else(|| anyhow::anyhow!("no value"))),
            _ => Ok(found),
        }
    }
}
