//! The `OpenMetrics` text format, as far as backfilling needs it.

use std::fmt::Write as _;
use std::io::{self, Write};

use jiff::Timestamp;

/// What a metric family's values mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricKind {
    /// A total that only grows; its samples are named with the suffix `_total`.
    Counter,
    /// A value that goes up and down.
    Gauge,
    /// Counts of observations up to each bound, in the label `le`; its samples are named with the suffix `_bucket`.
    Histogram,
}

/// Writes metric families in `OpenMetrics` text.
#[derive(Debug)]
pub struct OpenMetricsWriter<W: Write> {
    out: W,
}

impl<W: Write> OpenMetricsWriter<W> {
    /// A writer to `out`, which should be buffered.
    pub const fn new(out: W) -> Self {
        Self { out }
    }

    /// Begins a family; `name` is that of its samples, with `_total` for a counter and `_bucket` for a histogram.
    ///
    /// Fails when `out` does, as every method here.
    pub fn family(&mut self, name: &str, kind: MetricKind) -> io::Result<()> {
        match kind {
            MetricKind::Counter => {
                let family = name.strip_suffix("_total").unwrap_or(name);
                writeln!(self.out, "# TYPE {family} counter")
            }
            MetricKind::Gauge => writeln!(self.out, "# TYPE {name} gauge"),
            MetricKind::Histogram => {
                let family = name.strip_suffix("_bucket").unwrap_or(name);
                writeln!(self.out, "# TYPE {family} histogram")
            }
        }
    }

    /// Writes one series of the family begun last; times ascend.
    pub fn series(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        samples: impl IntoIterator<Item = (Timestamp, f64)>,
    ) -> io::Result<()> {
        let identity = identity(name, labels);
        for (time, value) in samples {
            writeln!(self.out, "{identity} {value} {}", time.as_second())?;
        }
        Ok(())
    }

    /// Ends the text and gives `out` back, flushed.
    pub fn finish(mut self) -> io::Result<W> {
        writeln!(self.out, "# EOF")?;
        self.out.flush()?;
        Ok(self.out)
    }
}

fn identity(name: &str, labels: &[(&str, &str)]) -> String {
    let mut text = format!("{name}{{");
    for (index, (label, value)) in labels.iter().enumerate() {
        let comma = if index == 0 { "" } else { "," };
        let value = value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        // Writing to a String cannot fail.
        let _written = write!(text, "{comma}{label}=\"{value}\"");
    }
    text.push('}');
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_family_drops_the_suffix_and_the_text_ends_with_eof() {
        let mut writer = OpenMetricsWriter::new(Vec::new());
        let time = Timestamp::from_second(60).unwrap();
        writer.family("hits_total", MetricKind::Counter).unwrap();
        writer.series("hits_total", &[("a", "x"), ("b", "y")], [(time, 1.5)]).unwrap();
        writer.family("size", MetricKind::Gauge).unwrap();
        let text = String::from_utf8(writer.finish().unwrap()).unwrap();
        assert_eq!(
            text,
            "# TYPE hits counter\nhits_total{a=\"x\",b=\"y\"} 1.5 60\n# TYPE size gauge\n# EOF\n"
        );
    }

    #[test]
    fn label_values_are_escaped() {
        assert_eq!(identity("m", &[("l", "a\"b\\c\nd")]), "m{l=\"a\\\"b\\\\c\\nd\"}");
    }
}
