//! Which experiments there are and in which order they run.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One experiment: a scenario, replicas of the target, and concurrent users.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Cell {
    /// What the users do; the name of a load plan.
    pub scenario: String,
    /// Replicas of the target, at least 1.
    pub replicas: u32,
    /// Concurrent users, at least 1.
    pub users: u32,
}

impl Cell {
    /// Its name in file names.
    #[must_use]
    pub fn slug(&self) -> String {
        format!("{}-r{:02}-u{:04}", self.scenario, self.replicas, self.users)
    }
}

impl fmt::Display for Cell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let replicas = if self.replicas == 1 { "replica" } else { "replicas" };
        write!(f, "{} with {} {replicas} and {} users", self.scenario, self.replicas, self.users)
    }
}

/// Every combination of scenarios, replicas and users; each list in order and without repetition.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Matrix {
    scenarios: Vec<String>,
    replicas: Vec<u32>,
    users: Vec<u32>,
}

impl Matrix {
    /// The combinations of these; `None` if a list is empty or a number is zero. Scenarios keep their order.
    #[must_use]
    pub fn new(scenarios: &[String], replicas: &[u32], users: &[u32]) -> Option<Self> {
        let mut names: Vec<String> = Vec::new();
        for name in scenarios {
            if !names.contains(name) {
                names.push(name.clone());
            }
        }
        let ascending = |numbers: &[u32]| {
            let mut numbers = numbers.to_vec();
            numbers.sort_unstable();
            numbers.dedup();
            numbers
        };
        let (replicas, users) = (ascending(replicas), ascending(users));
        let empty = names.is_empty() || replicas.is_empty() || users.is_empty();
        let zero = replicas.first() == Some(&0) || users.first() == Some(&0);
        (!empty && !zero).then_some(Self { scenarios: names, replicas, users })
    }

    /// Every cell, in the order in which replicas change least often and load rises.
    #[must_use]
    pub fn cells(&self) -> Vec<Cell> {
        let mut cells = Vec::with_capacity(self.replicas.len() * self.users.len());
        for &replicas in &self.replicas {
            for scenario in &self.scenarios {
                let cell = |&users| Cell { scenario: scenario.clone(), replicas, users };
                cells.extend(self.users.iter().map(cell));
            }
        }
        cells
    }

    /// The scenarios, replicas and users, each with the word for them, for people.
    #[must_use]
    pub fn describe(&self) -> String {
        let numbers = |list: &[u32]| list.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
        format!(
            "{} x {} replicas x {} users",
            self.scenarios.join(", "),
            numbers(&self.replicas),
            numbers(&self.users)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_triple_loop_has_every_combination_once_and_changes_replicas_as_rarely_as_can_be() {
        let users = [10, 50, 100, 150, 200, 250];
        let scenarios = texts(&["browsing", "checkout"]);
        let cells = Matrix::new(&scenarios, &[6, 1, 4, 2], &users).unwrap().cells();
        let distinct: std::collections::BTreeSet<_> = cells.iter().collect();
        assert_eq!((cells.len(), distinct.len()), (48, 48));
        assert_eq!(cells.windows(2).filter(|w| w[0].replicas != w[1].replicas).count(), 3);
        assert_eq!(cells[0].slug(), "browsing-r01-u0010");
        assert_eq!(cells[47].to_string(), "checkout with 6 replicas and 250 users");
    }

    #[test]
    fn repetitions_count_once_and_nothing_or_zero_is_no_matrix() {
        let scenarios = texts(&["browsing", "browsing"]);
        assert_eq!(Matrix::new(&scenarios, &[1, 1], &[5, 5]).unwrap().cells().len(), 1);
        for (scenarios, replicas, users) in
            [(&scenarios[..0], 1, 1), (&scenarios[..], 0, 1), (&scenarios[..], 1, 0)]
        {
            assert_eq!(Matrix::new(scenarios, &[replicas], &[users]), None);
        }
    }
}
