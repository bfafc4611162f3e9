//! The nodes, read from the source when they are asked for.

use jiff::{SignedDuration, Timestamp};
use mora_core::NodeSeries;
use mora_proto::v1;
use mora_runtime::with_causes;
use tonic::Status;

use super::Collector;
use crate::{Lookback, SourceError};

impl Collector {
    /// The nodes over the lookback that ends at `now`, ordered by name; none where the source knows of none.
    ///
    /// Fails when the source cannot be read.
    pub async fn nodes(&self, now: Timestamp) -> Result<Vec<NodeSeries>, SourceError> {
        let step = self.config.step();
        let to = step.floor(self.source.newest(now));
        let from = to - SignedDuration::from_hours(i64::from(self.config.lookback_hours));
        self.source.nodes(&Lookback { from, to, step }).await
    }

    /// The answer of the service's `ListNodes`.
    pub(crate) async fn list_nodes(&self) -> Result<v1::ListNodesResponse, Status> {
        let nodes = self.nodes(Timestamp::now()).await;
        let nodes = nodes.map_err(|error| Status::unavailable(with_causes(&error)))?;
        Ok(v1::ListNodesResponse { nodes: nodes.iter().map(Into::into).collect() })
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use futures::FutureExt;
    use futures::future::BoxFuture;
    use mora_core::{Dataset, Step};

    use super::*;
    use crate::{CollectorConfig, MetricsSource, RecordedError};

    /// A source with one node over two hours, or one that cannot be read.
    struct Fixed {
        readable: bool,
    }

    impl Fixed {
        fn unreadable() -> SourceError {
            SourceError::Recorded(RecordedError::Empty { path: PathBuf::from("gone.csv") })
        }
    }

    impl MetricsSource for Fixed {
        fn collect<'a>(
            &'a self,
            _: &'a Lookback,
        ) -> BoxFuture<'a, Result<Vec<Dataset>, SourceError>> {
            async { Err(Self::unreadable()) }.boxed()
        }

        fn nodes<'a>(
            &'a self,
            lookback: &'a Lookback,
        ) -> BoxFuture<'a, Result<Vec<NodeSeries>, SourceError>> {
            async move {
                assert_eq!(lookback.steps(), 2);
                let node = NodeSeries::new("node-1".to_owned());
                if self.readable { Ok(vec![node]) } else { Err(Self::unreadable()) }
            }
            .boxed()
        }

        fn describe(&self) -> String {
            "fixed".to_owned()
        }
    }

    fn collector(readable: bool) -> Collector {
        let config = CollectorConfig {
            lookback_hours: 2,
            step_seconds: Step::HOUR.seconds(),
            ..CollectorConfig::default()
        };
        Collector::new(Box::new(Fixed { readable }), config)
    }

    #[tokio::test]
    async fn nodes_are_those_of_the_source_over_the_lookback() {
        let listed = collector(true).list_nodes().await.unwrap();
        let names: Vec<_> = listed.nodes.into_iter().map(|node| node.name).collect();
        assert_eq!(names, ["node-1"]);
    }

    #[tokio::test]
    async fn a_source_that_cannot_be_read_is_unavailable() {
        let status = collector(false).list_nodes().await.unwrap_err();
        assert_eq!(status.code(), tonic::Code::Unavailable);
        assert!(status.message().contains("gone.csv"), "{}", status.message());
    }
}
