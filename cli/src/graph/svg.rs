//! The call graph as a picture.

use mora_core::Trust;

use super::layout::{Layout, Place, Route, layout};
use super::view::{Call, Node, View};
use crate::report::escape;

/// Width of a letter and of the space beside a name, in pixels.
const LETTER: f64 = 7.4;
const BESIDE: f64 = 24.0;
/// Height of the legend.
const LEGEND: f64 = 34.0;
/// Width the legend needs.
const LEAST_WIDTH: f64 = 760.0;

/// Readable on light and dark paper and without colours: what is known less is dashed more.
const STYLE: &str = "
svg { background: #ffffff; } text { font: 13px system-ui, sans-serif; fill: #1b1f24; }
.paper { fill: #ffffff; } .box { fill: #f2f5f8; stroke: #8a94a0; stroke-width: 1.2; }
.entry { fill: #dbe9ff; stroke: #1f6feb; stroke-width: 2; }
.rate, .ratio, .legend { font-size: 11px; fill: #4a5561; }
.call { fill: none; stroke: #5b6672; stroke-width: 1.3; } .tip { fill: #5b6672; }
.regressed { stroke-dasharray: 6 4; } .declared { stroke-dasharray: 1.5 4; }
.drifted { stroke: #d1480b; } text.drifted { stroke: none; fill: #d1480b; }
@media (prefers-color-scheme: dark) {
svg { background: #14171a; } text { fill: #e6e9ec; } .paper { fill: #14171a; }
.box { fill: #22272c; } .entry { fill: #16315c; } .rate, .ratio, .legend { fill: #b3bcc5; }
.call { stroke: #98a3ad; } .tip { fill: #98a3ad; } .drifted { stroke: #ff8a4c; } text.drifted { fill: #ff8a4c; }
}
";

/// One SVG document without references to anything outside it.
pub(super) fn svg(view: &View) -> String {
    let widths: Vec<f64> = view.workloads.iter().map(width).collect();
    let calls: Vec<(usize, usize)> = view.calls.iter().map(|call| call.between).collect();
    let layout = layout(&widths, &calls);
    let routes = view.calls.iter().zip(&layout.routes);
    let lines: String = routes.map(|(call, route)| line(view, call, route)).collect();
    let places = view.workloads.iter().zip(&layout.places);
    let boxes: String = places.map(|(node, place)| boxed(node, place)).collect();
    let size = (layout.width.max(LEAST_WIDTH), layout.height + LEGEND);
    format!("{}{lines}{boxes}{}</svg>\n", opening(size), legend(&layout))
}

fn opening((width, height): (f64, f64)) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" height=\"{height:.0}\" role=\"img\" aria-label=\"call graph\">\n<style>{STYLE}</style>\n<defs><marker id=\"tip\" viewBox=\"0 0 8 8\" refX=\"8\" refY=\"4\" markerWidth=\"8\" markerHeight=\"8\" markerUnits=\"userSpaceOnUse\" orient=\"auto\"><path class=\"tip\" d=\"M0 0 8 4 0 8z\"/></marker></defs>\n<rect class=\"paper\" width=\"{width:.0}\" height=\"{height:.0}\"/>\n"
    )
}

fn width(node: &Node) -> f64 {
    let longest = node.label.len().max(node.rate_text().map_or(0, |rate| rate.len()));
    longest as f64 * LETTER + BESIDE
}

fn boxed(node: &Node, place: &Place) -> String {
    let class = if node.entry { "box entry" } else { "box" };
    let (middle, center) = (place.x + place.width / 2.0, place.y + place.height / 2.0);
    let Place { x, y, width, height } = place;
    let rate = node.rate_text().map(|rate| text("rate", (middle, center + 14.0), "middle", &rate));
    let name = text(
        "name",
        (middle, if rate.is_some() { center - 1.0 } else { center + 5.0 }),
        "middle",
        &node.label,
    );
    let title = escape(&node.workload.to_string());
    format!(
        "<g><title>{title}</title><rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" rx=\"6\"/>{name}{}</g>\n",
        rate.unwrap_or_default()
    )
}

fn line(view: &View, call: &Call, route: &Route) -> String {
    let class = classes(call);
    let label = |index: usize| &view.workloads[index].label;
    let (caller, callee) = (label(call.between.0), label(call.between.1));
    let title = escape(&format!("{caller} to {callee}: {}, {}", call.ratio_text(), call.story()));
    let (x, y) = route.points.last().copied().unwrap_or_default();
    let (beside, anchor) = if route.back { (x + 11.0, "start") } else { (x - 11.0, "end") };
    let ratio = text(&format!("ratio{class}"), (beside, y - 4.0), anchor, &call.ratio_text());
    let path = path(route);
    format!(
        "<g><title>{title}</title><path class=\"call{class}\" marker-end=\"url(#tip)\" d=\"{path}\"/>{ratio}</g>\n"
    )
}

fn classes(call: &Call) -> String {
    let trust = match call.trust {
        Trust::Measured | Trust::Stated => "",
        Trust::Regressed => " regressed",
        Trust::Declared => " declared",
    };
    let drift = if call.drift.is_some() { " drifted" } else { "" };
    format!("{trust}{drift}")
}

/// A smooth way through the points that is level at each of them; around the box for a call to oneself.
fn path(route: &Route) -> String {
    let mut path = String::new();
    for (at, pair) in route.points.windows(2).enumerate() {
        let ((x0, y0), (x1, y1)) = (pair[0], pair[1]);
        let bend = if x1 >= x0 || route.back { (x1 - x0) / 2.0 } else { 40.0 };
        if at == 0 {
            path += &format!("M{x0:.1} {y0:.1}");
        }
        path += &format!("C{:.1} {y0:.1} {:.1} {y1:.1} {x1:.1} {y1:.1}", x0 + bend, x1 - bend);
    }
    path
}

fn text(class: &str, (x, y): (f64, f64), anchor: &str, text: &str) -> String {
    let text = escape(text);
    format!(
        "<text class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{text}</text>"
    )
}

fn legend(layout: &Layout) -> String {
    let y = layout.height + LEGEND / 2.0;
    let sample = |(x, class, words): (f64, &str, &str)| {
        let line = format!("<path class=\"call{class}\" d=\"M{x} {:.1}h34\"/>", y - 4.0);
        line + &text("legend", (x + 42.0, y), "start", words)
    };
    let samples = [
        (18.0, "", "calls per request, measured or stated"),
        (290.0, " regressed", "from request rates"),
        (450.0, " declared", "declared only"),
        (590.0, " drifted", "has changed"),
    ];
    samples.into_iter().map(sample).collect::<String>() + "\n"
}

#[cfg(test)]
mod tests {
    use super::super::view::tests::shop;
    use super::*;

    #[test]
    fn the_picture_holds_every_name_and_ratio_and_marks_what_is_known_less() {
        let picture = svg(&shop());
        for part in [
            ">frontend</text>",
            ">8.00/s</text>",
            ">StatefulSet/redis</text>",
            ">0.840</text>",
            "class=\"box entry\"",
            "class=\"call declared\"",
            "class=\"call drifted\"",
            "frontend to cart: 0.840, measured, 0.800 to 0.900 over 288 windows, 0.500 until 1970-01-01T00:00:00Z",
        ] {
            assert!(picture.contains(part), "no {part} in {picture}");
        }
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
        assert_eq!(picture.matches("marker-end").count(), 4);
    }

    #[test]
    fn names_are_escaped() {
        let mut view = shop();
        view.workloads[0].label = "<script>&\"".to_owned();
        let picture = svg(&view);
        assert!(picture.contains("&lt;script&gt;&amp;&quot;") && !picture.contains("<script"));
    }
}
