//! Figures and tables of an evaluation: SVG and PDF for a paper, Markdown for pages, one HTML page that needs nothing from outside.
//!
//! Nothing here reads or writes a file. The same [`Evidence`] gives the same bytes.

mod axis;
mod bars;
mod course;
mod effects;
mod evidence;
mod figure;
mod frontier;
mod helvetica;
mod html;
mod panel;
mod pdf;
#[cfg(test)]
#[path = "../examples/sample/evaluation.rs"]
mod sample;
mod scene;
mod style;
mod svg;
mod table;
mod validation;

pub use evidence::{Evidence, Validated};
pub use figure::Figure;
pub use html::html;
pub use table::{goals_table, main_table};

/// All figures that `evidence` allows, with `scenario` as the one that is shown in full; a figure without anything to show is
/// left out.
#[must_use]
pub fn figures(evidence: &Evidence<'_>, scenario: &str) -> Vec<Figure> {
    let all = [
        course::cpu(evidence, scenario),
        frontier::frontier(evidence.comparison, scenario),
        bars::bars(evidence.comparison),
        course::latency(evidence, scenario),
        effects::ablations(evidence.comparison),
        validation::validation(evidence.validation),
    ];
    all.into_iter().flatten().collect()
}

#[cfg(test)]
mod tests;
