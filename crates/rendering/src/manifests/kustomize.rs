//! A Kustomize component that patches what it finds.

use mora_scan::ScanReport;

use super::node::Node;
use super::patch::lists;
use super::settings::{Extent, list, why_not_sidecar};
use super::{
    Owned, api_version, by_owner, comment, heading, only_one_cluster, path_to_pods, why_not_patched,
};
use crate::{OutputFormat, RenderError, RenderOptions};

const ABOUT: [&str; 5] = [
    "",
    "Put this into a folder as kustomization.yaml and name the folder under `components:` of the kustomization that has the",
    "workloads. Each patch finds its workload by kind, name and namespace; one that finds nothing changes nothing.",
    "A null removes what is set.",
    "",
];

/// The report as a `kustomization.yaml` of kind Component. What cannot be patched is named in comments with the reason.
///
/// Fails where the report is of several clusters.
pub(crate) fn kustomize(
    report: &ScanReport,
    options: &RenderOptions,
) -> Result<String, RenderError> {
    only_one_cluster(report, OutputFormat::Kustomize)?;
    let mut remarks = String::new();
    let mut patches = Vec::new();
    for owned in by_owner(report) {
        remarks += &remarked(&owned);
        patches.extend(patch(&owned));
    }
    let component = Node::map([
        ("apiVersion", Node::text("kustomize.config.k8s.io/v1alpha1")),
        ("kind", Node::text("Component")),
        ("patches", Node::List(patches)),
    ]);
    Ok(heading(report, options, &ABOUT) + &remarks + &component.yaml(0))
}

/// Comments on what is left out of an owner, or done otherwise.
fn remarked(owned: &Owned<'_>) -> String {
    let known = |(row, settings): &(&mora_scan::Row, super::ContainerSettings)| {
        list(row.role).is_none() && settings.resources(Extent::Everything).is_some()
    };
    let mut reasons: Vec<String> = Vec::new();
    if path_to_pods(&owned.owner.kind).is_none() {
        reasons.push(format!("left out: {}", why_not_patched(&owned.owner.kind)));
    } else {
        reasons.extend(owned.settings().flat_map(|(_, settings)| settings.remarks));
        let sidecars = owned.settings().filter(known);
        reasons.extend(
            sidecars.map(|(row, _)| format!("left out: {}", why_not_sidecar(&row.container))),
        );
    }
    reasons.iter().map(|reason| comment(&format!("{}: {reason}", owned.owner))).collect()
}

/// The patch of an owner with its target; `None` where it has none.
fn patch(owned: &Owned<'_>) -> Option<Node> {
    let owner = &owned.owner;
    let path = path_to_pods(&owner.kind)?;
    let pods = lists(owned, Extent::Everything)?.below(path);
    let Node::Map(spec) = pods else { return None };
    let metadata = Node::map([
        ("name", Node::text(&*owner.name)),
        ("namespace", Node::text(&*owner.namespace)),
    ]);
    let mut fields = vec![
        ("apiVersion".to_owned(), Node::text(api_version(&owner.kind)?)),
        ("kind".to_owned(), Node::text(owner.kind.as_str())),
        ("metadata".to_owned(), metadata),
    ];
    fields.extend(spec);
    let target = Node::map([
        ("kind", Node::text(owner.kind.as_str())),
        // A target's name is a regular expression, in which a dot stands for anything.
        ("name", Node::text(owner.name.replace('.', "\\."))),
        ("namespace", Node::text(&*owner.namespace)),
    ]);
    let text = Node::Map(fields).yaml(0);
    Some(Node::map([("target", target), ("patch", Node::text(text.trim_end()))]))
}
