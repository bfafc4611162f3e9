//! Prometheus' text format, as far as kubelet and kube-state-metrics use it.

use std::fmt::Write;

/// A page of metrics.
#[derive(Debug, Default)]
pub(super) struct Exposition {
    text: String,
}

/// What a metric is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Exposition {
    /// Begins a metric; its samples follow.
    pub(super) fn metric(&mut self, name: &str, kind: Kind, help: &str) {
        let kind = match kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram => "histogram",
        };
        self.line(&format!("# HELP {name} {help}"));
        self.line(&format!("# TYPE {name} {kind}"));
    }

    /// A sample of the metric begun last.
    pub(super) fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let pair = |(label, value): &(&str, &str)| format!("{label}=\"{}\"", escaped(value));
        let pairs: Vec<String> = labels.iter().map(pair).collect();
        let braced =
            if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) };
        self.line(&format!("{name}{braced} {value}"));
    }

    /// A line that is in the format already.
    pub(super) fn line(&mut self, line: &str) {
        // Writing to a string does not fail.
        let _written = writeln!(self.text, "{line}");
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }
}

fn escaped(value: &str) -> String {
    value.replace('\\', r"\\").replace('"', "\\\"").replace('\n', r"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_has_its_type_and_its_labels_are_escaped() {
        let mut page = Exposition::default();
        page.metric("up", Kind::Gauge, "Whether it is");
        page.sample("up", &[("a", "x\"\\\n"), ("b", "y")], 0.5);
        let text = page.into_text();
        assert_eq!(
            text,
            "# HELP up Whether it is\n# TYPE up gauge\nup{a=\"x\\\"\\\\\\n\",b=\"y\"} 0.5\n"
        );
    }
}
