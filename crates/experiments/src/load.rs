//! The load that is put on the application.

use futures::FutureExt;
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::{JMeter, LoadError, LoadReport, LoadRequest};

/// Something that puts load on the application.
pub trait Load: Send + Sync {
    /// Puts the load of `request` on it, to its end or until `stop`, after which nothing of it runs any more.
    ///
    /// Fails when the load cannot be made, was none, or was stopped.
    fn run<'a>(
        &'a self,
        request: &'a LoadRequest,
        stop: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<LoadReport, LoadError>>;
}

impl Load for JMeter {
    fn run<'a>(
        &'a self,
        request: &'a LoadRequest,
        stop: &'a CancellationToken,
    ) -> BoxFuture<'a, Result<LoadReport, LoadError>> {
        Self::run(self, request, stop).boxed()
    }
}
