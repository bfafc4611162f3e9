//! The names of the formats.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// How a report is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
pub enum OutputFormat {
    /// For people, as wide as the terminal.
    #[default]
    Table,
    /// The same with everything, however wide.
    Wide,
    /// The report as it is, for programs.
    Json,
    /// The same as YAML.
    Yaml,
    /// One line for each container.
    Csv,
    /// For a pull request or a wiki.
    Markdown,
    /// One page with plots that needs nothing from outside.
    Html,
    /// A shell script of `kubectl patch` commands.
    Patch,
    /// A `kustomization.yaml` with patches.
    Kustomize,
    /// `resources` as values of Helm charts.
    Helm,
    /// VerticalPodAutoscaler objects.
    Vpa,
}

/// A name that is no [`OutputFormat`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "`{0}` is not an output format; use table, wide, json, yaml, csv, markdown, html, patch, kustomize, helm or vpa"
)]
pub struct UnknownFormat(String);

impl OutputFormat {
    /// All, in the order they are documented.
    pub const ALL: [Self; 11] = [
        Self::Table,
        Self::Wide,
        Self::Json,
        Self::Yaml,
        Self::Csv,
        Self::Markdown,
        Self::Html,
        Self::Patch,
        Self::Kustomize,
        Self::Helm,
        Self::Vpa,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Wide => "wide",
            Self::Json => "json",
            Self::Yaml => "yaml",
            Self::Csv => "csv",
            Self::Markdown => "markdown",
            Self::Html => "html",
            Self::Patch => "patch",
            Self::Kustomize => "kustomize",
            Self::Helm => "helm",
            Self::Vpa => "vpa",
        }
    }

    /// What it is for, in a few words.
    #[must_use]
    pub const fn purpose(self) -> &'static str {
        match self {
            Self::Table => "for people, as wide as the terminal",
            Self::Wide => "the table with everything, however wide",
            Self::Json => "the report as a document, schema mora.dev/scan/v1",
            Self::Yaml => "the same document as YAML",
            Self::Csv => "one line for each container",
            Self::Markdown => "for a pull request or a wiki",
            Self::Html => "one page with plots that works offline",
            Self::Patch => "a shell script of kubectl patch commands",
            Self::Kustomize => "a kustomization.yaml with patches",
            Self::Helm => "resources as values of Helm charts",
            Self::Vpa => "VerticalPodAutoscaler objects that only recommend",
        }
    }
}

impl fmt::Display for OutputFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for OutputFormat {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        let named = Self::ALL.into_iter().find(|format| format.as_str() == text);
        named.ok_or_else(|| UnknownFormat(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_format_is_found_by_its_name_and_named_where_one_is_wrong() {
        let told = "tabel".parse::<OutputFormat>().unwrap_err().to_string();
        for format in OutputFormat::ALL {
            assert_eq!(format.to_string().parse(), Ok(format));
            assert!(told.contains(format.as_str()), "{told}");
        }
    }
}
