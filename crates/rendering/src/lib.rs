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
mod page;
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
pub use html::escape as escape_html;
pub use page::OfflinePage;

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

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(format: OutputFormat, width: Option<u16>, colours: bool) -> String {
        let only_one = [OutputFormat::Kustomize, OutputFormat::Helm, OutputFormat::Vpa];
        let is_of_one = only_one.contains(&format);
        let report = if is_of_one { sample::one_cluster() } else { sample::every_case() };
        let command = Some(format!("mora recommend -o {format}\nrm -rf /"));
        render(&report, format, &RenderOptions { colours, width, command }).unwrap()
    }

    /// Every format of every case there is. What changes here changes what people read and what tools parse.
    #[test]
    fn every_format_is_as_it_was_looked_at() {
        for format in OutputFormat::ALL.into_iter().filter(|f| *f != OutputFormat::Html) {
            insta::assert_snapshot!(format.as_str(), rendered(format, None, false));
        }
        for width in [80, 120, 200] {
            let text = rendered(OutputFormat::Table, Some(width), false);
            insta::assert_snapshot!(format!("table-{width}"), text);
        }
        let coloured = rendered(OutputFormat::Table, Some(120), true).replace('\u{1b}', "ESC");
        insta::assert_snapshot!("table-120-coloured", coloured);
    }

    #[test]
    fn every_format_ends_with_one_line_break_and_says_the_same_twice() {
        for format in OutputFormat::ALL {
            let text = rendered(format, Some(120), true);
            assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{format}");
            assert_eq!(text, rendered(format, Some(120), true), "{format}");
        }
    }

    #[test]
    fn the_documents_read_back_as_the_report() {
        let report = sample::every_case();
        let without_plots = ScanReport { histories: std::collections::BTreeMap::new(), ..report };
        let json: ScanReport =
            serde_json::from_str(&rendered(OutputFormat::Json, None, false)).unwrap();
        let yaml: ScanReport =
            serde_saphyr::from_str(&rendered(OutputFormat::Yaml, None, false)).unwrap();
        assert_eq!(json, without_plots);
        assert_eq!(yaml, without_plots);
    }

    #[test]
    fn what_is_for_one_cluster_is_refused_for_two() {
        for format in [OutputFormat::Kustomize, OutputFormat::Helm, OutputFormat::Vpa] {
            let told =
                render(&sample::every_case(), format, &RenderOptions::default()).unwrap_err();
            assert!(told.to_string().contains("has 2; scan one with --context"), "{told}");
        }
    }

    #[test]
    fn an_empty_report_is_rendered_too() {
        let mut report = sample::one_cluster();
        report.rows.clear();
        report.summary = mora_scan::Summary::default();
        for format in OutputFormat::ALL {
            let text = render(&report, format, &RenderOptions::default()).unwrap();
            assert!(!text.contains("NaN") && !text.contains("inf"), "{format}:\n{text}");
        }
    }
}
