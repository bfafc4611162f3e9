//! Kubeconfigs that cannot be used.

use super::Refused;

/// Where nobody listens: a port that nothing may take.
const NOBODY: &str = "http://127.0.0.1:1";

/// With the address of a Prometheus none is looked for, which would be refused at the same time.
const SCAN: [&str; 3] = ["recommend", "--prometheus", NOBODY];

fn kubeconfig(server: &str, user: &str) -> String {
    format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
         clusters: [{{name: c, cluster: {{server: \"{server}\"}}}}]\n\
         users: [{{name: u, user: {user}}}]\n\
         contexts: [{{name: test, context: {{cluster: c, user: u}}}}]\n"
    )
}

fn with(text: &str) -> Refused {
    Refused::new().file("kube/config", text).variable("KUBECONFIG", "kube/config")
}

#[test]
fn without_a_cluster_and_a_prometheus_it_is_told_how_to_name_either() {
    assert_eq!(Refused::new().is_told("nothing-is-named", &["recommend"]), 1);
    assert_eq!(
        Refused::new().is_told("no-cluster-and-no-prometheus", &["recommend", "--no-cluster"]),
        1
    );
}

#[test]
fn a_kubeconfig_that_is_absent_broken_or_incomplete_is_told() {
    let absent = Refused::new().variable("KUBECONFIG", "absent/config");
    assert_eq!(absent.is_told("kubeconfig-absent", &["recommend", "--cluster"]), 1);
    assert_eq!(
        with("users: [{name: u, user: {token: open-sesame\n")
            .is_told("kubeconfig-no-yaml", &["recommend"]),
        1
    );
    let usual = with(&kubeconfig(NOBODY, "{}"));
    let unknown = ["recommend", "--context", "staging"];
    assert_eq!(usual.is_told("kubeconfig-unknown-context", &unknown), 1);
}

#[test]
fn credentials_that_cannot_be_had_are_told() {
    let plugin = "{exec: {apiVersion: client.authentication.k8s.io/v1, command: absent-login-plugin, interactiveMode: Never}}";
    let plugin = with(&kubeconfig("https://127.0.0.1:1", plugin));
    assert_eq!(plugin.is_told("kubeconfig-plugin-absent", &SCAN), 1);
    let token = with(&kubeconfig(NOBODY, "{token: \"open\\nsesame\"}"));
    assert_eq!(token.is_told("kubeconfig-token-with-a-line-break", &SCAN), 1);
    let file = with(&kubeconfig(NOBODY, "{tokenFile: absent-token}"));
    assert_eq!(file.is_told("kubeconfig-token-file-absent", &SCAN), 1);
    let certificate = "{client-certificate: absent.crt, client-key: absent.key}";
    let certificate = with(&kubeconfig("https://127.0.0.1:1", certificate));
    assert_eq!(certificate.is_told("kubeconfig-certificate-absent", &SCAN), 1);
}

#[test]
fn an_api_server_that_is_not_there_is_named() {
    let refused = with(&kubeconfig(NOBODY, "{}"));
    assert_eq!(refused.is_told("api-server-unreachable", &SCAN), 1);
}
