//! What the cross-service tests stand on: real tools, real processes, and recorded data as a real
//! cluster's Prometheus would hold it.

mod api_server;
mod browser;
mod cluster_metrics;
mod complete;
mod dashboards;
mod fakes;
mod gateway;
mod meshed;
mod open_metrics;
mod process;
mod prometheus;
mod recording;
mod system;
pub mod tools;
mod watched;

pub use api_server::{ApiObjects, ApiServer};
pub use browser::{Browser, BrowserError, BrowserGuard};
pub use cluster_metrics::write_cluster_metrics;
pub use complete::{Complete, Told};
pub use dashboards::{Dashboard, DashboardError, DashboardQuery};
pub use fakes::{ApiFault, Host, WorkerFault};
pub use gateway::Gateway;
pub use meshed::{Mesh, Meshed, MeshedShop};
pub use open_metrics::{MetricKind, OpenMetricsWriter};
pub use process::{Process, ProcessError, free_port};
pub use prometheus::{
    Answered, Measured, Prometheus, PrometheusError, PrometheusServer, QueryError,
};
pub use recording::{BoutiqueDay, Origin, Recording, RecordingError, shared_data};
pub use system::{System, SystemError, long_histories, mora};
pub use watched::Watched;
