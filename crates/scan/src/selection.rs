//! Which owners are scanned and which rows are shown, in which order.

use std::cmp::{Ordering, Reverse};
use std::fmt;
use std::str::FromStr;

use mora_core::{Bytes, Glob, Inventory, Millicores, OwnerKind, OwnerRef};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Change, Row, Severity};

/// Namespaces of a cluster's own parts, which nobody scans unless they name them.
const SYSTEM_NAMESPACES: [&str; 5] =
    ["kube-system", "kube-public", "kube-node-lease", "gke-managed-*", "openshift-*"];

/// Which owners are scanned and which rows are shown.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Selection {
    /// Namespaces; none for all but those of the system, which have to be named.
    pub namespaces: Vec<Glob>,
    /// Namespaces left out.
    pub exclude_namespaces: Vec<Glob>,
    /// Kinds; none for all.
    pub kinds: Vec<OwnerKind>,
    /// Names of owners; none for all.
    pub names: Vec<Glob>,
    /// The least severity that is shown; `None` for all.
    pub severity: Option<Severity>,
    /// The order of the rows.
    pub sort: SortBy,
    /// Most rows that are shown; `None` for all.
    pub top: Option<usize>,
}

/// The order of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SortBy {
    /// The most urgent first, and of those equally urgent the one that saves or lacks most.
    #[default]
    Severity,
    /// What saves most first.
    Saving,
    /// The largest change of the CPU of all replicas first.
    Cpu,
    /// The largest change of the memory of all replicas first.
    Memory,
    /// By cluster, namespace, kind, name and container.
    Name,
}

/// A text that is no order of rows.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is no order of rows; use severity, saving, cpu, memory or name")]
pub struct UnknownSort(String);

impl SortBy {
    /// All, in the order they are documented.
    pub const ALL: [Self; 5] = [Self::Severity, Self::Saving, Self::Cpu, Self::Memory, Self::Name];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Severity => "severity",
            Self::Saving => "saving",
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Name => "name",
        }
    }
}

impl fmt::Display for SortBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for SortBy {
    type Err = UnknownSort;

    fn from_str(text: &str) -> Result<Self, UnknownSort> {
        let found = Self::ALL.into_iter().find(|sort| sort.as_str() == text);
        found.ok_or_else(|| UnknownSort(text.to_owned()))
    }
}

impl Selection {
    /// Whether `owner` is scanned.
    #[must_use]
    pub fn takes(&self, owner: &OwnerRef) -> bool {
        self.takes_namespace(&owner.namespace)
            && (self.kinds.is_empty() || self.kinds.contains(&owner.kind))
            && (self.names.is_empty() || any(&self.names, &owner.name))
    }

    /// Whether owners in `namespace` are scanned.
    #[must_use]
    pub fn takes_namespace(&self, namespace: &str) -> bool {
        if any(&self.exclude_namespaces, namespace) {
            return false;
        }
        let is_system = || {
            SYSTEM_NAMESPACES.iter().any(|name| Glob::from((*name).to_owned()).matches(namespace))
        };
        let named = self.namespaces.iter().any(|glob| !glob.is_all() && glob.matches(namespace));
        let wanted = self.namespaces.is_empty() || any(&self.namespaces, namespace);
        named || wanted && !is_system()
    }

    /// Leaves of `inventory` what is scanned.
    pub fn narrow(&self, inventory: &mut Inventory) {
        inventory.items.retain(|item| self.takes(&item.owner));
    }

    /// Leaves of `rows` what is shown, in its order; gives back how many were left out.
    pub fn arrange(&self, rows: &mut Vec<Row>) -> usize {
        let all = rows.len();
        rows.retain(|row| self.severity.is_none_or(|least| row.severity >= least));
        rows.sort_by(|a, b| self.compare(a, b).then_with(|| place(a).cmp(&place(b))));
        rows.truncate(self.top.unwrap_or(usize::MAX));
        all - rows.len()
    }

    fn compare(&self, a: &Row, b: &Row) -> Ordering {
        match self.sort {
            SortBy::Severity => Reverse(a.severity)
                .cmp(&Reverse(b.severity))
                .then_with(|| saving(b).abs().total_cmp(&saving(a).abs())),
            SortBy::Saving => saving(b).total_cmp(&saving(a)),
            SortBy::Cpu => {
                let moved = |row: &Row| moved(&row.cpu.request, row.replicas, Millicores::get);
                moved(b).cmp(&moved(a))
            }
            SortBy::Memory => {
                let moved = |row: &Row| moved(&row.memory.request, row.replicas, Bytes::get);
                moved(b).cmp(&moved(a))
            }
            SortBy::Name => Ordering::Equal,
        }
    }
}

fn any(globs: &[Glob], name: &str) -> bool {
    globs.iter().any(|glob| glob.matches(name))
}

fn place(row: &Row) -> (Option<&str>, &str, &OwnerKind, &str, &str) {
    (row.cluster.as_deref(), &row.namespace, &row.kind, &row.name, &row.container)
}

/// What a row saves in a month; negative where it costs more.
fn saving(row: &Row) -> f64 {
    let cost = row.cost;
    cost.current.zip(cost.recommended).map_or(0.0, |(current, recommended)| current - recommended)
}

/// By how much a request changes over all replicas.
fn moved<Q: Copy>(change: &Change<Q>, replicas: u32, get: impl Fn(Q) -> u64) -> u64 {
    let Some(new) = change.recommended.value() else { return 0 };
    let now = change.current.map_or(0, &get);
    now.abs_diff(get(new)).saturating_mul(u64::from(replicas.max(1)))
}
