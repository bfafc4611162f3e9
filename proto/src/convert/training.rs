//! The upload of a training job: a header's columns and the chunks that follow it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use mora_core::{Series, Signal, Step};

use super::series::{join_gaps, split_gaps};
use crate::{FieldError, v1};

/// Rows per chunk: three columns of 4,096 doubles stay far below the 4 MiB message limit.
const CHUNK_ROWS: usize = 4096;

/// The checksum of an upload: FNV-1a 64 over every value's bits (Fowler, Noll and Vo).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checksum(u64);

impl Checksum {
    /// The checksum of `columns`, in order.
    #[must_use]
    pub fn of<'a>(columns: impl Iterator<Item = &'a [Option<f64>]>) -> Self {
        let bytes = columns.flatten().flat_map(|value| value.map_or([0xff; 8], f64::to_le_bytes));
        Self(bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }

    /// The 64 bits.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

/// Signals on one grid: the rows of an upload.
#[derive(Debug, Clone, PartialEq)]
pub struct TrainingColumns {
    /// Instant of the first row.
    pub start: Timestamp,
    /// Spacing of rows.
    pub step: Step,
    /// One column per signal, all of one length; a gap where the signal was not observed.
    pub columns: BTreeMap<Signal, Vec<Option<f64>>>,
}

impl TrainingColumns {
    /// The union of the signals' time ranges; `None` when nothing was observed.
    ///
    /// Signals with another step than the first are left out.
    #[must_use]
    pub fn of(signals: &BTreeMap<Signal, Series>) -> Option<Self> {
        let step = signals.values().next()?.step();
        let aligned = || signals.iter().filter(|(_, s)| s.step() == step && !s.is_empty());
        let start = step.floor(aligned().map(|(_, s)| s.start()).min()?);
        let index = |time: Timestamp| {
            ((time.as_second() - start.as_second()) / i64::from(step.seconds())) as usize
        };
        let rows = aligned().map(|(_, s)| index(s.start()) + s.len()).max()?;
        let columns = aligned().map(|(signal, series)| {
            let mut column = vec![None; rows];
            column[index(series.start())..][..series.len()].copy_from_slice(series.values());
            (*signal, column)
        });
        Some(Self { start, step, columns: columns.collect() })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.columns.values().map(Vec::len).min().unwrap_or(0)
    }

    /// The checksum of all columns.
    #[must_use]
    pub fn checksum(&self) -> Checksum {
        Checksum::of(self.columns.values().map(Vec::as_slice))
    }

    /// The chunks from row `offset` on, in order.
    pub fn chunks(&self, offset: usize) -> impl Iterator<Item = v1::TrainChunk> + use<'_> {
        let rows = self.rows();
        (offset..rows).step_by(CHUNK_ROWS).map(move |first| v1::TrainChunk {
            offset: first as u64,
            columns: self
                .columns
                .values()
                .map(|column| {
                    let (values, gaps) = split_gaps(&column[first..rows.min(first + CHUNK_ROWS)]);
                    v1::Column { values, gaps }
                })
                .collect(),
        })
    }
}

impl TryFrom<v1::Column> for Vec<Option<f64>> {
    type Error = FieldError;

    fn try_from(wire: v1::Column) -> Result<Self, FieldError> {
        join_gaps(wire.values, &wire.gaps)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signals() -> BTreeMap<Signal, Series> {
        let at = |s| Timestamp::from_second(s).unwrap();
        let cpu = (0..5000).map(|i| (i % 7 != 0).then_some(f64::from(i))).collect();
        [
            (Signal::Cpu, Series::new(at(600), Step::MINUTE, cpu).unwrap()),
            (Signal::Memory, Series::new(at(0), Step::MINUTE, vec![Some(1.0); 20]).unwrap()),
        ]
        .into()
    }

    #[test]
    fn columns_share_one_grid_and_keep_their_gaps() {
        let TrainingColumns { start, step, columns } = TrainingColumns::of(&signals()).unwrap();
        assert_eq!((start, step), (Timestamp::UNIX_EPOCH, Step::MINUTE));
        let cpu = &columns[&Signal::Cpu];
        assert_eq!((cpu.len(), cpu[9], cpu[10], cpu[11]), (5010, None, None, Some(1.0)));
        assert_eq!(columns[&Signal::Memory][20], None);
    }

    #[test]
    fn chunks_put_together_are_the_columns_from_any_offset() {
        let upload = TrainingColumns::of(&signals()).unwrap();
        let columns = &upload.columns;
        for offset in [0, 3, 4096, 5010] {
            let mut rebuilt: Vec<Option<f64>> = columns[&Signal::Cpu][..offset].to_vec();
            for chunk in upload.chunks(offset) {
                assert_eq!(chunk.offset as usize, rebuilt.len());
                rebuilt.extend(Vec::try_from(chunk.columns[0].clone()).unwrap());
            }
            assert_eq!(rebuilt, columns[&Signal::Cpu]);
        }
    }

    #[test]
    fn the_checksum_sees_values_gaps_and_order() {
        let of = |column: &[Option<f64>]| Checksum::of([column].into_iter());
        assert_ne!(of(&[Some(0.0), None]), of(&[None, Some(0.0)]));
        assert_ne!(of(&[Some(1.0)]), of(&[Some(2.0)]));
        assert_eq!(of(&[]).get(), 0xcbf2_9ce4_8422_2325);
    }
}
