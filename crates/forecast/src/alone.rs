//! A member by itself.

use jiff::Timestamp;
use mora_core::{Series, Step};

use crate::error::{FitError, ForecastError};
use crate::members::prophet::{Prophet, Recipe};
use crate::season::Season;
use crate::slots::{History, number};

/// The Prophet member by itself, to be compared with another implementation of Prophet.
#[derive(Debug)]
pub struct ProphetAlone {
    slot: Step,
    model: Prophet,
}

impl ProphetAlone {
    /// Fits the largest observation of `series` in each slot of width `slot`, with a daily and, if `weekly`, a weekly season.
    ///
    /// Fails where fewer than two slots were observed.
    pub fn fit(series: &Series, slot: Step, weekly: bool) -> Result<Self, FitError> {
        let history = History::new(series, slot);
        let season = if weekly { Season::Week } else { Season::Day };
        let model = Prophet::fit(&history, &Recipe::plain(season)).map_err(FitError::Prophet)?;
        Ok(Self { slot, model })
    }

    /// The expected largest observation in each of `count` slots, from the one that holds `start` on.
    ///
    /// Fails where Prophet does.
    pub fn path(&self, start: Timestamp, count: usize) -> Result<Vec<f64>, ForecastError> {
        self.model.path(number(start, self.slot), count).map_err(ForecastError::Prophet)
    }
}
