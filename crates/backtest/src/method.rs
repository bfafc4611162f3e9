//! The methods that are compared.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A way to set the requests of the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Method {
    /// Perfect knowledge.
    Oracle,
    /// One season ago.
    SeasonalNaive,
    /// One season ago, with the quantiles of its errors.
    SeasonalNaiveResidual,
    /// The rule of Robusta KRR.
    Krr,
    /// The rule of the Vertical Pod Autoscaler's recommender.
    Vpa,
    /// A high percentile.
    P99,
    /// The largest sample.
    Maximum,
    /// The largest sample of each hour.
    HourOfDayMaximum,
    /// Exponential smoothing.
    HoltWinters,
    /// A member of MOrA alone.
    HourOfWeek,
    /// A member of MOrA alone.
    Prophet,
    /// A member of MOrA alone.
    Lstm,
    /// The ensemble.
    Mora,
    /// The ensemble, one request a day.
    MoraStatic,
    /// The ensemble without a member.
    MoraNoLstm,
    /// The ensemble without a member.
    MoraNoProphet,
    /// The ensemble as its members say.
    MoraNoCalibration,
}

/// A name that is no [`Method`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{name}` is not a method; use all or some of {}", names())]
pub struct UnknownMethod {
    name: String,
}

impl Method {
    /// All methods, in the order they are reported.
    pub const ALL: [Self; 17] = [
        Self::Oracle,
        Self::SeasonalNaive,
        Self::SeasonalNaiveResidual,
        Self::Krr,
        Self::Vpa,
        Self::P99,
        Self::Maximum,
        Self::HourOfDayMaximum,
        Self::HoltWinters,
        Self::HourOfWeek,
        Self::Prophet,
        Self::Lstm,
        Self::Mora,
        Self::MoraStatic,
        Self::MoraNoLstm,
        Self::MoraNoProphet,
        Self::MoraNoCalibration,
    ];

    /// The method others are compared with; it is always among those that run.
    pub const REFERENCE: Self = Self::SeasonalNaive;

    /// Its name in flags, files and reports.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Oracle => "oracle",
            Self::SeasonalNaive => "seasonal-naive",
            Self::SeasonalNaiveResidual => "seasonal-naive-residual",
            Self::Krr => "krr",
            Self::Vpa => "vpa",
            Self::P99 => "p99",
            Self::Maximum => "maximum",
            Self::HourOfDayMaximum => "hour-of-day-maximum",
            Self::HoltWinters => "holt-winters",
            Self::HourOfWeek => "hour-of-week",
            Self::Prophet => "prophet",
            Self::Lstm => "lstm",
            Self::Mora => "mora",
            Self::MoraStatic => "mora-static",
            Self::MoraNoLstm => "mora-no-lstm",
            Self::MoraNoProphet => "mora-no-prophet",
            Self::MoraNoCalibration => "mora-no-calibration",
        }
    }

    /// What it requests, and whose rule it is.
    #[must_use]
    pub const fn about(self) -> &'static str {
        match self {
            Self::Oracle => {
                "the largest sample of each slot of the judged day itself: the least cost any schedule of slots can reach"
            }
            Self::SeasonalNaive => {
                "the largest sample of the slot one day or one week ago, whichever was closer over the history (Hyndman and Athanasopoulos, Forecasting, 5.2)"
            }
            Self::SeasonalNaiveResidual => {
                "one season ago plus the quantiles of its errors over the history; requests 0.95"
            }
            Self::Krr => {
                "the 95th percentile of the history's samples, for the whole day (Robusta KRR, strategy simple)"
            }
            Self::Vpa => {
                "the 90th percentile of a histogram with 5 % buckets and a half-life of 24 h, plus 15 %, for the whole day (Vertical Pod Autoscaler, CPU rule of the recommender)"
            }
            Self::P99 => "the 99th percentile of the history's samples, for the whole day",
            Self::Maximum => "the largest sample of the history, for the whole day",
            Self::HourOfDayMaximum => {
                "the largest sample of the slot's time of day over the last 7 days"
            }
            Self::HoltWinters => {
                "additive Holt-Winters with a damped trend, plus the quantiles of its day-ahead errors over the history; requests 0.95 (Holt 1957, Winters 1960)"
            }
            Self::HourOfWeek => "MOrA's seasonal quantiles alone; requests 0.95",
            Self::Prophet => "MOrA's Prophet alone; requests 0.95 (Taylor and Letham 2018)",
            Self::Lstm => "MOrA's LSTM alone; requests 0.95",
            Self::Mora => {
                "MOrA: requests of least cost at a price of risk, quantiles of the calibrated ensemble"
            }
            Self::MoraStatic => "the largest request of MOrA's day, for the whole day",
            Self::MoraNoLstm => "MOrA without the LSTM",
            Self::MoraNoProphet => "MOrA without Prophet",
            Self::MoraNoCalibration => "MOrA without the calibration of its upper quantiles",
        }
    }

    /// The method its answers are made from, where they need no computation of their own.
    pub(crate) const fn base(self) -> Self {
        match self {
            Self::MoraStatic => Self::Mora,
            other => other,
        }
    }

    /// The methods a comma-separated list names, each once and in the order of reports, with the reference;
    /// `all` names every one.
    ///
    /// Fails at the first name that is none.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, UnknownMethod> {
        let mut wanted = vec![Self::REFERENCE];
        for name in text.split(',').map(str::trim) {
            if name == "all" {
                wanted.extend(Self::ALL);
            } else {
                wanted.push(name.parse()?);
            }
        }
        wanted.sort_unstable();
        wanted.dedup();
        Ok(wanted)
    }
}

fn names() -> String {
    Method::ALL.map(Method::as_str).join(", ")
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(text: &str) -> Result<Self, UnknownMethod> {
        let found = Self::ALL.into_iter().find(|method| method.as_str() == text);
        found.ok_or_else(|| UnknownMethod { name: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_read_in_order_without_repeats_and_with_the_reference() {
        let methods = Method::parse_list("mora, krr,mora").unwrap();
        assert_eq!(methods, [Method::SeasonalNaive, Method::Krr, Method::Mora]);
        assert_eq!(Method::parse_list("all").unwrap(), Method::ALL);
        let message = Method::parse_list("krr,p95").unwrap_err().to_string();
        assert!(message.contains("`p95`") && message.contains("hour-of-day-maximum"), "{message}");
    }

    #[test]
    fn names_in_files_are_those_of_flags() {
        for method in Method::ALL {
            assert_eq!(serde_json::to_string(&method).unwrap(), format!("\"{method}\""));
        }
    }
}
