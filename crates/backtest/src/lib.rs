//! Judges request methods on recorded series, day by day, as if each day had not come yet.
//!
//! A [`Recording`] becomes a [`Trial`]: its origins, and the days they are judged on. [`run()`] asks
//! every [`Method`] for the requests of each of these days, and [`judge()`] holds the answers against
//! what was used. Scores are pure functions of the recordings, the methods' answers and the options;
//! only the times a method took differ between two runs.

mod answer;
mod calibrate;
mod histogram;
mod ledger;
mod maxima;
mod method;
mod methods;
mod mora;
mod options;
mod recording;
mod report;
mod run;
mod score;
mod trial;

pub use mora_forecast::{Holiday, HolidayError};

pub use answer::{Answer, Cell, LEVELS, StoodIn};
pub use histogram::Histogram;
pub use ledger::{Ledger, LedgerError};
pub use method::{Method, UnknownMethod};
pub use options::{Options, OptionsError};
pub use recording::{Observations, Recording, ResampleError};
pub use report::{
    AtMargin, MethodReport, Relative, Report, SCHEMA, SeriesMethod, SeriesReport, SetReport,
    Skipped, judge,
};
pub use run::{Cells, run};
pub use score::{Quantiles, Requests};
pub use trial::{Trial, Unsuitable};
