//! What is compared.

use crate::Metrics;

/// A figure of a run that arms are compared by.
#[derive(Debug, Clone, Copy)]
pub struct Indicator {
    /// Its name in documents: the field of [`Metrics`].
    pub name: &'static str,
    /// Its name for readers, without unit.
    pub label: &'static str,
    /// The unit it is shown in; empty for a number.
    pub unit: &'static str,
    /// What it is multiplied by to be shown in that unit.
    pub scale: f64,
    /// Decimals that are shown.
    pub decimals: usize,
    /// The figure of a run; `None` where it has none.
    pub of: fn(&Metrics) -> Option<f64>,
}

impl Indicator {
    /// The value in its unit, with as many decimals as are shown.
    #[must_use]
    pub fn shown(&self, value: f64) -> String {
        let text = format!("{:.*}", self.decimals, value * self.scale);
        // A difference that rounds to nothing has no sign.
        if text.trim_start_matches('-').chars().all(|c| "0.".contains(c)) {
            text.trim_start_matches('-').to_owned()
        } else {
            text
        }
    }
}

macro_rules! indicators {
    ($($field:ident: $label:literal, $unit:literal, $scale:literal, $decimals:literal;)*) => {
        [$(Indicator {
            name: stringify!($field),
            label: $label,
            unit: $unit,
            scale: $scale,
            decimals: $decimals,
            of: |metrics| Figure::figure(metrics.$field),
        }),*]
    };
}

/// A field of [`Metrics`], whether it is always there or not.
trait Figure {
    fn figure(self) -> Option<f64>;
}

impl Figure for f64 {
    fn figure(self) -> Option<f64> {
        Some(self)
    }
}

impl Figure for Option<f64> {
    fn figure(self) -> Self {
        self
    }
}

/// All of them, in the order of tables.
pub const INDICATORS: [Indicator; 17] = indicators! {
    cpu_hours_requested: "CPU requested", "core h", 1.0, 1;
    cpu_hours_used: "CPU used", "core h", 1.0, 1;
    memory_hours_requested: "memory requested", "GiB h", 1.0, 1;
    memory_hours_used: "memory used", "GiB h", 1.0, 1;
    violations: "objective missed", "% of minutes", 100.0, 2;
    latency_mean: "mean latency", "ms", 1000.0, 1;
    latency_p95: "latency p95", "ms", 1000.0, 0;
    latency_p99: "latency p99", "ms", 1000.0, 0;
    error_ratio: "failed requests", "%", 100.0, 3;
    scaling_events: "scaling events", "", 1.0, 1;
    resizes: "resizes in place", "", 1.0, 1;
    volatility: "volatility", "", 1.0, 2;
    cpu_under: "U (usage above request)", "% of minutes", 100.0, 2;
    cpu_over: "O (CPU requested by used)", "", 1.0, 2;
    memory_over: "memory requested by used", "", 1.0, 2;
    throttled: "throttled periods", "%", 100.0, 2;
    oom_kills: "OOM kills", "", 1.0, 1;
};

/// The indicator of that name.
#[must_use]
pub fn indicator(name: &str) -> Option<&'static Indicator> {
    INDICATORS.iter().find(|indicator| indicator.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_figure_of_a_run_but_its_length_is_compared_under_its_own_name() {
        let metrics = serde_json::to_value(Metrics::default()).unwrap();
        let fields: Vec<&String> = metrics.as_object().unwrap().keys().collect();
        let missing: Vec<_> =
            fields.iter().filter(|f| f.as_str() != "hours" && indicator(f).is_none()).collect();
        assert!(missing.is_empty(), "{missing:?}");
        assert_eq!(INDICATORS.len(), fields.len() - 1);
    }

    #[test]
    fn shares_are_shown_in_percent_and_nothing_has_no_sign() {
        assert_eq!(indicator("violations").unwrap().shown(0.0123), "1.23");
        assert_eq!(indicator("violations").unwrap().shown(-0.000_001), "0.00");
        assert_eq!(indicator("latency_p95").unwrap().shown(0.12), "120");
    }
}
