//! Where the labels of a series name a workload.

use mora_core::WorkloadKind;

use super::super::answer::Labelled;

/// Where the labels of a series name a workload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct Peer {
    /// Labels that may hold its name, with the kind each stands for; the first that is not empty counts.
    names: Vec<(String, Option<WorkloadKind>)>,
    /// The label with its namespace; empty where there is none.
    namespace: String,
    /// Labels and values that together mean it is no workload.
    outside: &'static [(&'static str, &'static str)],
}

/// A workload as the labels of a series name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in super::super) struct Named<'a> {
    pub(in super::super) name: &'a str,
    /// `None` where the labels do not tell.
    pub(in super::super) kind: Option<WorkloadKind>,
    /// `None` where the labels do not tell.
    pub(in super::super) namespace: Option<&'a str>,
}

impl Peer {
    pub(super) fn labelled(name: &str, namespace: &str) -> Self {
        let names = vec![(name.to_owned(), None)];
        Self { names, namespace: namespace.to_owned(), outside: &[] }
    }

    /// Linkerd's labels, which are named after the kinds.
    pub(super) fn linkerd(prefix: &str, namespace: &str) -> Self {
        let label = |kind: WorkloadKind| format!("{prefix}{}", kind.as_str().to_lowercase());
        let names = WorkloadKind::ALL.map(|kind| (label(kind), Some(kind))).into();
        Self { names, namespace: namespace.to_owned(), outside: &[] }
    }

    pub(super) fn outside_where(self, outside: &'static [(&'static str, &'static str)]) -> Self {
        Self { outside, ..self }
    }

    /// The workload `series` names; `None` where it names none.
    pub(in super::super) fn of<'a>(&self, series: &'a Labelled) -> Option<Named<'a>> {
        let is = |(label, value): &(&str, &str)| series.label(label) == Some(*value);
        if !self.outside.is_empty() && self.outside.iter().all(is) {
            return None;
        }
        let named = |(label, kind): &(String, Option<WorkloadKind>)| {
            series.label(label).map(|name| (name, *kind))
        };
        let (name, kind) = self.names.iter().find_map(named)?;
        Some(Named { name, kind, namespace: series.label(&self.namespace) })
    }

    /// The labels, as they stand in a `by` clause.
    pub(super) fn by(&self) -> String {
        let names = self.names.iter().map(|(label, _)| label.as_str());
        let namespace = Some(self.namespace.as_str()).filter(|label| !label.is_empty());
        let outside = self.outside.iter().map(|(label, _)| *label);
        let mut labels: Vec<&str> = Vec::new();
        for label in names.chain(namespace).chain(outside) {
            if !labels.contains(&label) {
                labels.push(label);
            }
        }
        labels.join(",")
    }
}
