//! Client channels.

use std::time::Duration;

use thiserror::Error;
use tonic::transport::{Channel, Endpoint};

/// An address no channel can be made for.
#[derive(Debug, Error)]
#[error("`{endpoint}` is not a gRPC endpoint; write http://host:port")]
pub struct EndpointError {
    endpoint: String,
    #[source]
    source: tonic::transport::Error,
}

/// A channel to `endpoint` that connects on first use and reconnects by itself; connecting is given
/// up after `connect_timeout`.
///
/// Must be called within a tokio runtime. Fails when the text is not a URI.
pub fn channel(endpoint: &str, connect_timeout: Duration) -> Result<Channel, EndpointError> {
    let parsed = Endpoint::from_shared(endpoint.to_owned())
        .map_err(|source| EndpointError { endpoint: endpoint.to_owned(), source })?;
    Ok(parsed
        .connect_timeout(connect_timeout)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
        .connect_lazy())
}
