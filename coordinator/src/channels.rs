//! Connections to workers, kept open for further calls.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use mora_runtime::{EndpointError, Security};
use tonic::transport::Channel;

use crate::fan_out::Endpoint;

/// A bounded number of open connections, one to each of some workers.
#[derive(Debug)]
pub(crate) struct Channels {
    security: Security,
    connect_timeout: Duration,
    most: usize,
    kept: Mutex<BTreeMap<Endpoint, Channel>>,
}

impl Channels {
    /// Keeps at most `most` connections, each given up when it takes longer than `connect_timeout` to make.
    pub(crate) fn new(security: Security, connect_timeout: Duration, most: usize) -> Self {
        Self { security, connect_timeout, most, kept: Mutex::default() }
    }

    /// The connection kept to `endpoint`, or a new one, kept where there is room.
    ///
    /// None makes room for another: every run asks all workers in turn, and then the one least lately used is the next
    /// to be asked. Fails when the text is no address.
    pub(crate) fn shared(&self, endpoint: &Endpoint) -> Result<Channel, EndpointError> {
        let mut kept = self.kept();
        if let Some(channel) = kept.get(endpoint) {
            return Ok(channel.clone());
        }
        let channel = self.apart(endpoint)?;
        if kept.len() < self.most {
            kept.insert(endpoint.clone(), channel.clone());
        }
        Ok(channel)
    }

    /// A new connection, which ends with its last call.
    ///
    /// Fails when the text is no address.
    pub(crate) fn apart(&self, endpoint: &Endpoint) -> Result<Channel, EndpointError> {
        self.security.channel(&endpoint.0, self.connect_timeout)
    }

    /// Lets the connection to `endpoint` go, which failed; the address may be gone for good.
    pub(crate) fn forget(&self, endpoint: &Endpoint) {
        self.kept().remove(endpoint);
    }

    /// The guard, also after a panic elsewhere: every change under it is complete in itself.
    fn kept(&self) -> MutexGuard<'_, BTreeMap<Endpoint, Channel>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(port: u16) -> Endpoint {
        Endpoint(format!("http://127.0.0.1:{port}"))
    }

    #[tokio::test]
    async fn no_more_connections_are_kept_than_there_is_room_for() {
        let channels = Channels::new(Security::default(), Duration::from_secs(1), 2);
        for port in 1..=5 {
            channels.shared(&endpoint(port)).unwrap();
        }
        channels.apart(&endpoint(6)).unwrap();
        assert_eq!(channels.kept().keys().collect::<Vec<_>>(), [&endpoint(1), &endpoint(2)]);
        channels.forget(&endpoint(1));
        channels.shared(&endpoint(7)).unwrap();
        assert_eq!(channels.kept().keys().collect::<Vec<_>>(), [&endpoint(2), &endpoint(7)]);
    }

    #[tokio::test]
    async fn what_is_no_address_is_refused() {
        let channels = Channels::new(Security::default(), Duration::from_secs(1), 2);
        let error = channels.shared(&Endpoint("no address".to_owned())).unwrap_err();
        assert!(error.to_string().contains("write http://host:port"));
    }
}
