//! Nodes.

use mora_core::{Bytes, Millicores, NodeSeries, Series, Stated};

use crate::{FieldError, v1};

impl From<&NodeSeries> for v1::NodeSeries {
    fn from(node: &NodeSeries) -> Self {
        Self {
            name: node.name.clone(),
            allocatable_cpu_millicores: node.allocatable.cpu.map(Millicores::get),
            allocatable_memory_bytes: node.allocatable.memory.map(Bytes::get),
            cpu: node.cpu.as_ref().map(Into::into),
            memory: node.memory.as_ref().map(Into::into),
        }
    }
}

impl TryFrom<v1::NodeSeries> for NodeSeries {
    type Error = FieldError;

    fn try_from(wire: v1::NodeSeries) -> Result<Self, FieldError> {
        if wire.name.is_empty() {
            return Err(FieldError::new("name", "is missing"));
        }
        let series = |series: Option<v1::Series>, field: &str| {
            series.map(|s| Series::try_from(s).map_err(|error| error.within(field))).transpose()
        };
        Ok(Self {
            name: wire.name,
            allocatable: Stated {
                cpu: wire.allocatable_cpu_millicores.map(Millicores::new),
                memory: wire.allocatable_memory_bytes.map(Bytes::new),
            },
            cpu: series(wire.cpu, "cpu")?,
            memory: series(wire.memory, "memory")?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use mora_core::Step;

    #[test]
    fn a_node_survives_the_wire_and_what_is_not_known_of_it_stays_absent() {
        let series = Series::new(Timestamp::UNIX_EPOCH, Step::MINUTE, vec![Some(1.5), None]);
        let mut node = NodeSeries::new("node-1".to_owned());
        assert_eq!(NodeSeries::try_from(v1::NodeSeries::from(&node)), Ok(node.clone()));
        node.allocatable = Stated { cpu: Some(Millicores::new(4000)), memory: Some(Bytes::new(7)) };
        node.cpu = series.ok();
        assert_eq!(NodeSeries::try_from(v1::NodeSeries::from(&node)), Ok(node.clone()));
        node.name.clear();
        let error = NodeSeries::try_from(v1::NodeSeries::from(&node)).unwrap_err();
        assert_eq!(error.path(), "name");
    }
}
