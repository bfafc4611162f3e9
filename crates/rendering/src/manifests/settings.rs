//! What a container's `resources` become.

use std::fmt::Display;

use mora_core::ContainerRole;
use mora_scan::{Change, Proposed, ResourceRow, Row};

use super::node::Node;

/// What happens to one number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Setting {
    /// Nothing, for nothing can be said, or nothing is set and nothing is to be.
    Leave,
    /// Nothing, for it is already this.
    Same(String),
    /// It becomes this.
    Set(String),
    /// It goes.
    Remove,
}

/// Which numbers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Those that change what the cluster has.
    Changes,
    /// All that are known, for a place that may differ from the cluster.
    Everything,
}

/// What happens to a container's requests and limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ContainerSettings {
    /// CPU and memory.
    pub(super) requests: [Setting; 2],
    /// CPU and memory.
    pub(super) limits: [Setting; 2],
    /// What is not as recommended, and why; a sentence each.
    pub(super) remarks: Vec<String>,
}

impl ContainerSettings {
    /// What the recommendation makes of the container. A limit never ends below its request: it is raised to it.
    pub(super) fn of(row: &Row) -> Self {
        let mut remarks = Vec::new();
        let [cpu_request, cpu_limit] = settings(row, "CPU", row.cpu, &mut remarks);
        let [memory_request, memory_limit] = settings(row, "memory", row.memory, &mut remarks);
        Self { requests: [cpu_request, memory_request], limits: [cpu_limit, memory_limit], remarks }
    }

    /// The `resources` field with what is to be written; `None` where that is nothing.
    pub(super) fn resources(&self, extent: Extent) -> Option<Node> {
        let groups = [("requests", &self.requests), ("limits", &self.limits)];
        let fields = groups.into_iter().filter_map(|(name, group)| {
            let amounts: Vec<_> = ["cpu", "memory"].into_iter().zip(group).collect();
            let written = amounts.into_iter().filter_map(|(resource, setting)| {
                Some((resource.to_owned(), setting.node(extent)?))
            });
            let written: Vec<_> = written.collect();
            (!written.is_empty()).then(|| (name.to_owned(), Node::Map(written)))
        });
        let fields: Vec<_> = fields.collect();
        (!fields.is_empty()).then_some(Node::Map(fields))
    }
}

impl Setting {
    fn node(&self, extent: Extent) -> Option<Node> {
        match self {
            Self::Set(amount) => Some(Node::text(amount.as_str())),
            Self::Same(amount) => {
                (extent == Extent::Everything).then(|| Node::text(amount.as_str()))
            }
            Self::Remove => Some(Node::Null),
            Self::Leave => None,
        }
    }

    /// The amount that it is afterwards, if this says so.
    pub(super) fn amount(&self) -> Option<&str> {
        match self {
            Self::Set(amount) | Self::Same(amount) => Some(amount),
            Self::Remove | Self::Leave => None,
        }
    }
}

/// What happens to request and limit of one resource.
fn settings<Q: Copy + Ord + Display>(
    row: &Row,
    resource: &str,
    change: ResourceRow<Q>,
    remarks: &mut Vec<String>,
) -> [Setting; 2] {
    let request = setting(change.request);
    match (afterwards(change.request), afterwards(change.limit)) {
        (Some(requested), Some(limit)) if limit < requested => {
            let name = &row.container;
            remarks.push(format!(
                "container {name}: its {resource} limit of {limit} would be below the request; it becomes {requested}"
            ));
            [request, Setting::Set(requested.to_string())]
        }
        _ => [request, setting(change.limit)],
    }
}

fn setting<Q: Copy + Ord + Display>(change: Change<Q>) -> Setting {
    match change.recommended {
        Proposed::Value(quantity) if change.current == Some(quantity) => {
            Setting::Same(quantity.to_string())
        }
        Proposed::Value(quantity) => Setting::Set(quantity.to_string()),
        Proposed::Unset if change.current.is_some() => Setting::Remove,
        Proposed::Unset | Proposed::Unknown => Setting::Leave,
    }
}

fn afterwards<Q: Copy>(change: Change<Q>) -> Option<Q> {
    match change.recommended {
        Proposed::Value(quantity) => Some(quantity),
        Proposed::Unset => None,
        Proposed::Unknown => change.current,
    }
}

/// The list of the pod's specification that the container is in; `None` where the scan cannot know.
pub(super) const fn list(role: ContainerRole) -> Option<&'static str> {
    match role {
        ContainerRole::Main => Some("containers"),
        ContainerRole::Init => Some("initContainers"),
        ContainerRole::Sidecar => None,
    }
}

/// Why a sidecar is not patched: merging by name would add a container where there is none of that name.
pub(super) fn why_not_sidecar(container: &str) -> String {
    format!(
        "container {container}: a sidecar may be among the containers, among the init containers or added by a mesh; \
         set it where it is declared"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn no_limit_ends_below_its_request_whatever_is_known() {
        let mut row = sample::one_cluster().rows.remove(0);
        let amounts = [1, 5, 9].map(mora_core::Millicores::new);
        let proposals: Vec<_> = amounts
            .map(Proposed::Value)
            .into_iter()
            .chain([Proposed::Unset, Proposed::Unknown])
            .collect();
        let currents: Vec<_> = amounts.map(Some).into_iter().chain([None]).collect();
        let mut changes = Vec::new();
        for &current in &currents {
            for &recommended in &proposals {
                changes.push(Change { current, recommended, ..row.cpu.request });
            }
        }
        for &request in &changes {
            for &limit in &changes {
                row.cpu = ResourceRow { request, limit };
                let settings = ContainerSettings::of(&row);
                let after = |setting: &Setting, change: Change<mora_core::Millicores>| match setting
                {
                    Setting::Set(q) | Setting::Same(q) => Some(q.parse().unwrap()),
                    Setting::Remove => None,
                    Setting::Leave => change.current,
                };
                let (r, l) =
                    (after(&settings.requests[0], request), after(&settings.limits[0], limit));
                // What was wrong before and is to be left alone is not made worse.
                if let (Some(r), Some(l)) = (r, l) {
                    assert!(l >= r, "{request:?} {limit:?} {settings:?}");
                }
            }
        }
    }
}
