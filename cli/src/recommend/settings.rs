//! The options of `mora recommend`; each is also a key of the configuration.

#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use mora_core::{Bytes, Glob, Millicores, OwnerKind};
use mora_rendering::OutputFormat;
use mora_scan::{KrrStrategy, Severity, SortBy, WeekHours};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::gather::{RecommendConfig, SourceArguments, layered};

/// How requests are computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StrategyName {
    /// A percentile of CPU and the maximum of memory plus a margin
    #[default]
    Statistical,
    /// The forecast of the next day, from running workers or trained here, planned together
    Predictive,
    /// The numbers of Robusta KRR
    Krr,
}

/// What is written and where; key `output`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct OutputConfig {
    /// Format.
    pub(crate) format: Format,
    /// File; standard output when absent.
    pub(crate) file: Option<PathBuf>,
    /// An HTML report beside it.
    pub(crate) report: Option<PathBuf>,
    /// Whether a table has colours.
    pub(crate) colour: Colour,
}

/// A format of the report, or the plan that `mora apply` reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// A rendering of what was found.
    Report(OutputFormat),
    /// The plan as JSON.
    Plan,
}

/// Whether a table has colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Colour {
    /// On a terminal, unless `NO_COLOR` is set
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

const PLAN: &str = "plan";

impl Default for Format {
    fn default() -> Self {
        Self::Report(OutputFormat::Table)
    }
}

impl ValueEnum for Format {
    fn value_variants<'a>() -> &'a [Self] {
        const COUNT: usize = OutputFormat::ALL.len();
        const VARIANTS: [Format; COUNT + 1] = {
            let mut all = [Format::Plan; COUNT + 1];
            let mut index = 0;
            while index < COUNT {
                all[index] = Format::Report(OutputFormat::ALL[index]);
                index += 1;
            }
            all
        };
        &VARIANTS
    }

    fn to_possible_value(&self) -> Option<clap::builder::PossibleValue> {
        let (name, purpose) = match self {
            Self::Report(format) => (format.as_str(), format.purpose()),
            Self::Plan => (PLAN, "the coordinated plan as JSON, for `mora apply`"),
        };
        Some(clap::builder::PossibleValue::new(name).help(purpose))
    }
}

impl Serialize for Format {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Report(format) => serializer.collect_str(format),
            Self::Plan => serializer.serialize_str(PLAN),
        }
    }
}

impl<'de> Deserialize<'de> for Format {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == PLAN {
            return Ok(Self::Plan);
        }
        text.parse().map(Self::Report).map_err(serde::de::Error::custom)
    }
}

/// Options of `mora recommend`.
#[derive(Debug, Args)]
pub(crate) struct RecommendArguments {
    #[command(flatten)]
    pub(crate) source: SourceArguments,
    #[command(flatten)]
    selection: SelectionArguments,
    #[command(flatten)]
    rule: RuleArguments,
    #[command(flatten)]
    output: OutputArguments,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Selection")]
pub(crate) struct SelectionArguments {
    /// Namespaces to leave out; `*` and `?` stand for other letters; may be repeated
    #[arg(long, value_name = "PATTERN")]
    exclude_namespace: Vec<Glob>,
    /// Labels that workloads have to have, as in `kubectl --selector`
    #[arg(long, short = 'l', value_name = "SELECTOR")]
    selector: Option<String>,
    /// Kinds, as in Deployment or CronJob; may be repeated
    #[arg(long, value_name = "KIND", value_delimiter = ',')]
    kind: Vec<OwnerKind>,
    /// Names of workloads; `*` and `?` stand for other letters; may be repeated
    #[arg(long, value_name = "PATTERN")]
    name: Vec<Glob>,
    /// Show only what is at least as urgent
    #[arg(long, value_name = "SEVERITY", value_parser = parsed_severity)]
    severity: Option<Severity>,
    /// Order of the rows: severity, saving, cpu, memory or name
    #[arg(long, value_name = "ORDER")]
    sort: Option<SortBy>,
    /// Show only so many rows
    #[arg(long, value_name = "N")]
    top: Option<usize>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Strategy")]
pub(crate) struct RuleArguments {
    /// How requests are computed
    #[arg(long, value_enum)]
    strategy: Option<StrategyName>,
    /// Percentile of CPU usage that becomes the request, above 0 and up to 100
    #[arg(long, value_name = "PERCENT", allow_negative_numbers = true, value_parser = percentile)]
    cpu_percentile: Option<f64>,
    /// Margin over the largest memory, in percent
    #[arg(long, value_name = "PERCENT", allow_negative_numbers = true, value_parser = margin)]
    memory_margin: Option<f64>,
    /// Smallest CPU request, as in 10m
    #[arg(long, value_name = "QUANTITY")]
    cpu_min: Option<Millicores>,
    /// Smallest memory request, as in 16Mi
    #[arg(long, value_name = "QUANTITY")]
    memory_min: Option<Bytes>,
    /// Hours of the week that count, UTC, as in `Mon-Fri 08-18`; several separated by commas
    #[arg(long, value_name = "HOURS")]
    hours: Option<WeekHours>,
    /// Which strategy of KRR, with --strategy krr
    #[arg(long, value_parser = parsed_krr, value_name = "simple|simple_limit")]
    krr_strategy: Option<KrrStrategy>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
struct OutputArguments {
    /// Output format
    #[arg(long, short, value_enum)]
    output: Option<Format>,
    /// Write to this file, whole or not at all, instead of standard output
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Also write an HTML report with plots to this file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// Whether a table has colours
    #[arg(long, visible_alias = "color", value_enum)]
    colour: Option<Colour>,
    /// End with exit code 6 if anything found is at least as urgent
    #[arg(long, value_name = "SEVERITY", value_parser = parsed_severity)]
    fail_on: Option<Severity>,
    /// Price of a core for an hour
    #[arg(long, value_name = "PRICE", allow_negative_numbers = true, value_parser = price)]
    cpu_price: Option<f64>,
    /// Price of a GiB of memory for an hour
    #[arg(long, value_name = "PRICE", allow_negative_numbers = true, value_parser = price)]
    memory_price: Option<f64>,
}

impl RecommendArguments {
    /// The configuration with the options laid over it.
    pub(crate) fn layered(self) -> anyhow::Result<RecommendConfig> {
        let mut config = layered(&self.source)?;
        self.selection.lay_over(&mut config);
        self.rule.lay_over(&mut config);
        self.output.lay_over(&mut config);
        Ok(config)
    }
}

impl SelectionArguments {
    pub(crate) fn lay_over(self, config: &mut RecommendConfig) {
        let selection = &mut config.selection;
        lay_all(&mut selection.exclude_namespaces, self.exclude_namespace);
        lay_all(&mut selection.kinds, self.kind);
        lay_all(&mut selection.names, self.name);
        selection.severity = self.severity.or(selection.severity);
        lay(&mut selection.sort, self.sort);
        selection.top = self.top.or(selection.top);
        config.label_selector = self.selector.or(config.label_selector.take());
    }
}

impl RuleArguments {
    pub(crate) fn lay_over(self, config: &mut RecommendConfig) {
        lay(&mut config.strategy, self.strategy);
        let statistical = &mut config.statistical;
        lay(&mut statistical.cpu_percentile, self.cpu_percentile);
        lay(&mut statistical.memory_margin_percent, self.memory_margin);
        lay(&mut statistical.cpu_min_allowed, self.cpu_min);
        lay(&mut statistical.memory_min_allowed, self.memory_min);
        lay(&mut config.krr.cpu_percentile, self.cpu_percentile);
        lay(&mut config.krr.memory_buffer_percentage, self.memory_margin);
        lay(&mut config.krr.strategy, self.krr_strategy);
        config.hours = self.hours.or(config.hours.take());
    }
}

impl OutputArguments {
    fn lay_over(self, config: &mut RecommendConfig) {
        let output = &mut config.output;
        lay(&mut output.format, self.output);
        output.file = self.to.or(output.file.take());
        output.report = self.report.or(output.report.take());
        lay(&mut output.colour, self.colour);
        config.fail_on = self.fail_on.or(config.fail_on);
        lay(&mut config.cost.cpu_core_hour, self.cpu_price);
        lay(&mut config.cost.memory_gib_hour, self.memory_price);
    }
}

fn lay<T>(under: &mut T, over: Option<T>) {
    if let Some(over) = over {
        *under = over;
    }
}

fn lay_all<T>(under: &mut Vec<T>, over: Vec<T>) {
    if !over.is_empty() {
        *under = over;
    }
}

fn parsed_severity(text: &str) -> Result<Severity, String> {
    let found = Severity::ALL.into_iter().find(|severity| severity.as_str() == text);
    found.ok_or_else(|| "use good, ok, warning, critical or unknown".to_owned())
}

fn parsed_krr(text: &str) -> Result<KrrStrategy, String> {
    match text {
        "simple" => Ok(KrrStrategy::Simple),
        "simple_limit" => Ok(KrrStrategy::SimpleLimit),
        _ => Err("use simple or simple_limit".to_owned()),
    }
}

fn number(text: &str) -> Result<f64, String> {
    text.parse().map_err(|_| "it is no number".to_owned())
}

fn percentile(text: &str) -> Result<f64, String> {
    let percent = number(text)?;
    let is_one = percent > 0.0 && percent <= 100.0;
    is_one.then_some(percent).ok_or_else(|| "use a number above 0 and up to 100".to_owned())
}

fn margin(text: &str) -> Result<f64, String> {
    let percent = number(text)?;
    let is_one = (0.0..=1000.0).contains(&percent);
    is_one.then_some(percent).ok_or_else(|| "use a number from 0 to 1000".to_owned())
}

fn price(text: &str) -> Result<f64, String> {
    let price = number(text)?;
    let is_one = price.is_finite() && price >= 0.0;
    is_one.then_some(price).ok_or_else(|| "use a number of at least 0".to_owned())
}
