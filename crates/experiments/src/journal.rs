//! What was changed and is not yet restored, kept so that it outlives the process.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use mora_core::WorkloadRef;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Aspect, BedName, Change, Value};

/// Why the journal cannot be used.
#[derive(Debug, Error)]
pub enum JournalError {
    /// The file cannot be read or written.
    #[error("the journal {} cannot be {what}; nothing is changed without it", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was attempted.
        what: &'static str,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// A line before the last is no entry.
    #[error(
        "line {line} of the journal {} is not an entry; mend it by hand, it says what is to be restored",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "entry", rename_all = "snake_case")]
enum Entry {
    /// An experiment begins on a bed.
    Begun { at: Timestamp, bed: BedName },
    /// A change is about to be made.
    Change {
        at: Timestamp,
        #[serde(flatten)]
        change: Change,
    },
    /// A part is as it was before the first change.
    Restored { at: Timestamp, workload: WorkloadRef, aspect: Aspect },
}

/// A part of a workload that is to be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outstanding {
    /// The workload.
    pub workload: WorkloadRef,
    /// The part.
    pub aspect: Aspect,
    /// What it was before the first change.
    pub original: Value,
    /// What it may be now if nobody else changed it: before and after the last change, which may not have been made.
    pub ours: [Value; 2],
}

/// An append-only file with one JSON object a line, of which each is on disk before what it tells of happens.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
    known: Known,
}

/// What the entries say together.
#[derive(Debug, Default)]
struct Known {
    bed: Option<BedName>,
    outstanding: Vec<Outstanding>,
}

impl Journal {
    /// The journal at `path`, which need not exist; a last line that a kill left half written is dropped, as what it would have
    /// told of was not done.
    ///
    /// Fails when the file cannot be read or written, or holds something else.
    pub fn open(path: &Path) -> Result<Self, JournalError> {
        let failed =
            |what| move |source| JournalError::File { path: path.to_owned(), what, source };
        let opened = OpenOptions::new().create(true).append(true).read(true).open(path);
        let mut file = opened.map_err(failed("opened"))?;
        let mut text = Vec::new();
        file.read_to_end(&mut text).map_err(failed("read"))?;
        let (whole, known) = read(path, &text)?;
        file.set_len(whole as u64).map_err(failed("mended"))?;
        Ok(Self { path: path.to_owned(), file, known })
    }

    /// What the journal at `path` wants restored, without touching it; nothing where there is none.
    ///
    /// Fails when the file cannot be read, or holds something else.
    pub fn peek(path: &Path) -> Result<Vec<Outstanding>, JournalError> {
        match std::fs::read(path) {
            Ok(text) => Ok(read(path, &text)?.1.outstanding),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            Err(source) => Err(JournalError::File { path: path.to_owned(), what: "read", source }),
        }
    }

    /// What is to be restored.
    #[must_use]
    pub fn outstanding(&self) -> &[Outstanding] {
        &self.known.outstanding
    }

    /// The bed of the last experiment.
    #[must_use]
    pub const fn bed(&self) -> Option<&BedName> {
        self.known.bed.as_ref()
    }

    /// Notes that an experiment begins on `bed`.
    pub fn begin(&mut self, bed: BedName) -> Result<(), JournalError> {
        self.append(Entry::Begun { at: Timestamp::now(), bed })
    }

    /// Notes `change`, which may be made once this has returned.
    pub fn note(&mut self, change: Change) -> Result<(), JournalError> {
        self.append(Entry::Change { at: Timestamp::now(), change })
    }

    /// Notes that `aspect` of `workload` is as it was.
    pub fn restored(&mut self, workload: WorkloadRef, aspect: Aspect) -> Result<(), JournalError> {
        self.append(Entry::Restored { at: Timestamp::now(), workload, aspect })
    }

    /// What is known of `aspect` of `workload`, if it was changed.
    #[must_use]
    pub fn of(&self, workload: &WorkloadRef, aspect: &Aspect) -> Option<&Outstanding> {
        self.known.outstanding.iter().find(|o| o.workload == *workload && o.aspect == *aspect)
    }

    fn append(&mut self, entry: Entry) -> Result<(), JournalError> {
        let failed =
            |source| JournalError::File { path: self.path.clone(), what: "written to", source };
        let mut line = serde_json::to_vec(&entry).map_err(|e| failed(e.into()))?;
        line.push(b'\n');
        self.file.write_all(&line).and_then(|()| self.file.sync_all()).map_err(failed)?;
        self.known.take(entry);
        Ok(())
    }
}

impl Known {
    fn take(&mut self, entry: Entry) {
        match entry {
            Entry::Begun { bed, .. } => self.bed = Some(bed),
            Entry::Restored { workload, aspect, .. } => {
                self.outstanding.retain(|o| o.workload != workload || o.aspect != aspect);
            }
            Entry::Change { change: Change { workload, aspect, before, after }, .. } => {
                let ours = [before, after];
                let same = |o: &&mut Outstanding| o.workload == workload && o.aspect == aspect;
                match self.outstanding.iter_mut().find(same) {
                    Some(outstanding) => outstanding.ours = ours,
                    None => self.outstanding.push(Outstanding {
                        workload,
                        aspect,
                        original: before,
                        ours,
                    }),
                }
            }
        }
    }
}

/// How many bytes of `text` are whole lines, and what they say.
fn read(path: &Path, text: &[u8]) -> Result<(usize, Known), JournalError> {
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut known = Known::default();
    let lines = text[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    for (index, line) in lines.enumerate() {
        let entry = serde_json::from_slice(line).map_err(|source| JournalError::Corrupt {
            path: path.to_owned(),
            line: index + 1,
            source,
        })?;
        known.take(entry);
    }
    Ok((whole, known))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(before: u32, after: u32) -> Change {
        Change {
            workload: "shop/cart".parse().unwrap(),
            aspect: Aspect::Replicas,
            before: Value::Replicas(before),
            after: Value::Replicas(after),
        }
    }

    #[test]
    fn the_first_value_is_the_original_however_often_it_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let mut journal = Journal::open(&path).unwrap();
        journal.begin(BedName::Control("http://x".to_owned())).unwrap();
        journal.note(change(1, 2)).unwrap();
        journal.note(change(2, 4)).unwrap();
        let again = Journal::open(&path).unwrap();
        assert_eq!(again.outstanding(), journal.outstanding());
        assert_eq!(again.bed(), Some(&BedName::Control("http://x".to_owned())));
        let [outstanding] = again.outstanding() else { panic!("{again:?}") };
        assert_eq!(outstanding.original, Value::Replicas(1));
        assert_eq!(outstanding.ours, [Value::Replicas(2), Value::Replicas(4)]);
        journal.restored("shop/cart".parse().unwrap(), Aspect::Replicas).unwrap();
        assert!(Journal::open(&path).unwrap().outstanding().is_empty());
    }

    #[test]
    fn a_journal_cut_off_at_any_byte_knows_every_change_written_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        let mut journal = Journal::open(&path).unwrap();
        journal.note(change(1, 2)).unwrap();
        let first = std::fs::metadata(&path).unwrap().len() as usize;
        journal.note(change(2, 4)).unwrap();
        let whole = std::fs::read(&path).unwrap();
        for length in 0..=whole.len() {
            std::fs::write(&path, &whole[..length]).unwrap();
            let mut cut = Journal::open(&path).unwrap();
            let last = cut.outstanding().first().map(|o| o.ours[1]);
            let expected = [None, Some(2), Some(4)]
                [usize::from(length >= first) + usize::from(length == whole.len())];
            assert_eq!(last, expected.map(Value::Replicas), "{length}");
            cut.note(change(4, 6)).unwrap();
            let reread = Journal::open(&path).unwrap();
            assert_eq!(reread.outstanding()[0].ours[1], Value::Replicas(6), "{length}");
        }
    }

    #[test]
    fn a_line_in_the_middle_that_is_no_entry_is_named_and_not_passed_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal.jsonl");
        std::fs::write(&path, "{\"entry\":\"surprise\"}\n{}\n").unwrap();
        let error = Journal::open(&path).unwrap_err();
        assert!(matches!(error, JournalError::Corrupt { line: 1, .. }), "{error}");
    }
}
