//! What is settled of a fit before its back-test.

use crate::fit::FitOptions;
use crate::holidays::{Effects, effects};
use crate::members::prophet::{ProphetSettings, Recipe};
use crate::season::Season;
use crate::slots::History;

/// The season, the holidays and the settings that every fit of a member to the history or a part of it uses.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) season: Season,
    effects: Effects,
}

impl Plan {
    /// The plan for `history`.
    pub(crate) fn new(history: &History, options: &FitOptions) -> Self {
        Self { season: Season::detect(history), effects: effects(&options.holidays) }
    }

    /// How Prophet is fitted.
    pub(crate) fn prophet(&self) -> Recipe<'_> {
        let settings = ProphetSettings::default();
        Recipe { season: self.season, holidays: &self.effects, settings }
    }
}
