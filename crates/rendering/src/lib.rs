//! A scan report in every format that people and tools read.
//!
//! [`render`] is pure: it reads no clock, no environment and no terminal; what depends on those comes in [`RenderOptions`]. The
//! formats fall into three groups: for people (`table`, `wide`, `markdown`, `html`), for programs (`json`, `yaml`, `csv`), and to
//! put a recommendation in force (`patch`, `kustomize`, `helm`, `vpa`).

mod csv;
mod format;
mod html;
mod manifests;
mod markdown;
mod table;
mod text;

#[cfg(test)]
#[path = "../examples/sample/report.rs"]
#[allow(dead_code, reason = "its other reports are for the example and for tests across processes")]
mod sample;

use self::table::Extent;

use mora_scan::ScanReport;
use thiserror::Error;

pub use format::{OutputFormat, UnknownFormat};

/// What a rendering depends on beside the report.
#[derive(Debug, Clone, Default)]
pub struct RenderOptions {
    /// Whether `table` and `wide` carry ANSI colours.
    pub colours: bool,
    /// Columns of the terminal, for `table`; `None` where the output is none, which shows everything uncut.
    pub width: Option<u16>,
    /// The command that made the report, as the user could repeat it; named in `html`, `markdown` and in the comments of
    /// `patch`, `kustomize`, `helm` and `vpa`. It must hold no secret.
    pub command: Option<String>,
}

/// Why a report was not rendered.
#[derive(Debug, Error)]
pub enum RenderError {
    /// The report does not serialise.
    #[error("the report cannot be written as JSON")]
    Json(#[from] serde_json::Error),
    /// The report does not serialise.
    #[error("the report cannot be written as YAML")]
    Yaml(#[from] serde_saphyr::ser::Error),
    /// The report does not serialise.
    #[error("the report cannot be written as CSV")]
    Csv(#[from] ::csv::Error),
    /// The format is for one cluster, and several were scanned.
    #[error(
        "`{format}` is for one cluster, but the report has {clusters}; scan one with --context, or write a file for each"
    )]
    SeveralClusters {
        /// The format.
        format: OutputFormat,
        /// How many clusters the rows are of.
        clusters: usize,
    },
}

/// The report as text, ending with a line break.
///
/// # Errors
///
/// Fails where the format cannot hold the report: see [`RenderError`].
pub fn render(
    report: &ScanReport,
    format: OutputFormat,
    options: &RenderOptions,
) -> Result<String, RenderError> {
    Ok(match format {
        OutputFormat::Table => table::table(report, Extent::Fitting, options),
        OutputFormat::Wide => table::table(report, Extent::Whole, options),
        OutputFormat::Json => serde_json::to_string_pretty(report)? + "\n",
        OutputFormat::Yaml => serde_saphyr::to_string(report)?,
        OutputFormat::Csv => csv::csv(report)?,
        OutputFormat::Markdown => markdown::markdown(report, options),
        OutputFormat::Html => html::html(report, options)?,
        OutputFormat::Patch => manifests::patch(report, options),
        OutputFormat::Kustomize => manifests::kustomize(report, options)?,
        OutputFormat::Helm => manifests::helm(report, options)?,
        OutputFormat::Vpa => manifests::vpa(report, options)?,
    })
}
