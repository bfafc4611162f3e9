//! What is settled of a fit before its back-test.

use crate::error::FitError;
use crate::fit::{FitOptions, Watch};
use crate::holidays::{Effects, effects};
use crate::members::prophet::{ProphetSettings, Recipe};
use crate::season::Season;
use crate::slots::History;
use crate::tuning::Tuning;

/// The season, the holidays and the settings that every fit of a member to the history or a part of it uses.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) season: Season,
    pub(crate) tuning: Tuning,
    effects: Effects,
}

impl Plan {
    /// The plan for `history`; settings are chosen on days before the back-test, where there is a budget for it.
    ///
    /// Fails when the watch breaks off, or a member cannot be fitted.
    pub(crate) fn new(
        history: &History,
        options: &FitOptions,
        watch: &mut Watch<'_>,
    ) -> Result<Self, FitError> {
        let (season, effects) = (Season::detect(history), effects(&options.holidays));
        let settings = ProphetSettings::default();
        let recipe = Recipe { season, holidays: &effects, settings };
        let tuning = Tuning::choose(history, &recipe, options, watch)?;
        Ok(Self { season, tuning, effects })
    }

    /// How Prophet is fitted.
    pub(crate) fn prophet(&self) -> Recipe<'_> {
        Recipe { season: self.season, holidays: &self.effects, settings: self.tuning.prophet }
    }
}
