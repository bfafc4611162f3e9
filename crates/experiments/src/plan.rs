//! What an experiment is going to do.

use std::fmt;
use std::time::Duration;

use crate::config::seconds;
use crate::results::Setup;
use crate::{Cell, Isolation, Matrix};

/// Time a cell takes besides load and settling: pods begin, the load generator begins, Prometheus scrapes.
const AROUND: Duration = Duration::from_secs(20);

/// What an experiment is going to do, in order.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What is the same for all cells.
    pub setup: Setup,
    /// All cells.
    pub matrix: Matrix,
    /// The cells that are left, in order.
    pub remaining: Vec<Cell>,
    /// What is changed before the first.
    pub isolation: Isolation,
    /// How often a rejected cell is tried again.
    pub retries: u32,
}

impl Plan {
    /// How long the remaining cells take if all is well, and if every wait and every retry is needed.
    #[must_use]
    pub fn durations(&self) -> (Duration, Duration) {
        let timing = &self.setup.timing;
        let cells = self.remaining.len() as u32;
        let settled = timing.settle_window_seconds.min(timing.settle_seconds);
        let usual = timing.load() + seconds(settled) + AROUND;
        let waits = timing.ready_seconds + timing.settle_seconds + timing.collect_seconds;
        let longest = timing.load() + seconds(waits) + AROUND;
        (usual * cells, longest * cells * (self.retries + 1))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, left) = (self.matrix.cells().len(), self.remaining.len());
        let (usual, longest) = self.durations();
        writeln!(f, "target: {} on {}", self.setup.target, self.setup.bed)?;
        writeln!(f, "matrix: {} = {count} experiments", self.matrix.describe())?;
        if left < count {
            writeln!(f, "done already: {}, to do: {left}", count - left)?;
        }
        writeln!(f, "duration: about {}, at most {}", clock(usual), clock(longest))?;
        let changes = &self.isolation.changes;
        writeln!(f, "changed before the first and restored after the last: {}", changes.len())?;
        for change in changes {
            writeln!(f, "  {change}")?;
        }
        for note in &self.isolation.notes {
            writeln!(f, "  {note}")?;
        }
        writeln!(f, "experiments:")?;
        for cell in &self.remaining {
            writeln!(f, "  {cell}")?;
        }
        Ok(())
    }
}

/// A length of time as people say it.
pub(crate) fn clock(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 3600, seconds % 3600 / 60, seconds % 60) {
        (0, 0, s) => format!("{s} s"),
        (0, m, s) => format!("{m} min {s} s"),
        (h, m, _) => format!("{h} h {m} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_said_as_people_say_them() {
        let texts = [59, 60, 3599, 3600, 26_000].map(|s| clock(Duration::from_secs(s)));
        assert_eq!(texts, ["59 s", "1 min 0 s", "59 min 59 s", "1 h 0 min", "7 h 13 min"]);
    }
}
