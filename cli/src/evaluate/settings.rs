//! What is evaluated: the command line over a file over defaults.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

/// Options of `mora evaluate run`.
#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// Folder for the results, models and figures; one that holds runs of the same evaluation is gone on with
    #[arg(long, value_name = "DIR", alias = "output")]
    pub(super) results: PathBuf,
    /// File with any of the settings below; options count more
    #[arg(long)]
    pub(super) config: Option<PathBuf>,
    /// Arms with commas between them, or all
    #[arg(long, value_name = "ARM", value_delimiter = ',')]
    pub(super) arms: Vec<String>,
    /// Scenarios with commas between them, or all; file:PATH takes the shape of the load from a file
    #[arg(long, value_name = "SCENARIO", value_delimiter = ',')]
    pub(super) scenarios: Vec<String>,
    /// Seeds, from 1 on; 5 when absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) seeds: Option<u32>,
    /// Factors on what arms ask for of CPU, with commas between them; 1 when absent
    #[arg(long, value_name = "FACTOR", value_delimiter = ',')]
    pub(super) margins: Vec<f64>,
    /// Days that are judged; as many as the scenario says when absent
    #[arg(long)]
    pub(super) days: Option<f64>,
    /// Days of history before them; 14 when absent
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=90))]
    pub(super) history_days: Option<u32>,
    /// Requests per second of users, averaged over a week; 30 when absent
    #[arg(long, value_name = "RATE")]
    pub(super) rate: Option<f64>,
    /// Application to simulate, as `mora evaluate calibrate` writes it; the Online Boutique when absent
    #[arg(long, value_name = "FILE")]
    pub(super) application: Option<PathBuf>,
    /// Runs at once; as many as there are processors when absent
    #[arg(long, value_name = "N", alias = "parallel")]
    pub(super) jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(super) cluster: ClusterArguments,
}
