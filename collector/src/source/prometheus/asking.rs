//! Asking about one namespace over one lookback.

use super::answer::Labelled;
use super::api::Api;
use super::assemble::Assembly;
use super::error::PrometheusError;
use super::queries::Questions;
use crate::Lookback;

/// Whom to ask about what.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    pub(super) api: &'a Api,
    pub(super) lookback: &'a Lookback,
    pub(super) questions: Questions<'a>,
}

impl Asking<'_> {
    /// The answers about `metric` of the catalogue; none where it is off or absent.
    pub(super) async fn range(self, metric: &str) -> Result<Vec<Labelled>, PrometheusError> {
        match self.questions.of(metric) {
            Some(promql) => self.api.range(&promql, self.lookback).await,
            None => Ok(Vec::new()),
        }
    }

    /// Adds the out-of-memory kills; without kube-state-metrics there are none.
    pub(super) async fn add_oom_kills(
        self,
        assembly: &mut Assembly<'_>,
    ) -> Result<(), PrometheusError> {
        let times = self.range("oom_kills").await?;
        if !times.is_empty() {
            assembly.add_oom_kills(&times, &self.range("oom_limits").await?);
        }
        Ok(())
    }

    /// Adds how far CPU limits held containers back; where none has one there is nothing to ask further.
    pub(super) async fn add_throttling(
        self,
        assembly: &mut Assembly<'_>,
    ) -> Result<(), PrometheusError> {
        let periods = self.range("cpu_periods").await?;
        if !periods.is_empty() {
            assembly.add_throttling(periods, self.range("throttled_periods").await?);
        }
        Ok(())
    }
}
