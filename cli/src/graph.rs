//! `mora graph`: who calls whom, and how often, as far as that is known.

mod dot;
mod layout;
mod mermaid;
mod svg;
mod table;
mod view;

use std::collections::BTreeMap;
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};
use jiff::Timestamp;
use mora_coordinator::read_call_graph;
use mora_core::{CallGraph, WorkloadRef};
use mora_kubernetes::Cluster;
use mora_planning::{assemble_graph, declared_by_hosts};
use mora_runtime::Exit;

use self::view::View;
use crate::gather::{RecommendConfig, SourceArguments, collect, layered};
use crate::progress::say;
use crate::stdout::print;

/// How the graph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum GraphFormat {
    /// For a terminal
    Table,
    /// For programs
    Json,
    /// For Graphviz
    Dot,
    /// For Markdown that renders Mermaid
    Mermaid,
    /// A picture
    Svg,
}

/// Options of `mora graph`.
#[derive(Debug, Args)]
pub(crate) struct GraphArguments {
    #[command(flatten)]
    source: SourceArguments,
    /// YAML file of calls: alone, or over what Prometheus and the cluster show
    #[arg(long)]
    call_graph: Option<PathBuf>,
    /// Output format
    #[arg(long, short, value_enum, default_value_t = GraphFormat::Table)]
    output: GraphFormat,
}

/// Runs the command; the graph goes to standard output, warnings to standard error.
pub(crate) async fn graph(arguments: GraphArguments) -> anyhow::Result<Exit> {
    let mut config = layered(&arguments.source)?;
    config.call_graph = arguments.call_graph.or(config.call_graph.take());
    let now = config.now();
    let view = gather(config, now).await?;
    view.warnings.iter().for_each(|warning| say(warning));
    print(&written(&view, arguments.output)?)?;
    Ok(Exit::Success)
}

async fn gather(config: RecommendConfig, now: Timestamp) -> anyhow::Result<View> {
    let file = match config.call_graph.clone() {
        Some(path) => read_call_graph(path)?,
        None => CallGraph::default(),
    };
    if config.call_graph.is_some() && config.prometheus.url.is_empty() && !config.cluster.kubernetes
    {
        return Ok(View::new(&file, &BTreeMap::new()));
    }
    let config = config.resolved().await?;
    let datasets = collect(&config, now).await?;
    let declared = if config.cluster.kubernetes {
        declared_by_cluster(&config).await?
    } else {
        CallGraph::default()
    };
    Ok(View::new(&assemble_graph(&datasets, &declared, &file), &datasets))
}

/// The calls that the addresses in the workloads' environment declare.
async fn declared_by_cluster(config: &RecommendConfig) -> anyhow::Result<CallGraph> {
    let cluster = Cluster::connect(config.cluster.context.as_deref()).await?;
    let observed = cluster.workloads(&config.prometheus.namespaces).await?;
    let hosts: BTreeMap<WorkloadRef, Vec<String>> =
        observed.into_iter().map(|w| (w.workload, w.callee_hosts)).collect();
    Ok(declared_by_hosts(&hosts))
}

fn written(view: &View, format: GraphFormat) -> anyhow::Result<String> {
    Ok(match format {
        GraphFormat::Table => table::table(view),
        GraphFormat::Json => {
            serde_json::to_string_pretty(view).context("the graph cannot be written as JSON")?
                + "\n"
        }
        GraphFormat::Dot => dot::dot(view),
        GraphFormat::Mermaid => mermaid::mermaid(view),
        GraphFormat::Svg => svg::svg(view),
    })
}
