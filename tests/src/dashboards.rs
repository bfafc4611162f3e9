//! The dashboards as they are shipped, and the questions their panels ask.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

use serde_json::Value;
use thiserror::Error;

/// Why the dashboards cannot be read.
#[derive(Debug, Error)]
pub enum DashboardError {
    /// A file cannot be read.
    #[error("{} cannot be read", .0.display())]
    File(PathBuf, #[source] io::Error),
    /// A file is no JSON.
    #[error("{} is no JSON", .0.display())]
    Json(PathBuf, #[source] serde_json::Error),
}

/// One dashboard of Grafana.
#[derive(Debug, Clone)]
pub struct Dashboard {
    /// The name of its file.
    pub file: String,
    /// All of it.
    pub json: Value,
}

/// A question to Prometheus.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DashboardQuery {
    /// Who asks it: a file with a panel or a variable.
    pub asker: String,
    /// PromQL.
    pub expression: String,
}

impl Dashboard {
    /// All dashboards of the overlay `monitoring`, ordered by file.
    ///
    /// Fails when a file cannot be read or is no JSON.
    pub fn shipped() -> Result<Vec<Self>, DashboardError> {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/overlays/monitoring/dashboards");
        let unreadable = |source| DashboardError::File(folder.clone(), source);
        let mut paths: Vec<PathBuf> = fs::read_dir(&folder)
            .map_err(unreadable)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<Result<_, _>>()
            .map_err(unreadable)?;
        paths.sort();
        paths.iter().map(|path| Self::read(path)).collect()
    }

    fn read(path: &Path) -> Result<Self, DashboardError> {
        let text = fs::read_to_string(path)
            .map_err(|source| DashboardError::File(path.to_owned(), source))?;
        let json = serde_json::from_str(&text)
            .map_err(|source| DashboardError::Json(path.to_owned(), source))?;
        let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { file, json })
    }

    /// Its panels but for rows.
    pub fn panels(&self) -> impl Iterator<Item = &Value> {
        items(&self.json["panels"]).filter(|panel| panel["type"] != "row")
    }

    /// Its variables.
    pub fn variables(&self) -> impl Iterator<Item = &Value> {
        items(&self.json["templating"]["list"])
    }

    /// What it asks with the variables as in `chosen`: its panels, and its variables for what can be chosen.
    ///
    /// Constants have the value they are shipped with, and Grafana's own variables are filled for an hour that began long ago.
    #[must_use]
    pub fn queries(&self, chosen: &BTreeMap<&str, &str>) -> Vec<DashboardQuery> {
        let constants = self.variables().filter(|variable| variable["type"] == "constant");
        let constants =
            constants.map(|variable| (text(&variable["name"]), text(&variable["query"])));
        let own =
            [("__rate_interval", "5m"), ("__range", "1h"), ("__interval", "1m"), ("__from", "0")];
        let mut values: BTreeMap<&str, &str> = own.into_iter().chain(constants).collect();
        values.extend(chosen);
        let query = |asker: &str, expression: &str| DashboardQuery {
            asker: format!("{}: {asker}", self.file),
            expression: filled(expression, &values),
        };
        let panels = self.panels().flat_map(|panel| {
            items(&panel["targets"])
                .map(|target| query(text(&panel["title"]), text(&target["expr"])))
        });
        let variables = self.variables().filter(|variable| variable["type"] == "query");
        let variables = variables
            .map(|variable| query(text(&variable["name"]), &choices(text(&variable["query"]))));
        panels.chain(variables).collect()
    }
}

fn items(list: &Value) -> impl Iterator<Item = &Value> {
    list.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The PromQL of what a variable can be: Grafana's `label_values` and `query_result` are none.
fn choices(query: &str) -> String {
    if let Some(inner) = called(query, "query_result") {
        return inner.to_owned();
    }
    let parts = called(query, "label_values").and_then(|inner| inner.rsplit_once(','));
    parts.map_or_else(String::new, |(series, label)| {
        format!("group by ({}) ({series})", label.trim())
    })
}

fn called<'a>(query: &'a str, function: &str) -> Option<&'a str> {
    query.strip_prefix(function)?.strip_prefix('(')?.strip_suffix(')')
}

/// `expression` with values for variables, of names that begin alike the longest first.
fn filled(expression: &str, values: &BTreeMap<&str, &str>) -> String {
    values.iter().rev().fold(expression.to_owned(), |text, (name, value)| {
        text.replace(&format!("${{{name}}}"), value).replace(&format!("${name}"), value)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_are_filled_and_groups_of_a_pattern_stay() {
        let values = [("arm", "a"), ("arms", "b")].into();
        assert_eq!(filled("$arm ${arms} $arms $1", &values), "a b b $1");
    }

    #[test]
    fn what_a_variable_can_be_is_asked_as_prometheus_understands_it() {
        assert_eq!(choices("label_values(up{a=\"b, c\"}, job)"), "group by (job) (up{a=\"b, c\"})");
        assert_eq!(choices("query_result(sum(up))"), "sum(up)");
    }
}
