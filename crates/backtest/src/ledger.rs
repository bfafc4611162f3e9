//! Finished cells in a file, so that a run that was broken off can go on.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use mora_core::hexadecimal;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::answer::Cell;
use crate::method::Method;
use crate::mora::Variant;
use crate::options::Options;
use crate::trial::Trial;

/// Counts up when cells of older programs no longer mean the same.
const FORMAT: u32 = 2;

/// A file of finished cells, one JSON object a line.
#[derive(Debug)]
pub struct Ledger {
    path: PathBuf,
    file: File,
    cells: BTreeMap<String, Cell>,
}

/// Why a ledger cannot be used.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The file system refused.
    #[error("cannot use {}; check that its folder exists and that it may be read and written", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A line other than the last is damaged.
    #[error("{}, line {line}, is no finished cell; remove the line, or name another file with --resume", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// A line, to be read.
#[derive(Deserialize)]
struct Known {
    key: String,
    cell: Cell,
}

/// A line, to be written; the names are for people.
#[derive(Serialize)]
struct Entry<'a> {
    key: &'a str,
    set: &'a str,
    series: &'a str,
    method: Method,
    cell: &'a Cell,
}

impl Ledger {
    /// Opens the ledger at `path`, or makes an empty one; a last line that was not written whole is dropped.
    ///
    /// Fails when the file cannot be read or written, or another line is damaged.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let failed = |source| LedgerError::File { path: path.to_owned(), source };
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(failed)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |last| last + 1);
        let cells = known(path, &bytes[..whole])?;
        file.set_len(whole as u64).map_err(failed)?;
        file.seek(SeekFrom::End(0)).map_err(failed)?;
        Ok(Self { path: path.to_owned(), file, cells })
    }

    /// Number of cells.
    #[must_use]
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether it holds no cell.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    pub(crate) fn find(&self, key: &str) -> Option<&Cell> {
        self.cells.get(key)
    }

    pub(crate) fn append(
        &mut self,
        key: &str,
        trial: &Trial,
        method: Method,
        cell: &Cell,
    ) -> Result<(), LedgerError> {
        let failed = |source| LedgerError::File { path: self.path.clone(), source };
        let (set, series) = (&trial.recording().set, &trial.recording().name);
        let entry = Entry { key, set, series, method, cell };
        let mut line = serde_json::to_vec(&entry).map_err(|e| failed(e.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).map_err(failed)
    }
}

fn known(path: &Path, bytes: &[u8]) -> Result<BTreeMap<String, Cell>, LedgerError> {
    let lines = bytes.split(|byte| *byte == b'\n').enumerate();
    let read = |(index, line)| match serde_json::from_slice::<Known>(line) {
        Ok(known) => Ok((known.key, known.cell)),
        Err(source) => Err(LedgerError::Line { path: path.to_owned(), line: index + 1, source }),
    };
    lines.filter(|(_, line)| !line.is_empty()).map(read).collect()
}

/// A digest of everything the answers of `method` for `trial` depend on, but the program itself.
pub(crate) fn key(trial: &Trial, method: Method, options: &Options) -> String {
    let series = &trial.recording().series;
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| hash.update(bytes);
    add(env!("CARGO_PKG_VERSION").as_bytes());
    add(method.as_str().as_bytes());
    add(&FORMAT.to_le_bytes());
    for number in [options.slot.seconds(), options.lookback_days, series.step().seconds()] {
        add(&number.to_le_bytes());
    }
    add(&options.seed.to_le_bytes());
    if Variant::of(method).is_some() {
        // Writing dates and names into memory does not fail.
        add(&serde_json::to_vec(&options.holidays).unwrap_or_default());
        add(&options.tuning_budget.to_le_bytes());
    }
    for day in trial.days() {
        add(&day.start.as_second().to_le_bytes());
    }
    add(&series.start().as_second().to_le_bytes());
    for value in series.values() {
        // No present value is NaN, so a gap has bits of its own.
        add(&value.unwrap_or(f64::NAN).to_bits().to_le_bytes());
    }
    hexadecimal(&hash.finalize())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Holiday;
    use crate::answer::Answer;
    use crate::trial::made::{options, trial};

    fn cell() -> Cell {
        let quantiles = Some(vec![[0.1 + 0.2, 1.0 / 3.0, 1.0, 2.0]]);
        let answers = vec![Answer { request: vec![1e-300], quantiles, priced: Vec::new() }];
        Cell { answers, stood_in: None, fit_seconds: 0.1, forecast_seconds: 0.0 }
    }

    #[test]
    fn what_was_written_is_found_again_bit_for_bit_and_a_torn_line_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cells.jsonl");
        let trial = trial(4, |n| Some(n as f64));
        let mut ledger = Ledger::open(&path).unwrap();
        ledger.append("one", &trial, Method::Krr, &cell()).unwrap();
        ledger.append("two", &trial, Method::Vpa, &cell()).unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, &text[..text.len() - 7]).unwrap();
        let mut ledger = Ledger::open(&path).unwrap();
        assert_eq!((ledger.len(), ledger.find("one")), (1, Some(&cell())));
        ledger.append("two", &trial, Method::Vpa, &cell()).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    }

    #[test]
    fn a_damaged_line_before_the_last_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cells.jsonl");
        std::fs::write(&path, "\n{\"key\": 3}\n").unwrap();
        assert!(matches!(Ledger::open(&path), Err(LedgerError::Line { line: 2, .. })));
        let nowhere = folder.path().join("nowhere/cells.jsonl");
        assert!(matches!(Ledger::open(&nowhere), Err(LedgerError::File { .. })));
    }

    #[test]
    fn the_key_follows_data_method_and_options() {
        let wave = |shift: f64| trial(4, move |n| Some((n % 24) as f64 + shift));
        let first = key(&wave(0.0), Method::Krr, &options());
        assert_eq!(first, key(&wave(0.0), Method::Krr, &options()));
        let others = [
            key(&wave(0.5), Method::Krr, &options()),
            key(&wave(0.0), Method::Vpa, &options()),
            key(&wave(0.0), Method::Krr, &Options { seed: 1, ..options() }),
            key(&wave(0.0), Method::Krr, &Options { lookback_days: 9, ..options() }),
        ];
        assert!(others.iter().all(|other| *other != first));
        let feast = Holiday::new("feast", ["1970-01-03".parse().unwrap()].into(), 0..=0).unwrap();
        let festive = Options { holidays: vec![feast], ..options() };
        assert_eq!(key(&wave(0.0), Method::Krr, &festive), first, "no rule knows holidays");
        let tuned = Options { tuning_budget: 3, ..options() };
        let [mora, with, also] =
            [&options(), &festive, &tuned].map(|o| key(&wave(0.0), Method::Mora, o));
        assert!(mora != with && mora != also && with != also);
    }
}
