//! `resources` as values of Helm charts.

use std::collections::BTreeMap;

use mora_core::OwnerKind;
use mora_scan::{Row, ScanReport};

use super::node::Node;
use super::settings::Extent;
use super::{Owned, by_owner, comment, heading, only_one_cluster, why_not_patched};
use crate::{OutputFormat, RenderError, RenderOptions};

const ABOUT: [&str; 8] = [
    "",
    "Every chart has a place of its own for `resources`: often `resources:` at the top, or `<component>.resources:`. Move each",
    "block to where the chart of its workload reads it (`helm show values CHART` tells). Here they are under",
    "",
    "    <workload>.resources                of a workload with one container",
    "    <workload>.<container>.resources    of one with several",
    "",
    "Each document below is for the releases of one namespace. A null removes what a chart sets by default.",
];

/// The report as values, one YAML document for each namespace.
///
/// Fails where the report is of several clusters.
pub(crate) fn helm(report: &ScanReport, options: &RenderOptions) -> Result<String, RenderError> {
    only_one_cluster(report, OutputFormat::Helm)?;
    let owners = by_owner(report);
    let mut namespaces: BTreeMap<&str, Vec<&Owned<'_>>> = BTreeMap::new();
    for owned in &owners {
        namespaces.entry(&owned.owner.namespace).or_default().push(owned);
    }
    let documents = namespaces.iter().map(|(name, owners)| document(name, owners));
    Ok(heading(report, options, &ABOUT) + &documents.collect::<String>())
}

fn document(namespace: &str, owners: &[&Owned<'_>]) -> String {
    let mut text = format!("---\n{}", comment(&format!("namespace: {namespace}")));
    for owned in owners {
        let owner = &owned.owner;
        if matches!(owner.kind, OwnerKind::Pod | OwnerKind::Other(_)) {
            text += &comment(&format!("{owner}: left out: {}", why_not_patched(&owner.kind)));
            continue;
        }
        let Some(values) = values(owned) else { continue };
        owned
            .settings()
            .flat_map(|(_, settings)| settings.remarks)
            .for_each(|remark| text += &comment(&format!("{owner}: {remark}")));
        let key = key(owned, owners);
        text += &Node::Map(vec![(key, values)]).yaml(0);
    }
    text
}

/// The name of the workload, with its kind where another kind has the same.
fn key(owned: &Owned<'_>, all: &[&Owned<'_>]) -> String {
    let owner = &owned.owner;
    let same = all.iter().filter(|other| other.owner.name == owner.name).count();
    if same == 1 {
        return owner.name.to_string();
    }
    format!("{}-{}", owner.name, owner.kind.as_str().to_lowercase())
}

/// What stands under the key of a workload; `None` where nothing is known.
fn values(owned: &Owned<'_>) -> Option<Node> {
    let known: Vec<(&Row, Node)> = owned
        .settings()
        .filter_map(|(row, settings)| Some((row, settings.resources(Extent::Everything)?)))
        .collect();
    let block = |resources| Node::map([("resources", resources)]);
    match (known.len(), owned.rows.len()) {
        (0, _) => None,
        (1, 1) => known.into_iter().next().map(|(_, resources)| block(resources)),
        _ => {
            let of_container =
                |(row, resources): (&Row, Node)| (row.container.clone(), block(resources));
            Some(Node::Map(known.into_iter().map(of_container).collect()))
        }
    }
}
