//! The report as one page that needs nothing from outside.
//!
//! The table is in the page itself and can be read without a script. Sorting, filters and plots are made by a small script out of
//! a block of data, a plot only when its row is opened. A policy in the page lets nothing but this style and this script in.

mod data;
mod rows;
mod series;
mod summary;

use mora_scan::ScanReport;

use crate::text::{minute, provenance};
use crate::{OfflinePage, RenderError, RenderOptions};

const STYLE: &str = include_str!("html/report.css");
const SCRIPT: &str = include_str!("html/report.js");

/// The whole page.
pub(crate) fn html(report: &ScanReport, options: &RenderOptions) -> Result<String, RenderError> {
    let data = data::data(report)?;
    let data = format!("<script type=\"application/json\" id=\"data\">{data}</script>\n");
    let about = escape(&provenance(report)) + &command(options);
    let title = title(report);
    let page = OfflinePage { title: &title, about: &about, style: STYLE, script: SCRIPT };
    let warnings: String = report.warnings.iter().map(|w| warning(w)).collect();
    let main = NO_SCRIPT.to_owned()
        + &summary::cards(report)
        + &warnings
        + &summary::tools(report)
        + &rows::table(report);
    let footer = format!("Made by MOrA on {}. {LEGEND}", minute(report.created_at));
    Ok(page.around(&main, &footer, &data))
}

const NO_SCRIPT: &str = "<noscript><p class=\"warning-text\">Without JavaScript the table below is complete, but it cannot be \
    sorted or filtered, and limits, notes and the plots of usage are missing.</p></noscript>\n";

const LEGEND: &str = "Requests are those of one replica, sums those of all. <b>?</b>: nothing can be said yet, and what is set \
    stays. <b>unset</b>: nothing is set, or nothing should be. Times are UTC.";

fn title(report: &ScanReport) -> String {
    let contexts: Vec<&str> = report.clusters.iter().filter_map(|c| c.context.as_deref()).collect();
    let of =
        if contexts.is_empty() { String::new() } else { format!(" of {}", contexts.join(", ")) };
    format!("Resource recommendations{of}")
}

fn command(options: &RenderOptions) -> String {
    let command = options.command.as_deref();
    command.map(|text| format!(" Made by <code>{}</code>", escape(text))).unwrap_or_default()
}

fn warning(text: &str) -> String {
    format!("<p class=\"warning-text\"><b>Warning:</b> {}</p>\n", escape(text))
}

/// The text with the characters that HTML gives a meaning replaced; other control characters than white space are left out.
#[must_use]
pub fn escape(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, c| {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            c if c.is_control() && !c.is_whitespace() => {}
            other => escaped.push(other),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::source;
    use crate::sample;

    fn page() -> String {
        html(&sample::every_case(), &RenderOptions::default()).unwrap()
    }

    #[test]
    fn no_text_from_a_cluster_becomes_markup_or_ends_the_data() {
        let page = page();
        assert!(!page.contains("<script>alert"), "markup got in");
        assert_eq!(page.matches("<script").count(), 2);
        assert_eq!(page.matches("</script>").count(), 2);
        assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    }

    #[test]
    fn nothing_outside_the_page_is_named() {
        let page = page();
        let own = page.replace("http://www.w3.org/2000/svg", "");
        for outside in ["http://", "https://", "src=", "@import", "url(", " style=", " onclick="] {
            assert!(!own.contains(outside), "{outside}");
        }
    }

    #[test]
    fn the_page_of_every_case_is_as_it_was_looked_at() {
        let own = [(STYLE, "STYLE"), (SCRIPT, "SCRIPT")];
        let hashes = own.map(|(text, name)| (escape(&source(text)), format!("HASH OF {name}")));
        let page = own.iter().fold(page(), |page, (text, name)| page.replace(text, name));
        let page = hashes.iter().fold(page, |page, (hash, name)| page.replace(hash, name));
        insta::assert_snapshot!("html", page);
    }

    #[test]
    fn five_hundred_rows_with_plots_are_a_few_megabytes() {
        let page = html(&sample::many(500), &RenderOptions::default()).unwrap();
        assert_eq!(page.matches("<tr class=\"row\"").count(), 500);
        assert!(page.len() < 4 << 20, "{} bytes", page.len());
    }
}
