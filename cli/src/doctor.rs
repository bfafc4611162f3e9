//! `mora doctor`: whether a Prometheus has what MOrA needs.

mod table;

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;
use mora_collector::{Diagnosis, Lookback, PrometheusSource, State};
use mora_coordinator::Format;
use mora_core::Step;
use mora_runtime::Exit;

use crate::gather::{SourceArguments, layered};
use crate::progress::say;

/// Options of `mora doctor`.
#[derive(Debug, Args)]
pub(crate) struct DoctorArguments {
    #[command(flatten)]
    source: SourceArguments,
    /// Output format: table, json or yaml
    #[arg(long, short, default_value_t = Format::Table)]
    output: Format,
}

/// Runs the command; what was found goes to standard output.
pub(crate) async fn doctor(arguments: DoctorArguments) -> anyhow::Result<Exit> {
    let config = layered(&arguments.source)?.resolved().await?;
    let step = Step::from_seconds(config.step_seconds).unwrap_or(Step::MINUTE);
    let to = step.floor(config.now());
    let from = to - config.lookback();
    let source = PrometheusSource::new(config.prometheus.clone())?;
    say(&format!("looking at {} h of history up to {to}", config.lookback_hours));
    let diagnosis = source.diagnose(&Lookback { from, to, step }, Timestamp::now).await;
    print!("{}", written(&diagnosis, arguments.output)?);
    Ok(exit_of(diagnosis.worst()))
}

fn written(diagnosis: &Diagnosis, format: Format) -> anyhow::Result<String> {
    Ok(match format {
        Format::Table => table::table(diagnosis),
        Format::Json => {
            serde_json::to_string_pretty(diagnosis).context("it cannot be written as JSON")? + "\n"
        }
        Format::Yaml => {
            serde_saphyr::to_string(diagnosis).context("it cannot be written as YAML")?
        }
    })
}

/// What is lacking degrades recommendations as a missing forecast does; what is broken prevents them.
const fn exit_of(worst: State) -> Exit {
    match worst {
        State::Good => Exit::Success,
        State::Lacking => Exit::Degraded,
        State::Broken => Exit::Failure,
    }
}
