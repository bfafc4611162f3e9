//! The report for people: a table as wide as the terminal, and one with everything.

mod colours;
mod columns;
mod footer;
mod layout;

use mora_scan::ScanReport;

use self::colours::Style;
use self::columns::{Cell, Column, columns};
use self::layout::{Wish, cut, fit};
use crate::RenderOptions;

/// Whether the table is to fit, or to say everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extent {
    /// What fits in the width.
    Fitting,
    /// Everything.
    Whole,
}

/// The report as a table with its sums below.
pub(crate) fn table(report: &ScanReport, extent: Extent, options: &RenderOptions) -> String {
    let width = options.width.map(usize::from).filter(|_| extent == Extent::Fitting);
    let columns = columns(report, extent);
    let wishes: Vec<Wish> = columns.iter().map(Column::wish).collect();
    let widths = fit(&wishes, width);
    let shown = columns.iter().zip(&widths).filter_map(|(column, w)| Some((column, (*w)?)));
    let shown: Vec<(&Column, usize)> = shown.collect();
    let head = shown.iter().map(|(column, width)| (Cell::head(column.head), *width));
    let mut text = line(head, options.colours);
    for index in 0..report.rows.len() {
        let cells = shown.iter().map(|(column, width)| (column.cells[index].clone(), *width));
        text += &line(cells, options.colours);
    }
    let hidden = columns.iter().zip(&widths).filter(|(_, width)| width.is_none());
    let mut hidden: Vec<&str> = hidden.map(|(column, _)| column.head).collect();
    hidden.dedup();
    text + &footer::footer(report, extent, &hidden, options)
}

fn line(cells: impl Iterator<Item = (Cell, usize)>, colours: bool) -> String {
    let written: Vec<String> = cells.map(|(cell, width)| written(&cell, width, colours)).collect();
    written.join("  ").trim_end().to_owned() + "\n"
}

/// The cell filled to `width` characters, with each of its parts in its style.
fn written(cell: &Cell, width: usize, colours: bool) -> String {
    let length = cell.width();
    let fill = " ".repeat(width.saturating_sub(length));
    if length > width {
        let text: String = cell.parts.iter().map(|(text, _)| text.as_str()).collect();
        let style = cell.parts.first().map_or(Style::Plain, |(_, style)| *style);
        return style.paint(&cut(&text, width), colours);
    }
    let painted: String =
        cell.parts.iter().map(|(text, style)| style.paint(text, colours)).collect();
    if cell.to_the_right { fill + &painted } else { painted + &fill }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn fitted(width: Option<u16>) -> String {
        let options = RenderOptions { width, ..RenderOptions::default() };
        table(&sample::every_case(), Extent::Fitting, &options)
    }

    fn longest(text: &str) -> usize {
        text.lines().map(|line| line.chars().count()).max().unwrap()
    }

    #[test]
    fn no_line_is_longer_than_the_terminal_is_wide() {
        for width in [80, 100, 120, 160, 200, 400] {
            let text = fitted(Some(width));
            assert!(longest(&text) <= usize::from(width), "{width}:\n{text}");
        }
    }

    #[test]
    fn what_is_hidden_is_named_and_nothing_is_hidden_where_there_is_room() {
        assert!(fitted(Some(80)).contains("Not shown at 80 columns"));
        assert!(!fitted(None).contains("Not shown"));
        assert!(!fitted(Some(400)).contains("Not shown"));
        let rows = |text: String| text.lines().take(15).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(rows(fitted(None)), rows(fitted(Some(400))));
    }

    #[test]
    fn colours_change_no_character() {
        let report = sample::every_case();
        let options = |colours| RenderOptions { colours, width: Some(120), command: None };
        let plain = table(&report, Extent::Fitting, &options(false));
        let coloured = table(&report, Extent::Fitting, &options(true));
        let mut kept = String::new();
        for (index, part) in coloured.split("\u{1b}[").enumerate() {
            kept += if index == 0 { part } else { part.split_once('m').unwrap().1 };
        }
        assert_eq!(kept, plain);
        assert_ne!(coloured, plain);
    }

    #[test]
    fn a_text_from_a_cluster_cannot_reach_the_terminal() {
        let mut report = sample::every_case();
        report.rows[0].name = "cart\u{1b}]0;owned\u{7}\r".to_owned();
        report.rows[0].notes = vec!["\u{1b}[2J".to_owned()];
        for extent in [Extent::Fitting, Extent::Whole] {
            let text = table(&report, extent, &RenderOptions::default());
            assert!(!text.contains(['\u{1b}', '\u{7}', '\r']), "{text:?}");
        }
    }
}
