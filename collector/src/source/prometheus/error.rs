//! Why Prometheus cannot be used.

use std::path::PathBuf;

use mora_core::WorkloadError;
use mora_discovery::PrometheusDiscoveryError;
use thiserror::Error;

/// Why Prometheus cannot be used.
#[derive(Debug, Error)]
pub enum PrometheusError {
    /// No address is configured.
    #[error("no Prometheus is named; set source.prometheus.url")]
    NoUrl,
    /// No namespace is configured.
    #[error("no namespace to collect; list at least one in source.prometheus.namespaces")]
    NoNamespaces,
    /// A namespace is no Kubernetes name.
    #[error("source.prometheus.namespaces holds what cannot be a namespace")]
    Namespace(#[source] WorkloadError),
    /// None was found in the cluster.
    #[error("source.prometheus.url is `auto`, but no Prometheus can be used that way")]
    NotFound(#[from] PrometheusDiscoveryError),
    /// The address cannot be used.
    #[error("`{url}` is no address of a Prometheus: {problem}; mend source.prometheus.url")]
    Url {
        /// The address.
        url: String,
        /// What is wrong.
        problem: String,
    },
    /// More than one way to log in.
    #[error(
        "source.prometheus names more than one of bearer_token, bearer_token_file and basic_auth; keep one"
    )]
    SeveralCredentials,
    /// A file with credentials or certificates cannot be read.
    #[error("cannot read {}; check {key}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// The configuration key that names it.
        key: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Certificates, credentials or headers cannot be used.
    #[error("{key} cannot be used: {problem}")]
    Setting {
        /// The configuration key.
        key: String,
        /// What is wrong.
        problem: String,
    },
    /// A query of the user's own cannot be used.
    #[error("source.prometheus.queries.{name} cannot be used: {problem}")]
    Query {
        /// The metric.
        name: String,
        /// What is wrong and what can be done.
        problem: String,
    },
    /// 401.
    #[error(
        "{url} wants to know who asks (401); set source.prometheus.bearer_token_file or source.prometheus.basic_auth, or renew what is set"
    )]
    Unauthorized {
        /// The address.
        url: String,
    },
    /// 403.
    #[error(
        "{url} does not let this account read metrics (403); grant it, or set the tenant header in source.prometheus.headers"
    )]
    Forbidden {
        /// The address.
        url: String,
    },
    /// No connection after all attempts.
    #[error(
        "{url} cannot be reached after {}; check that it runs, and source.prometheus.url (in a cluster http://<service>.<namespace>:9090, else a kubectl port-forward)", tries(*.attempts)
    )]
    Unreachable {
        /// The address.
        url: String,
        /// Attempts made.
        attempts: u32,
        /// The last failure.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Its certificate is not trusted.
    #[error(
        "the certificate of {url} is not trusted, so nothing was asked; name the authority it is from with source.prometheus.ca_file, or have it renewed"
    )]
    Untrusted {
        /// The address.
        url: String,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// 429 or 5xx after all attempts.
    #[error(
        "{url} is overloaded or broken: status {status} after {}{detail}; look at its log, or lower source.prometheus.max_points_per_query or lookback_hours", tries(*.attempts)
    )]
    Unavailable {
        /// The address.
        url: String,
        /// The last status.
        status: u16,
        /// Attempts made.
        attempts: u32,
        /// What it said, with a separator in front; or nothing.
        detail: String,
    },
    /// Prometheus understood and refused.
    #[error(
        "Prometheus refused `{query}` (status {status}){detail}; if it is a limit, lower source.prometheus.max_points_per_query or lookback_hours"
    )]
    Refused {
        /// The query.
        query: String,
        /// The status.
        status: u16,
        /// What it said, with a separator in front; or nothing.
        detail: String,
    },
    /// Something else answered.
    #[error(
        "{url} does not answer as Prometheus does: {problem}; check the path in source.prometheus.url, and whether a login page stands before it"
    )]
    NotPrometheus {
        /// The address.
        url: String,
        /// What came instead.
        problem: String,
    },
}

/// What the client of Prometheus says of what its source tells in full.
const NOT_SENT: &str = "failed to send request to server";
/// How rustls says that it does not trust a certificate.
const UNTRUSTED: &str = "invalid peer certificate";

impl PrometheusError {
    /// That there was no connection to `url`.
    pub(super) fn no_connection(
        url: String,
        attempts: u32,
        error: &(dyn std::error::Error + 'static),
    ) -> Self {
        // One of the two ways to ask has a layer more.
        let layer = error.source().filter(|_| error.to_string() == NOT_SENT);
        let source = Told::from(layer.unwrap_or(error));
        if std::iter::successors(Some(&source), |told| told.source.as_deref())
            .any(|told| told.text.contains(UNTRUSTED))
        {
            return Self::Untrusted { url, source: Box::new(source) };
        }
        Self::Unreachable { url, attempts, source: Box::new(source) }
    }
}

/// An error and its causes without addresses, which hold all that was asked and may hold credentials.
#[derive(Debug, Error)]
#[error("{text}")]
struct Told {
    text: String,
    source: Option<Box<Told>>,
}

impl From<&(dyn std::error::Error + 'static)> for Told {
    fn from(error: &(dyn std::error::Error + 'static)) -> Self {
        let text = error.to_string();
        let text = text.split(" for url (").next().unwrap_or(&text).to_owned();
        Self { text, source: error.source().map(|source| Box::new(Self::from(source))) }
    }
}

fn tries(attempts: u32) -> String {
    if attempts == 1 { "1 attempt".to_owned() } else { format!("{attempts} attempts") }
}
