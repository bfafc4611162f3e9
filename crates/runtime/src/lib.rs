//! What every MOrA process needs around its own work: layered configuration, logging, a gRPC
//! server with health and reflection, client channels, and a clean stop.

mod access;
mod channel;
mod config;
mod crypto;
mod exit;
mod limits;
mod metrics;
mod reloaded;
mod server;
mod stop;
mod telemetry;
mod tls;
mod workers;

pub use access::{ApiConfig, ApiGuard, Token, TokenError};
pub use channel::EndpointError;
pub use config::{
    ConfigError, ConfigKey, KeyKind, Origin, Origins, config_keys, config_problems,
    default_config_file, hide_secrets, load_config, load_with_origins,
};
pub use crypto::install_crypto_provider;
pub use exit::{Exit, exit_codes, report, with_causes};
pub use limits::{OpenCall, ServerLimits};
pub use metrics::serve_metrics;
pub use server::{GrpcServer, Readiness, ServeError};
pub use stop::{stop_signal, until_stopped};
pub use telemetry::init_telemetry;
pub use tls::{
    IdentityError, Security, TlsConfig, TlsError, TlsFailure, call_failure, tls_failure,
};
pub use workers::{ServiceDiscovery, WorkerDiscovery, WorkerEndpoints};
