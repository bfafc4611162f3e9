//! How to reach Prometheus and what to ask it.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use mora_discovery::PrometheusTunnel;
use serde::{Deserialize, Serialize};

use super::api::without_credentials;
use super::error::PrometheusError;
use super::queries::QuerySetting;
use super::traffic_metric::TrafficMetric;

/// A Prometheus and what to ask it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PrometheusConfig {
    /// Address; must be set; with the path prefix where there is one, as in `https://example.org/prometheus`. `auto`
    /// stands for the best that the labels of Services tell of, see [`PrometheusConfig::located`].
    pub url: String,
    /// Namespaces to collect; at least one.
    pub namespaces: Vec<String>,
    /// Bearer token.
    pub bearer_token: Option<Secret>,
    /// File with a bearer token; read again at every collection, because tokens are rotated.
    pub bearer_token_file: Option<PathBuf>,
    /// User name and password.
    pub basic_auth: Option<BasicAuth>,
    /// More headers, as in `X-Scope-OrgID` for a tenant.
    pub headers: BTreeMap<String, Secret>,
    /// PEM file with the certificate authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Longest time for one query, in seconds.
    pub timeout_seconds: u64,
    /// Steps asked for in one query, at least 1; Prometheus refuses more than 11,000.
    pub max_points_per_query: usize,
    /// Of the time, the share in which a query may be running, above 0 and at most 1; one runs at a time.
    pub busy_share: f64,
    /// How often a query is tried again after a failure that may pass.
    pub retries: u32,
    /// Pause before the first of these, in milliseconds; it doubles each time, up to 30 s.
    pub retry_pause_milliseconds: u64,
    /// Longest time between two scrapes of a container, in seconds; CPU is averaged over five of them.
    pub scrape_interval_seconds: u32,
    /// Metrics of requests; of those that are there, the one that stands first counts.
    pub traffic: Vec<TrafficMetric>,
    /// Queries instead of those of the catalogue, by the metric's name there.
    pub queries: BTreeMap<String, QuerySetting>,
    /// What keeps the way open that `url` leads along, where that was found.
    #[serde(skip)]
    pub tunnel: Option<Arc<PrometheusTunnel>>,
}

/// User name and password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BasicAuth {
    /// User name.
    pub username: String,
    /// File with the password.
    pub password_file: PathBuf,
}

impl Default for PrometheusConfig {
    fn default() -> Self {
        Self {
            url: String::new(),
            namespaces: Vec::new(),
            bearer_token: None,
            bearer_token_file: None,
            basic_auth: None,
            headers: BTreeMap::new(),
            ca_file: None,
            timeout_seconds: 60,
            max_points_per_query: 11_000,
            busy_share: 0.5,
            retries: 4,
            retry_pause_milliseconds: 500,
            scrape_interval_seconds: 60,
            traffic: TrafficMetric::BUILT_IN.to_vec(),
            queries: BTreeMap::new(),
            tunnel: None,
        }
    }
}

/// The address that stands for one to be found.
const AUTO: &str = "auto";

impl PrometheusConfig {
    /// The same with the way to the Prometheus found by the labels of the Services of the cluster, where the address is `auto`;
    /// it is open as long as the configuration or a copy of it is there.
    ///
    /// `context` is that of a kubeconfig; in a pod none is needed. Fails when none is found that answers.
    pub async fn located(self, context: Option<&str>) -> Result<Self, PrometheusError> {
        if self.url != AUTO {
            return Ok(self);
        }
        mora_runtime::install_crypto_provider();
        let tunnel = PrometheusTunnel::open(context).await?;
        Ok(Self { url: tunnel.url().to_owned(), tunnel: Some(Arc::new(tunnel)), ..self })
    }

    /// The address as it may be shown: without credentials, and of a way that was found where it leads instead.
    #[must_use]
    pub fn shown(&self) -> String {
        match &self.tunnel {
            Some(tunnel) => tunnel.shown().to_owned(),
            None => without_credentials(&self.url),
        }
    }
}

/// Whom it asks for what; neither credentials nor headers.
impl fmt::Debug for PrometheusConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrometheusConfig")
            .field("url", &self.shown())
            .field("namespaces", &self.namespaces)
            .finish_non_exhaustive()
    }
}

/// A text that is not shown in logs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// The secret `text`.
    #[must_use]
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}
