//! Configurations that cannot be.

use super::{Refused, from_prometheus};

const URL: &str = "http://prometheus.example";

fn with_config(name: &str, text: &str) {
    let refused = Refused::new().file("mora.yaml", text);
    let arguments = [&from_prometheus(URL)[..], &["--config", "mora.yaml"]].concat();
    assert_eq!(refused.is_told(name, &arguments), 1, "{name}");
}

#[test]
fn a_file_that_cannot_be_used_is_told_with_the_key_and_the_layer() {
    with_config("config-no-yaml", "prometheus: [\n");
    with_config("config-no-keys", "- prometheus\n");
    with_config("config-unknown-key", "prometheus: {adress: http://p}\n");
    with_config("config-wrong-type", "lookback_hours: two weeks\n");
    with_config("config-no-quantity", "statistical: {cpu_min_allowed: lots}\n");
    with_config("config-out-of-range", "statistical: {cpu_percentile: 0}\n");
    with_config("config-no-strategy", "strategy: magic\n");
    with_config("config-secret-of-the-wrong-type", "prometheus: {bearer_token: [open-sesame]}\n");
    with_config(
        "config-two-credentials",
        "prometheus: {bearer_token: open-sesame, bearer_token_file: token}\n",
    );
}

#[test]
fn a_query_of_a_metric_that_is_none_is_told_with_those_there_are() {
    let refused = Refused::new().file("mora.yaml", "prometheus: {queries: {cpus: off}}\n");
    let arguments = ["doctor", "--no-cluster", "--prometheus", URL, "--config", "mora.yaml"];
    assert_eq!(refused.is_told("config-no-metric", &arguments), 1);
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let refused = Refused::new();
    let arguments = ["recommend", "--config", "absent.yaml"];
    assert_eq!(refused.is_told("config-absent", &arguments), 1);
    let token = [&from_prometheus(URL)[..], &["--prometheus-token-file", "absent"]].concat();
    assert_eq!(refused.is_told("token-file-absent", &token), 1);
}

#[test]
fn the_file_of_the_user_is_read_where_none_is_named() {
    let refused = Refused::new().file(".config/mora/config.yaml", "lookback: 7\n");
    assert_eq!(refused.is_told("config-of-the-user", &["recommend"]), 1);
}

#[test]
fn a_variable_that_cannot_be_is_told_as_such() {
    let refused = Refused::new().variable("MORA__LOOKBACK_HOURS", "soon");
    assert_eq!(refused.is_told("variable-wrong-type", &["recommend"]), 1);
    let refused = Refused::new().variable("MORA__LOOKBACK", "7");
    assert_eq!(refused.is_told("variable-unknown", &["recommend"]), 1);
}

#[test]
fn a_check_tells_everything_at_once() {
    let text = "lookback: 7\nprometheus: {retries: -1, url: 7}\npolicy: {cap: 2, quantile: 99}\n";
    let refused = Refused::new().file("mora.yaml", text);
    assert_eq!(refused.is_told("check-many", &["config", "check", "mora.yaml"]), 1);
    let arguments = ["config", "check", "--for", "collector", "mora.yaml"];
    assert_eq!(refused.is_told("check-another-process", &arguments), 1);
}

#[test]
fn a_configuration_that_is_there_is_not_written_over() {
    let refused = Refused::new().file("mora.yaml", "lookback_hours: 7\n");
    assert_eq!(refused.is_told("init-over-a-file", &["config", "init", "--to", "mora.yaml"]), 1);
    let kept = std::fs::read_to_string(refused.path("mora.yaml")).unwrap();
    assert_eq!(kept, "lookback_hours: 7\n");
}
