//! What Prometheus says of itself and of the names it holds, beside the answers to queries.

use jiff::Timestamp;
use mora_runtime::with_causes;
use reqwest::{Client, Url};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::super::answer;
use super::{PrometheusConfig, PrometheusError, StatusCode, base_url, builder};

/// A connection for questions that are not queries; each is asked once.
#[derive(Clone)]
pub(in super::super) struct Metadata {
    client: Client,
    base: Url,
    /// The address as it may be shown.
    shown: String,
}

/// What answers, as far as it tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub(in super::super) struct BuildInfo {
    /// Its version, as in `2.53.0`.
    pub(in super::super) version: String,
    /// Its name, where it is not Prometheus, as Mimir says.
    pub(in super::super) application: String,
}

#[derive(Deserialize)]
struct Scalar {
    result: (f64, String),
}

#[derive(Deserialize)]
struct Envelope<T> {
    status: String,
    data: Option<T>,
}

impl Metadata {
    /// Reads credentials and certificates; asks nothing yet.
    pub(in super::super) fn connect(config: &PrometheusConfig) -> Result<Self, PrometheusError> {
        mora_runtime::install_crypto_provider();
        let base = base_url(&config.url)?;
        let client = builder(config, &base)?.build().map_err(|error| PrometheusError::Setting {
            key: "source.prometheus".to_owned(),
            problem: with_causes(&error),
        })?;
        Ok(Self { client, base, shown: config.shown() })
    }

    /// The names of the metrics that match `selector` and had a sample between `from` and `to`; the index decides, so
    /// some may have had theirs shortly outside.
    pub(in super::super) async fn names(
        &self,
        selector: &str,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<String>, PrometheusError> {
        let (start, end) = (from.as_second().to_string(), to.as_second().to_string());
        let parameters = [("match[]", selector), ("start", &start), ("end", &end)];
        self.get("/api/v1/label/__name__/values", &parameters).await
    }

    /// What answers; fails where it does not say.
    pub(in super::super) async fn build_info(&self) -> Result<BuildInfo, PrometheusError> {
        self.get("/api/v1/status/buildinfo", &[]).await
    }

    /// The time on its clock, in seconds since the Unix epoch.
    pub(in super::super) async fn time(&self) -> Result<f64, PrometheusError> {
        let scalar: Scalar = self.get("/api/v1/query", &[("query", "time()")]).await?;
        scalar.result.1.parse().map_err(|_| PrometheusError::NotPrometheus {
            url: self.shown.clone(),
            problem: format!("it is `{}` there when it is asked for the time", scalar.result.1),
        })
    }

    async fn get<T: DeserializeOwned>(
        &self,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> Result<T, PrometheusError> {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.base.path().trim_end_matches('/')));
        if !parameters.is_empty() {
            url.query_pairs_mut().extend_pairs(parameters);
        }
        let unreachable =
            |error: reqwest::Error| PrometheusError::no_connection(self.shown.clone(), 1, &error);
        let response = self.client.get(url).send().await.map_err(unreachable)?;
        let status = response.status();
        let body = response.bytes().await.map_err(unreachable)?;
        self.read(path, status, &body)
    }

    fn read<T: DeserializeOwned>(
        &self,
        path: &str,
        status: StatusCode,
        body: &[u8],
    ) -> Result<T, PrometheusError> {
        let url = self.shown.clone();
        match status {
            StatusCode::UNAUTHORIZED => return Err(PrometheusError::Unauthorized { url }),
            StatusCode::FORBIDDEN => return Err(PrometheusError::Forbidden { url }),
            status if !status.is_success() => {
                let said = answer::error_message(body).unwrap_or_default();
                let problem = format!("{path} was answered with status {status} {said}");
                return Err(PrometheusError::NotPrometheus { url, problem });
            }
            _ => {}
        }
        let not = |problem: String| PrometheusError::NotPrometheus { url: url.clone(), problem };
        let envelope: Envelope<T> = serde_json::from_slice(body)
            .map_err(|error| not(format!("{path} was answered with something else: {error}")))?;
        match envelope.data {
            Some(data) if envelope.status == "success" => Ok(data),
            _ => Err(not(format!("{path} was answered with the status `{}`", envelope.status))),
        }
    }
}
