//! Asking a Prometheus whatever one likes.

use jiff::Timestamp;
use mora_core::Step;

use super::answer::{Labelled, Labels};
use super::api::{Api, without_credentials};
use super::config::PrometheusConfig;
use super::error::PrometheusError;

/// A connection to one Prometheus that can be asked several questions at the same time.
///
/// A question that fails in a way that may pass is asked again. Whoever waits for the answers wants them soon, so it does not
/// rest between questions: how many are open at a time is the caller's to bound.
pub struct PrometheusApi {
    api: Api,
    url: String,
}

impl std::fmt::Debug for PrometheusApi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PrometheusApi").field("url", &self.url).finish_non_exhaustive()
    }
}

impl PrometheusApi {
    /// Reads the credentials and certificates that `config` names; asks nothing yet.
    ///
    /// Fails when the configuration cannot be used.
    pub fn connect(config: &PrometheusConfig) -> Result<Self, PrometheusError> {
        let config = PrometheusConfig { busy_share: 1.0, ..config.clone() };
        Ok(Self { api: Api::connect(&config)?, url: without_credentials(&config.url) })
    }

    /// The elements of `promql` at `time`, in whole seconds, each with one sample.
    ///
    /// Fails when Prometheus cannot be reached, refuses, or answers with something else.
    pub async fn instant(
        &self,
        promql: &str,
        time: Timestamp,
    ) -> Result<Vec<Labelled>, PrometheusError> {
        self.api.instant(promql, time).await
    }

    /// The series of `promql` every `step` from `start` to `end`, in whole seconds, both included; in as many parts as
    /// `max_points_per_query` asks for.
    ///
    /// Fails as [`PrometheusApi::instant`] does.
    pub async fn range(
        &self,
        promql: &str,
        start: Timestamp,
        end: Timestamp,
        step: Step,
    ) -> Result<Vec<Labelled>, PrometheusError> {
        self.api.range_between(promql, (start.as_second(), end.as_second()), step).await
    }

    /// The labels of the series that one of `selectors` matches and that may have had a sample between `from` and `to`: no
    /// sample is read.
    ///
    /// Fails as [`PrometheusApi::instant`] does.
    pub async fn series(
        &self,
        selectors: &[String],
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Labels>, PrometheusError> {
        self.api.series(selectors, from, to).await
    }

    /// Requests made so far, parts and repetitions counted.
    #[must_use]
    pub fn queries_asked(&self) -> u64 {
        self.api.asked()
    }

    /// Its address, without credentials.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}
