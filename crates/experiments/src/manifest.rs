//! What a results folder holds and how it came about.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::results::Setup;
use crate::{CellOutcome, EXPORT_COLUMNS, Matrix};

/// What `manifest.json` says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of this format.
    pub format: u32,
    /// Version of MOrA.
    pub mora: String,
    /// When it was written.
    pub written: Timestamp,
    /// What was the same for all cells.
    pub setup: Setup,
    /// The cells that were asked for.
    pub matrix: Matrix,
    /// Those of them that have not run yet.
    pub remaining: usize,
    /// Columns of the datasets, in order.
    pub columns: Vec<String>,
    /// What became of the cells that ran, in the order of the matrix, with the checksums of their files.
    pub cells: Vec<CellOutcome>,
}

impl Manifest {
    /// The manifest of `cells` of `matrix`, as of now.
    pub(crate) fn new(setup: Setup, matrix: Matrix, cells: Vec<CellOutcome>) -> Self {
        Self {
            format: 1,
            mora: env!("CARGO_PKG_VERSION").to_owned(),
            written: Timestamp::now(),
            remaining: matrix.cells().len().saturating_sub(cells.len()),
            setup,
            matrix,
            columns: EXPORT_COLUMNS.map(str::to_owned).to_vec(),
            cells,
        }
    }
}
