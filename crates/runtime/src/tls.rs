//! TLS between components: both sides present a certificate of one authority and check the other's.

mod accept;
mod connect;
mod identity;
mod refusal;
#[cfg(test)]
mod tests;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tonic::transport::Channel;

use crate::channel::{self, EndpointError};
use crate::reloaded::{ReloadError, Reloaded};
use identity::Identity;

pub(crate) use accept::accepting;
pub use identity::IdentityError;
pub use refusal::{TlsFailure, call_failure, tls_failure};

/// How often the files are looked at, at most.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// The certificates of a process; see `docs/security.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsConfig {
    /// PEM file with its certificate, followed by those between it and the authority's.
    pub certificate: PathBuf,
    /// PEM file with the private key of that certificate.
    pub key: PathBuf,
    /// PEM file with the certificates of the authority that signs the other components'.
    pub authority: PathBuf,
    /// Where a server answers health checks in plain text, for a kubelet's probes; absent for nowhere.
    #[serde(default)]
    pub health_listen: Option<SocketAddr>,
}

/// Why TLS cannot be set up.
#[derive(Debug, Error)]
#[error("TLS cannot be set up; check the keys `tls.certificate`, `tls.key` and `tls.authority`")]
pub struct TlsError(#[source] TlsProblem);

#[derive(Debug, Error)]
#[error(transparent)]
struct TlsProblem(#[from] ReloadError<IdentityError>);

/// How a process speaks to others: in plain text, or with TLS and its own certificate on both sides of a connection.
///
/// Clones share what was read from the files, which are read again when they change: the next connection uses the new
/// certificate, open ones stay. The default is plain text.
#[derive(Clone, Default)]
pub struct Security(Option<Arc<Tls>>);

/// Certificates and where probes are answered.
pub(crate) struct Tls {
    files: Reloaded<Identity, IdentityError, 3>,
    health_listen: Option<SocketAddr>,
}

impl Security {
    /// Plain text where `config` is absent.
    ///
    /// Fails when a file cannot be read, is no PEM, or when certificate and key do not belong together.
    pub fn open(config: Option<&TlsConfig>) -> Result<Self, TlsError> {
        Self::looking_every(config, LOOK_EVERY)
    }

    /// As [`Security::open`], with the time between two looks at the files.
    pub(crate) fn looking_every(
        config: Option<&TlsConfig>,
        every: Duration,
    ) -> Result<Self, TlsError> {
        let Some(config) = config else { return Ok(Self::default()) };
        let paths = [config.certificate.clone(), config.key.clone(), config.authority.clone()];
        let files = Reloaded::open(paths, every, Identity::from_pem)
            .map_err(|error| TlsError(error.into()))?;
        Ok(Self(Some(Arc::new(Tls { files, health_listen: config.health_listen }))))
    }

    /// Whether TLS is on.
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.0.is_some()
    }

    /// How endpoints begin: `https` with TLS, else `http`.
    #[must_use]
    pub const fn scheme(&self) -> &'static str {
        if self.is_on() { "https" } else { "http" }
    }

    /// The endpoint at `address` (`ip:port` or `host:port`) of a server whose certificate says `name`.
    #[must_use]
    pub fn endpoint(&self, name: &str, address: impl fmt::Display) -> String {
        if self.is_on() { format!("https://{name}@{address}") } else { format!("http://{address}") }
    }

    /// A channel to `endpoint` that connects on first use and reconnects by itself; connecting is given up after
    /// `connect_timeout`.
    ///
    /// `endpoint` is `http://host:port`, with TLS `https://host:port`, or `https://name@address:port` where the server's
    /// certificate says `name`. Must be called within a tokio runtime. Fails when the text is no endpoint, or when its
    /// beginning does not go with how this process speaks.
    pub fn channel(
        &self,
        endpoint: &str,
        connect_timeout: Duration,
    ) -> Result<Channel, EndpointError> {
        match &self.0 {
            None => channel::plain(endpoint, connect_timeout),
            Some(tls) => connect::channel(tls.clone(), endpoint, connect_timeout),
        }
    }

    pub(crate) const fn tls(&self) -> Option<&Arc<Tls>> {
        self.0.as_ref()
    }
}

impl Tls {
    pub(crate) fn current(&self) -> Arc<Identity> {
        self.files.current()
    }

    pub(crate) const fn health_listen(&self) -> Option<SocketAddr> {
        self.health_listen
    }
}

impl fmt::Debug for Security {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            None => f.write_str("plain text"),
            Some(tls) => write!(f, "TLS by {}", tls.files.names()),
        }
    }
}
