use clap::{Args as _, Command, Parser};
use mora_runtime::config_keys;

use super::*;

/// Every option with the key of the configuration that says the same; those that concern the process alone have none.
const KEYS: [(&str, Option<&str>); 31] = [
    ("prometheus", Some("prometheus.url")),
    ("namespace", Some("selection.namespaces")),
    ("prometheus-token-file", Some("prometheus.bearer_token_file")),
    ("prometheus-ca-file", Some("prometheus.ca_file")),
    ("cluster", Some("cluster.kubernetes")),
    ("context", Some("contexts")),
    ("no-cluster", Some("no_cluster")),
    ("lookback-hours", Some("lookback_hours")),
    ("at", Some("at")),
    ("config", None),
    ("exclude-namespace", Some("selection.exclude_namespaces")),
    ("selector", Some("label_selector")),
    ("kind", Some("selection.kinds")),
    ("name", Some("selection.names")),
    ("severity", Some("selection.severity")),
    ("sort", Some("selection.sort")),
    ("top", Some("selection.top")),
    ("strategy", Some("strategy")),
    ("cpu-percentile", Some("statistical.cpu_percentile")),
    ("memory-margin", Some("statistical.memory_margin_percent")),
    ("cpu-min", Some("statistical.cpu_min_allowed")),
    ("memory-min", Some("statistical.memory_min_allowed")),
    ("hours", Some("hours")),
    ("krr-strategy", Some("krr.strategy")),
    ("output", Some("output.format")),
    ("to", Some("output.file")),
    ("report", Some("output.report")),
    ("colour", Some("output.colour")),
    ("fail-on", Some("fail_on")),
    ("cpu-price", Some("cost.cpu_core_hour")),
    ("memory-price", Some("cost.memory_gib_hour")),
];

#[derive(Debug, Parser)]
struct Alone {
    #[command(flatten)]
    arguments: RecommendArguments,
}

fn parsed(words: &[&str]) -> Result<RecommendConfig, String> {
    let words = [&["mora", "--no-cluster", "--prometheus", "http://p"], words].concat();
    let alone = Alone::try_parse_from(words).map_err(|error| error.to_string())?;
    alone.arguments.layered().map_err(|error| format!("{error:#}"))
}

#[test]
fn every_option_is_a_key_too() {
    let keys = config_keys::<RecommendConfig>();
    let known = |path: &str| keys.iter().any(|key| key.path == path);
    let command = RecommendArguments::augment_args(Command::new("recommend"));
    for argument in command.get_arguments() {
        let option = argument.get_long().unwrap();
        let key = KEYS.iter().find(|(name, _)| *name == option);
        let (_, key) = key.unwrap_or_else(|| panic!("--{option} has no key"));
        assert!(key.is_none_or(known), "--{option} stands for {key:?}, which is no key");
    }
}

#[test]
fn options_go_before_the_defaults() {
    let config = parsed(&[
        "-n",
        "shop-*",
        "--kind",
        "Deployment,CronJob",
        "--severity",
        "warning",
        "--top",
        "3",
        "--strategy",
        "krr",
        "--krr-strategy",
        "simple_limit",
        "--cpu-percentile",
        "99.5",
        "--memory-margin",
        "20",
        "-o",
        "html",
        "--fail-on",
        "critical",
        "--cpu-price",
        "0.05",
        "--lookback-hours",
        "1.5",
        "--hours",
        "Mon-Fri 08-18",
    ])
    .unwrap();
    assert_eq!(config.selection.kinds, [OwnerKind::Deployment, OwnerKind::CronJob]);
    assert!(config.selection.takes_namespace("shop-1"));
    assert!(!config.selection.takes_namespace("bank"));
    assert_eq!(config.krr.strategy, KrrStrategy::SimpleLimit);
    assert!((config.statistical.cpu_percentile - 99.5).abs() < f64::EPSILON);
    assert!((config.krr.memory_buffer_percentage - 20.0).abs() < f64::EPSILON);
    assert_eq!(config.output.format, Format::Report(OutputFormat::Html));
    assert_eq!(config.fail_on, Some(Severity::Critical));
    assert_eq!(config.lookback().as_mins(), 90);
    assert!(config.hours.is_some());
}

#[test]
fn what_is_out_of_range_is_refused_with_what_can_be() {
    for (words, part) in [
        (["--cpu-percentile", "0"], "above 0"),
        (["--memory-margin", "-1"], "from 0 to 1000"),
        (["--lookback-hours", "0"], "--lookback-hours"),
        (["--cpu-price", "NaN"], "at least 0"),
        (["--hours", "always"], "Mon-Fri"),
        (["--severity", "awful"], "critical"),
    ] {
        let words = [&format!("{}={}", words[0], words[1])[..]];
        let told = parsed(&words).unwrap_err();
        assert!(told.contains(part), "{told}");
    }
}
