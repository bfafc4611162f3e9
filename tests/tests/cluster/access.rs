//! What each ServiceAccount may do, asked of the real API.

use crate::bed::{Bed, said, tell};

const ACCOUNTS: [&str; 3] = ["mora-worker", "mora-collector", "mora-coordinator"];

/// Requests that must be refused, each as the account it is made as.
const REFUSED: [(&str, &[&str]); 8] = [
    ("mora-worker", &["-n", "mora", "get", "pods"]),
    ("mora-worker", &["-n", "mora", "get", "configmaps"]),
    ("mora-collector", &["-n", "hipster-shop", "get", "pods"]),
    ("mora-collector", &["get", "nodes"]),
    ("mora-collector", &["-n", "mora", "get", "secrets"]),
    ("mora-coordinator", &["-n", "mora", "get", "secrets"]),
    ("mora-coordinator", &["-n", "hipster-shop", "delete", "pods", "--all"]),
    ("mora-coordinator", &["-n", "mora", "scale", "deployment/mora-collector", "--replicas=0"]),
];

/// Asserts that the API refuses what no component needs, with a token of the account itself, and tells what each may do.
pub(crate) fn assert_least(bed: &Bed) {
    for account in ACCOUNTS {
        let identity = format!("system:serviceaccount:mora:{account}");
        for namespace in ["mora", "hipster-shop"] {
            let list = ["auth", "can-i", "--list", "-n", namespace, "--as", &identity];
            tell(&format!("{account} in {namespace} may:\n{}", bed.kubectl(&list)));
        }
    }
    for (account, request) in REFUSED {
        let token = bed.kubectl(&["-n", "mora", "create", "token", account]);
        // Without the administrator's certificate, which would be what the API looks at first.
        let server = bed.kubectl(&[
            "config",
            "view",
            "--raw",
            "-o",
            "jsonpath={.clusters[0].cluster.server}",
        ]);
        let as_it = [
            "--kubeconfig=/dev/null",
            "--insecure-skip-tls-verify",
            "--server",
            &server,
            "--token",
            token.trim(),
        ];
        let answer = bed.tried(&[&as_it[..], request].concat());
        let text = said(&answer);
        assert!(
            !answer.status.success() && text.contains("Forbidden"),
            "{account} {request:?}: {text}"
        );
    }
    bed.step(&format!("{} requests beyond their rights are refused", REFUSED.len()));
}
