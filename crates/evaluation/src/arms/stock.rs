//! The manifests as they are.

use futures::FutureExt;
use futures::future::{self, BoxFuture};
use jiff::{SignedDuration, Timestamp};
use mora_cluster_simulator::Change;

use crate::{Arm, ArmError, ArmName, View};

/// Changes nothing.
#[derive(Debug, Clone, Copy)]
pub struct Stock;

impl Arm for Stock {
    fn name(&self) -> ArmName {
        ArmName::Stock
    }

    fn every(&self) -> Option<SignedDuration> {
        None
    }

    fn decide<'a>(
        &'a mut self,
        _: &'a dyn View,
        _: Timestamp,
    ) -> BoxFuture<'a, Result<Vec<Change>, ArmError>> {
        future::ready(Ok(Vec::new())).boxed()
    }
}
