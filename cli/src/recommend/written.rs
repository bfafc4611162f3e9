//! Where what was found goes: data to standard output or a file, whole or not at all, and the rest to standard error.

use std::io::{IsTerminal, Write};

use anyhow::Context;
use mora_coordinator::write_whole;
use mora_core::Plan;
use mora_rendering::{OutputFormat, RenderOptions, render};
use mora_scan::ScanReport;

use super::settings::{Colour, Format, OutputConfig};
use crate::gather::RecommendConfig;
use crate::progress::say;

impl OutputConfig {
    /// Fails when a file could not be written in the end, before anything is asked.
    pub(super) fn check(&self) -> anyhow::Result<()> {
        for path in self.file.iter().chain(&self.report) {
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
            let folder = folder.unwrap_or(std::path::Path::new("."));
            anyhow::ensure!(
                folder.is_dir() && !path.is_dir(),
                "{} cannot be written; name a file in a folder that is there",
                path.display()
            );
        }
        Ok(())
    }

    /// Whether anything of the report is drawn.
    pub(super) fn has_plots(&self) -> bool {
        self.report.is_some() || self.format == Format::Report(OutputFormat::Html)
    }

    fn has_colours(&self) -> bool {
        match self.colour {
            Colour::Always => true,
            Colour::Never => false,
            Colour::Auto => {
                let is_off = std::env::var_os("NO_COLOR").is_some_and(|text| !text.is_empty());
                self.file.is_none() && !is_off && std::io::stdout().is_terminal()
            }
        }
    }

    fn write(&self, text: &str) -> anyhow::Result<()> {
        let Some(path) = &self.file else {
            let mut out = std::io::stdout().lock();
            return match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
                // Whoever reads has seen enough, as `head` does.
                Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
                written => written.context("standard output cannot be written"),
            };
        };
        write_whole(path, text)?;
        say(&format!("written to {}", path.display()));
        Ok(())
    }
}

/// Writes the report, and beside it the page if one is wanted.
pub(super) fn write_report(config: &RecommendConfig, report: &ScanReport) -> anyhow::Result<()> {
    let output = &config.output;
    let Format::Report(format) = output.format else { return Ok(()) };
    let to_terminal = output.file.is_none() && std::io::stdout().is_terminal();
    let options = RenderOptions {
        colours: output.has_colours(),
        width: to_terminal.then(width).flatten(),
        command: Some(command()),
    };
    // The wide table has them itself.
    if format != OutputFormat::Wide {
        report.warnings.iter().for_each(|warning| say(warning));
    }
    output.write(&render(report, format, &options)?)?;
    if let Some(path) = &output.report {
        write_whole(path, &render(report, OutputFormat::Html, &options)?)?;
        say(&format!("report: {}", path.display()));
    }
    Ok(())
}

/// Writes the plan as `mora apply` reads it.
pub(super) fn write_plan(output: &OutputConfig, plan: &Plan) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(plan).context("the plan cannot be written as JSON")?;
    output.write(&(text + "\n"))
}

/// Columns of the terminal: what `COLUMNS` says, else what the terminal says.
fn width() -> Option<u16> {
    let stated = std::env::var("COLUMNS").ok().and_then(|text| text.parse().ok());
    stated.or_else(|| comfy_table::Table::new().width())
}

/// The command as it was called, without what may be secret.
fn command() -> String {
    let mut words: Vec<String> = vec!["mora".to_owned()];
    let mut hides_next = false;
    for word in std::env::args().skip(1) {
        let hidden = "--prometheus";
        if hides_next {
            words.push("URL".to_owned());
        } else if word.starts_with("--prometheus=") {
            words.push(format!("{hidden}=URL"));
        } else {
            words.push(word.clone());
        }
        hides_next = word == hidden;
    }
    words.join(" ")
}
