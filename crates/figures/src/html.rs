//! The evaluation as one page that needs nothing from outside.
//!
//! All of it can be read without a script, which only sorts tables and changes between light and dark. A policy in the page
//! lets nothing but its own style and script in.

mod tables;

use std::collections::BTreeMap;

use mora_evaluation::{Comparison, ScenarioComparison};
use mora_rendering::{OfflinePage, escape_html as escape};

use crate::Figure;

/// The whole page, with `figures` in their order.
#[must_use]
pub fn html(comparison: &Comparison, figures: &[Figure]) -> String {
    let about = about(comparison);
    let page = OfflinePage {
        title: "Evaluation of MOrA",
        about: &about,
        style: include_str!("html/page.css"),
        script: include_str!("html/page.js"),
    };
    let mut main = tables::goals(comparison);
    if !figures.is_empty() {
        main += "<h2>Figures</h2>\n";
        main += &figures.iter().map(figure).collect::<String>();
    }
    main += &sections(
        "Simulated",
        "Every number here is from the simulator.",
        &comparison.scenarios,
        None,
    );
    main += &sections(
        "On a cluster",
        "Every number here was measured on a cluster, but for rows that say that they are simulated.",
        &comparison.measured,
        Some(&comparison.scenarios),
    );
    main += &tables::overall(comparison);
    main += &provenance(comparison);
    page.around(&main, FOOT, "")
}

const FOOT: &str = "Below a mean stands its interval: the expanded percentile bootstrap over seeds. Differences are taken seed by seed \
    under the same load. p is that of Wilcoxon's signed-rank test, two-sided and corrected for the number of arms after Holm; of \
    five pairs it cannot be less than 0.0625 before the correction.";

fn about(comparison: &Comparison) -> String {
    let origin = match (comparison.scenarios.len(), comparison.measured.len()) {
        (simulated, 0) => format!("{simulated} simulated scenarios"),
        (0, measured) => format!("{measured} scenarios on a cluster"),
        (simulated, measured) => {
            format!("{simulated} simulated scenarios and {measured} on a cluster")
        }
    };
    let (runs, confidence) = (comparison.runs, comparison.confidence * 100.0);
    format!("{runs} runs, {origin}. Intervals are of {confidence:.0} % confidence.")
}

fn figure(figure: &Figure) -> String {
    format!(
        "<figure id=\"{}\">\n{}<figcaption><b>{}.</b> {}</figcaption>\n</figure>\n",
        escape(figure.name()),
        figure.svg(),
        escape(figure.title()),
        escape(figure.description())
    )
}

fn sections(
    title: &str,
    note: &str,
    scenarios: &BTreeMap<String, ScenarioComparison>,
    predicted: Option<&BTreeMap<String, ScenarioComparison>>,
) -> String {
    if scenarios.is_empty() {
        return String::new();
    }
    let mut text = format!("<h2>{title}</h2>\n<p class=\"note\">{note}</p>\n");
    for (name, compared) in scenarios {
        let is_simulated = predicted.is_none();
        let origin = if is_simulated {
            "simulated".to_owned()
        } else {
            format!("cluster: {}", compared.environment)
        };
        let class = if is_simulated { "origin" } else { "origin cluster" };
        // A scenario that ran on several clusters has the cluster's name behind its own.
        let plain = name.split('@').next().unwrap_or(name);
        text += &format!(
            "<section>\n<h3>{} <span class=\"{class}\">{}</span> <span class=\"about\">{}, {:.1} h each</span></h3>\n",
            escape(name),
            escape(&origin),
            compared.seeds_in_words(),
            compared.hours
        );
        text += &tables::arms(compared, predicted.and_then(|predicted| predicted.get(plain)));
        text += &tables::differences(compared);
        text += "</section>\n";
    }
    text
}

fn provenance(comparison: &Comparison) -> String {
    let mut text = "<h2>Provenance</h2>\n<dl>\n".to_owned();
    for (name, values) in &comparison.provenance {
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        text += &format!("<dt>{}</dt><dd>{}</dd>\n", escape(name), escape(&values.join(", ")));
    }
    text + "</dl>\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    fn page() -> String {
        let comparison = sample::comparison();
        html(&comparison, &sample::figures(&comparison))
    }

    #[test]
    fn nothing_outside_the_page_is_named() {
        let own = page().replace("http://www.w3.org/2000/svg", "");
        for outside in ["http://", "https://", "src=", "@import", "url(", " style=", " onclick="] {
            assert!(!own.contains(outside), "{outside}");
        }
    }

    #[test]
    fn a_scenario_says_where_its_numbers_are_from_and_a_cluster_has_the_prediction_beside_it() {
        let page = page();
        let (simulated, measured) = page.split_once("<h2>On a cluster</h2>").unwrap();
        assert!(simulated.contains("Every number here is from the simulator."));
        assert!(measured.contains("<span class=\"origin cluster\">cluster: test cluster</span>"));
        assert!(measured.contains("mora, simulated"));
    }

    #[test]
    fn names_from_files_become_no_markup() {
        let mut comparison = sample::comparison();
        let first = comparison.scenarios.pop_first().unwrap().1;
        comparison.scenarios.insert("<script>alert(1)</script>".to_owned(), first);
        let page = html(&comparison, &sample::figures(&comparison));
        assert_eq!(page.matches("<script").count(), 1);
        assert!(page.contains("&lt;script&gt;alert(1)"));
    }
}
