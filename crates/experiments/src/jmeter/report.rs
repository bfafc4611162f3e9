//! What a load did, read from JMeter's samples.

use std::collections::BTreeMap;
use std::path::Path;

use csv::StringRecord;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::LoadError;

/// What a load did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadReport {
    /// What made the load, with its version.
    pub by: String,
    /// When the first sample began.
    pub started: Timestamp,
    /// When the last one ended.
    pub ended: Timestamp,
    /// Seconds between the two.
    pub seconds: f64,
    /// Pages that were asked for; a form and the page it leads to are one.
    pub samples: u64,
    /// Those that failed or were not the page asked for.
    pub errors: u64,
    /// Their share, in [0, 1].
    pub error_ratio: f64,
    /// Samples per second.
    pub throughput: f64,
    /// Samples divided by what the users' think times give; 0 until the load is judged.
    pub reached: f64,
    /// Mean time to an answer, in seconds.
    pub mean_seconds: f64,
    /// Times to an answer.
    pub latency: Latency,
    /// By the name of the page.
    pub labels: BTreeMap<String, LabelReport>,
}

/// Times within which that share of the samples was answered, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of them.
    pub p50_ms: f64,
    /// 95 %.
    pub p95_ms: f64,
    /// 99 %.
    pub p99_ms: f64,
}

/// What was seen of one page.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelReport {
    /// How often it was asked for.
    pub samples: u64,
    /// How often it was wrong.
    pub errors: u64,
    /// What was wrong first.
    pub first_error: Option<String>,
}

impl LoadReport {
    /// One failure, for a message.
    pub(super) fn example(&self) -> String {
        let failed =
            self.labels.iter().find_map(|(label, seen)| Some((label, seen.first_error.as_ref()?)));
        failed.map_or_else(String::new, |(label, error)| format!("`{label}`: {error}"))
    }
}

/// One page that was asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PageSample {
    /// When.
    pub began: Timestamp,
    /// Seconds until it was answered.
    pub seconds: f64,
    /// Whether it failed or was not the page asked for.
    pub failed: bool,
}

/// Every page in the file `samples.csv` of a load, in the order they were answered.
///
/// Fails when it cannot be read or is no file of samples.
pub fn page_samples(samples: &Path) -> Result<Vec<PageSample>, LoadError> {
    let mut pages = Vec::new();
    each(samples, |sample| {
        let began = Timestamp::from_millisecond(sample.began).unwrap_or_default();
        let seconds = sample.elapsed as f64 / 1000.0;
        pages.push(PageSample { began, seconds, failed: sample.error.is_some() });
    })?;
    Ok(pages)
}

/// Reads the file of samples; fails when it is absent, cannot be read or has none.
pub(super) fn read(samples: &Path, log: &Path) -> Result<LoadReport, LoadError> {
    let empty = || LoadError::Empty { log: log.to_owned() };
    if !samples.is_file() {
        return Err(empty());
    }
    let mut counted = Counted::default();
    each(samples, |sample| counted.add(sample))?;
    counted.report(by(log)).ok_or_else(empty)
}

/// Shows every sample of the file to `see`.
fn each(samples: &Path, mut see: impl FnMut(&Sample<'_>)) -> Result<(), LoadError> {
    let unreadable = |source| LoadError::Unreadable { path: samples.to_owned(), source };
    let mut reader = csv::Reader::from_path(samples).map_err(unreadable)?;
    let columns = Columns::of(reader.headers().map_err(unreadable)?);
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        let line = record.position().map_or(0, csv::Position::line);
        let bad = |column| LoadError::BadSample { path: samples.to_owned(), line, column };
        see(&columns.sample(&record).map_err(bad)?);
    }
    Ok(())
}

/// JMeter's log says its version.
fn by(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let version = text.lines().find_map(|line| line.split_once("JMeter: Version "));
    version.map_or_else(|| "JMeter".to_owned(), |(_, version)| format!("JMeter {}", version.trim()))
}

struct Sample<'a> {
    began: i64,
    elapsed: u64,
    label: &'a str,
    error: Option<&'a str>,
}

/// Where the columns are.
struct Columns(BTreeMap<String, usize>);

impl Columns {
    fn of(header: &StringRecord) -> Self {
        Self(header.iter().enumerate().map(|(at, name)| (name.to_owned(), at)).collect())
    }

    fn text<'a>(&self, record: &'a StringRecord, column: &str) -> Option<&'a str> {
        record.get(*self.0.get(column)?)
    }

    /// Fails with the name of a column that is absent or not what it should be.
    fn sample<'a>(&self, record: &'a StringRecord) -> Result<Sample<'a>, &'static str> {
        let text = |column: &'static str| self.text(record, column).ok_or(column);
        let began = text("timeStamp")?.parse().map_err(|_| "timeStamp")?;
        let elapsed = text("elapsed")?.parse().map_err(|_| "elapsed")?;
        let succeeded: bool = text("success")?.parse().map_err(|_| "success")?;
        Ok(Sample {
            began,
            elapsed,
            label: text("label")?,
            error: (!succeeded).then(|| self.why(record)),
        })
    }

    fn why<'a>(&self, record: &'a StringRecord) -> &'a str {
        let columns = ["failureMessage", "responseMessage", "responseCode"];
        let texts = columns.iter().filter_map(|column| self.text(record, column));
        texts.map(str::trim).find(|text| !text.is_empty()).unwrap_or("no reason is given")
    }
}

/// Samples counted by elapsed milliseconds: of any number of them no more is kept than of the distinct times.
#[derive(Default)]
struct Counted {
    span: Option<(i64, i64)>,
    elapsed: BTreeMap<u64, u64>,
    labels: BTreeMap<String, LabelReport>,
}

impl Counted {
    fn add(&mut self, sample: &Sample<'_>) {
        let ended = sample.began.saturating_add_unsigned(sample.elapsed);
        let (first, last) = self.span.unwrap_or((sample.began, ended));
        self.span = Some((first.min(sample.began), last.max(ended)));
        *self.elapsed.entry(sample.elapsed).or_default() += 1;
        if !self.labels.contains_key(sample.label) {
            self.labels.insert(sample.label.to_owned(), LabelReport::default());
        }
        let Some(label) = self.labels.get_mut(sample.label) else { return };
        label.samples += 1;
        if let Some(error) = sample.error {
            label.errors += 1;
            label.first_error.get_or_insert_with(|| error.to_owned());
        }
    }

    fn report(self, by: String) -> Option<LoadReport> {
        let (first, last) = self.span?;
        let samples: u64 = self.labels.values().map(|label| label.samples).sum();
        let errors: u64 = self.labels.values().map(|label| label.errors).sum();
        let total: u64 = self.elapsed.iter().map(|(elapsed, count)| elapsed * count).sum();
        // A single sample that took no measurable time still took some.
        let seconds = ((last - first) as f64 / 1000.0).max(0.001);
        Some(LoadReport {
            by,
            started: Timestamp::from_millisecond(first).ok()?,
            ended: Timestamp::from_millisecond(last).ok()?,
            seconds,
            samples,
            errors,
            error_ratio: errors as f64 / samples as f64,
            throughput: samples as f64 / seconds,
            reached: 0.0,
            mean_seconds: total as f64 / samples as f64 / 1000.0,
            latency: Latency {
                p50_ms: self.quantile(samples, 0.50),
                p95_ms: self.quantile(samples, 0.95),
                p99_ms: self.quantile(samples, 0.99),
            },
            labels: self.labels,
        })
    }

    /// The smallest time within which at least that share was answered.
    fn quantile(&self, samples: u64, share: f64) -> f64 {
        let wanted = (samples as f64 * share).ceil() as u64;
        let mut seen = 0;
        let within = self.elapsed.iter().find(|(_, count)| {
            seen += **count;
            seen >= wanted
        });
        within.map_or(0.0, |(elapsed, _)| *elapsed as f64)
    }
}
