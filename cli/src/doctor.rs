//! `mora doctor`: whether the cluster and its Prometheus have what MOrA needs.

mod cluster;
mod table;

use anyhow::Context;
use clap::Args;
use jiff::Timestamp;
use mora_collector::{Diagnosis, Finding, Lookback, State};
use mora_coordinator::Format;
use mora_core::Step;
use mora_runtime::Exit;

use crate::failure::with_own_keys;
use crate::gather::{AUTO, RecommendConfig, SourceArguments, layered};
use crate::progress::say;
use crate::stdout::print;

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
    let config = layered(&arguments.source)?;
    anyhow::ensure!(
        config.contexts.len() < 2,
        "this command looks at one cluster at a time; give one --context"
    );
    if !config.prometheus.url.is_empty() && config.prometheus.url != AUTO {
        config.prometheus.check()?;
    }
    let diagnosis = diagnosis(&config).await;
    print(&written(&diagnosis, arguments.output)?)?;
    Ok(exit_of(diagnosis.worst()))
}

/// Everything that is found, in the order in which things depend on one another.
async fn diagnosis(config: &RecommendConfig) -> Diagnosis {
    let mut findings = cluster::findings(config).await;
    let broken = |findings: &[Finding]| findings.iter().any(|f| f.state == State::Broken);
    let found = match cluster::located(config).await {
        // What is broken already says why.
        Err(_) if broken(&findings) => None,
        Err(finding) => {
            findings.push(finding);
            None
        }
        Ok((prometheus, finding)) => {
            findings.extend(finding);
            Some(prometheus)
        }
    };
    let Some(prometheus) = found else {
        return Diagnosis { prometheus: "no Prometheus was found".to_owned(), findings };
    };
    let step = Step::from_seconds(config.step_seconds).unwrap_or(Step::MINUTE);
    let to = step.floor(config.now());
    let lookback = Lookback { from: to - config.lookback(), to, step };
    say(&format!("looking at {} h of history up to {to}", config.lookback_hours));
    let mut diagnosis = prometheus.diagnose(&lookback, Timestamp::now).await;
    diagnosis.findings.splice(..0, findings);
    for finding in &mut diagnosis.findings {
        finding.fix = finding.fix.as_deref().map(with_own_keys);
    }
    diagnosis
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
