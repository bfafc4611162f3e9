//! What a run on a real cluster recorded, in the terms of the simulated one: by minutes of a day that passed faster.
//!
//! Rates, CPU and memory are what they were; only time is stretched back. What is sampled more seldom than a minute of the day
//! takes, such as CPU, is known only as a mean over that longer time ([`Track`]).

mod clock;
mod datasets;
mod holding;
mod load_schedule;
mod run;
mod track;
mod view;

pub use clock::{Clock, ClockError};
pub use holding::{Held, Holding};
pub use load_schedule::load_schedule;
pub use run::{MeasuredRun, Page};
pub use track::{Track, WorkloadTracks};
pub use view::{ContainerOf, MeasuredView};
