//! Load shapes from files.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{fs, io};

use thiserror::Error;

use crate::configuration::sha256;

const DAY: f64 = 86_400.0;

/// Load over a day, or over days, relative to its mean.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct DayShape {
    /// Seconds since the first row and load, in order.
    points: Vec<(f64, f64)>,
    mean: f64,
    digest: String,
}

/// Why the file of a shape cannot be used.
#[derive(Debug, Error)]
pub enum ShapeError {
    /// It cannot be read.
    #[error("{} cannot be read; check the path and that it is plain CSV text", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Columns are missing.
    #[error("{} has no column `{column}`; its first line must name `second` and `rps`", path.display())]
    Column {
        /// The file.
        path: PathBuf,
        /// Which.
        column: &'static str,
    },
    /// A row is not what it should be.
    #[error("{}, line {line}, does not hold a second and a load of at least 0", path.display())]
    Row {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
    },
    /// The trace is not stated, or not there.
    #[error("{} holds the traces {known}; add #NAME with one of them to the path", path.display())]
    Trace {
        /// The file.
        path: PathBuf,
        /// What there is.
        known: String,
    },
    /// There is no load in it.
    #[error("{} holds fewer than two rows with different seconds, or no load at all", .0.display())]
    Empty(PathBuf),
}

impl DayShape {
    /// The shape at `place`: a path, and after `#` the trace where the file holds several.
    ///
    /// Fails when there is none.
    pub(super) fn read(place: &str) -> Result<Self, ShapeError> {
        let (path, trace) = match place.rsplit_once('#') {
            Some((path, trace)) => (Path::new(path), Some(trace)),
            None => (Path::new(place), None),
        };
        let failed = |source| ShapeError::File { path: path.to_owned(), source };
        let text = fs::read_to_string(path).map_err(failed)?;
        Self::parse(&text, path, trace)
    }

    fn parse(text: &str, path: &Path, trace: Option<&str>) -> Result<Self, ShapeError> {
        let rows = Rows::new(text, path)?;
        rows.check(trace)?;
        let mut points = rows.of(trace)?;
        points.sort_by(|a, b| a.0.total_cmp(&b.0));
        let first = points.first().map_or(0.0, |point| point.0);
        for point in &mut points {
            point.0 -= first;
        }
        let length = points.last().map_or(0.0, |point| point.0);
        let area: f64 = points
            .windows(2)
            .map(|pair| (pair[1].0 - pair[0].0) * (pair[0].1 + pair[1].1) / 2.0)
            .sum();
        if !(length > 0.0 && area > 0.0) {
            return Err(ShapeError::Empty(path.to_owned()));
        }
        let digest = sha256(text.as_bytes());
        Ok(Self { points, mean: area / length, digest })
    }

    pub(super) fn digest(&self) -> &str {
        &self.digest
    }

    /// Load at `second` since the Unix epoch by its mean. A shape of less than a day is stretched to one, from midnight on; a
    /// longer one is taken as it is; both repeat.
    pub(super) fn relative(&self, second: f64) -> f64 {
        let length = self.points[self.points.len() - 1].0;
        let span = length.max(DAY);
        let at = second.rem_euclid(span) / span * length;
        let after = self.points.partition_point(|point| point.0 <= at).min(self.points.len() - 1);
        let (a, b) = (self.points[after.max(1) - 1], self.points[after.max(1)]);
        let share = if b.0 > a.0 { ((at - a.0) / (b.0 - a.0)).clamp(0.0, 1.0) } else { 1.0 };
        (a.1 + (b.1 - a.1) * share) / self.mean
    }
}

/// The lines of a file and where its columns are.
struct Rows<'a> {
    path: &'a Path,
    lines: Vec<Vec<&'a str>>,
    second: usize,
    rps: usize,
    trace: Option<usize>,
}

impl<'a> Rows<'a> {
    fn new(text: &'a str, path: &'a Path) -> Result<Self, ShapeError> {
        let mut lines = text.lines().map(|line| line.split(',').map(str::trim).collect::<Vec<_>>());
        let header = lines.next().unwrap_or_default();
        let place = |name: &str| header.iter().position(|column| *column == name);
        let missing = |column| ShapeError::Column { path: path.to_owned(), column };
        let second = place("second").ok_or_else(|| missing("second"))?;
        let rps = place("rps").ok_or_else(|| missing("rps"))?;
        Ok(Self { path, second, rps, trace: place("trace"), lines: lines.collect() })
    }

    /// Fails when the file holds several traces and none is named, or not the one that is.
    fn check(&self, wanted: Option<&str>) -> Result<(), ShapeError> {
        let name =
            |line: &Vec<&'a str>| line.get(self.trace?).copied().filter(|name| !name.is_empty());
        let known: BTreeSet<&str> = self.lines.iter().filter_map(name).collect();
        let fits = wanted.map_or(known.len() <= 1, |wanted| known.contains(wanted));
        if fits {
            return Ok(());
        }
        let known = if known.is_empty() {
            "of no name".to_owned()
        } else {
            known.into_iter().collect::<Vec<_>>().join(", ")
        };
        Err(ShapeError::Trace { path: self.path.to_owned(), known })
    }

    fn of(&self, wanted: Option<&str>) -> Result<Vec<(f64, f64)>, ShapeError> {
        let mut points = Vec::new();
        for (index, line) in self.lines.iter().enumerate() {
            let named = self.trace.and_then(|place| line.get(place).copied());
            if line.as_slice() == [""] || wanted.is_some_and(|wanted| named != Some(wanted)) {
                continue;
            }
            let number = |place: usize| line.get(place).and_then(|cell| cell.parse::<f64>().ok());
            let point = number(self.second).zip(number(self.rps));
            let fits =
                |(second, rps): &(f64, f64)| second.is_finite() && rps.is_finite() && *rps >= 0.0;
            let bad = || ShapeError::Row { path: self.path.to_owned(), line: index + 2 };
            points.push(point.filter(fits).ok_or_else(bad)?);
        }
        Ok(points)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str, trace: Option<&str>) -> Result<DayShape, ShapeError> {
        DayShape::parse(text, Path::new("shape.csv"), trace)
    }

    #[test]
    fn an_hour_is_stretched_to_a_day_and_repeats() {
        let shape = parse("second,rps\n0,10\n1800,30\n3600,10\n", None).unwrap();
        assert!((shape.relative(0.0) - 0.5).abs() < 1e-12);
        assert!((shape.relative(DAY / 2.0) - 1.5).abs() < 1e-12);
        assert!((shape.relative(DAY / 4.0) - 1.0).abs() < 1e-12);
        assert!((shape.relative(3.25 * DAY) - 1.0).abs() < 1e-12);
        let mean = (0..1440).map(|minute| shape.relative(60.0 * f64::from(minute))).sum::<f64>();
        assert!((mean / 1440.0 - 1.0).abs() < 1e-6);
    }

    #[test]
    fn two_days_are_taken_as_they_are() {
        let shape = parse("second,rps\n0,1\n86400,1\n86401,3\n172800,3\n", None).unwrap();
        assert!((shape.relative(1000.0) - 0.5).abs() < 1e-3);
        assert!((shape.relative(DAY + 1000.0) - 1.5).abs() < 1e-3);
        assert!((shape.relative(2.0 * DAY + 1000.0) - 0.5).abs() < 1e-3);
    }

    #[test]
    fn one_trace_of_several_is_named() {
        let text = "trace,second,rps\na,0,1\na,60,1\nb,0,1\nb,60,3\n";
        assert!((parse(text, Some("b")).unwrap().relative(DAY - 1.0) - 1.5).abs() < 1e-3);
        for wanted in [None, Some("c")] {
            let error = parse(text, wanted).unwrap_err().to_string();
            assert!(error.contains("the traces a, b"), "{error}");
        }
    }

    #[test]
    fn bad_files_are_refused_with_the_line() {
        let text = |text: &str| parse(text, None).unwrap_err().to_string();
        assert!(text("second,rps\n0,1\n1,x\n").contains("line 3"));
        assert!(text("second,rps\n0,1\n1,-1\n").contains("line 3"));
        assert!(text("time,rps\n0,1\n").contains("no column `second`"));
        assert!(text("second,rps\n0,1\n").contains("fewer than two rows"));
        assert!(text("second,rps\n0,0\n9,0\n").contains("no load"));
        assert!(parse("second,rps\n0,1\n9,1\n", Some("a")).is_err());
    }
}
