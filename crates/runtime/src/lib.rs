//! What every MOrA process needs around its own work: layered configuration, logging, a gRPC
//! server with health and reflection, client channels, and a clean stop.

mod channel;
mod config;
mod crypto;
mod exit;
mod metrics;
mod server;
mod stop;
mod telemetry;
mod workers;

pub use channel::{EndpointError, channel};
pub use config::{ConfigError, load_config};
pub use crypto::install_crypto_provider;
pub use exit::{Exit, report, with_causes};
pub use metrics::serve_metrics;
pub use server::{GrpcServer, Readiness, ServeError};
pub use stop::{stop_signal, until_stopped};
pub use telemetry::init_telemetry;
pub use workers::{ServiceDiscovery, WorkerDiscovery, WorkerEndpoints};
