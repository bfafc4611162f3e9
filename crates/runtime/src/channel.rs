//! Client channels.

use std::time::Duration;

use thiserror::Error;
use tonic::transport::{Channel, Endpoint};

/// An address no channel can be made for.
#[derive(Debug, Error)]
pub enum EndpointError {
    /// It is no address of a gRPC server.
    #[error("`{endpoint}` is not a gRPC endpoint; write {begin}://host:port")]
    NoEndpoint {
        /// The text.
        endpoint: String,
        /// What endpoints begin with in this process.
        begin: &'static str,
    },
    /// It asks for TLS, which this process does not speak.
    #[error(
        "`{endpoint}` asks for TLS, but no certificates are configured here; set `tls` (certificate, key, authority), or write http://"
    )]
    Tls {
        /// The address.
        endpoint: String,
    },
    /// It asks for plain text, but this process speaks TLS.
    #[error(
        "`{endpoint}` asks for plain text, but TLS is configured here; write https://, or remove the block `tls`"
    )]
    PlainText {
        /// The address.
        endpoint: String,
    },
    /// No certificate can say the name of its server.
    #[error(
        "`{name}` in `{endpoint}` is no name a certificate can have; write a DNS name or an IP address"
    )]
    Name {
        /// The address.
        endpoint: String,
        /// The name.
        name: String,
    },
}

/// A channel to `endpoint` in plain text that connects on first use and reconnects by itself; connecting is given
/// up after `connect_timeout`.
///
/// Must be called within a tokio runtime. Fails when the text is no URI, and when it asks for TLS.
pub(crate) fn plain(endpoint: &str, connect_timeout: Duration) -> Result<Channel, EndpointError> {
    let no_endpoint =
        |_| EndpointError::NoEndpoint { endpoint: endpoint.to_owned(), begin: "http" };
    let parsed = Endpoint::from_shared(endpoint.to_owned()).map_err(no_endpoint)?;
    if parsed.uri().scheme_str() == Some("https") {
        return Err(EndpointError::Tls { endpoint: endpoint.to_owned() });
    }
    Ok(kept_alive(parsed, connect_timeout).connect_lazy())
}

/// The settings that all connections have.
pub(crate) fn kept_alive(endpoint: Endpoint, connect_timeout: Duration) -> Endpoint {
    endpoint
        .connect_timeout(connect_timeout)
        .http2_keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10))
}
