//! A scan report in every format that people and tools read.
//!
//! [`render`] is pure: it reads no clock, no environment and no terminal; what depends on those comes in [`RenderOptions`]. The
//! formats fall into three groups: for people (`table`, `wide`, `markdown`, `html`), for programs (`json`, `yaml`, `csv`), and to
//! put a recommendation in force (`patch`, `kustomize`, `helm`, `vpa`).

mod format;

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
    Csv(#[from] csv::Error),
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
    let _ = options;
    match format {
        OutputFormat::Json => Ok(serde_json::to_string_pretty(report)? + "\n"),
        _ => Ok(serde_saphyr::to_string(report)?),
    }
}
