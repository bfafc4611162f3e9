//! Changes as files for a repository: a component of kustomize with one patch per workload.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use mora_core::{ResourceClaim, WorkloadKind, WorkloadRef};
use serde_json::{Map, Value, json};
use thiserror::Error;

use crate::diff::{unified, yaml};
use crate::resources::{KEYS, stated};
use crate::{ContainerIntent, Intent};

const KUSTOMIZATION: &str = "kustomization.yaml";
/// The first line of every file, which also tells a folder of ours from another.
const HEAD: &str = "# Written by mora; changes by hand are lost when a plan is put in force.\n";

/// Why files cannot be written.
#[derive(Debug, Error)]
pub enum GitOpsError {
    /// The file system refused.
    #[error("cannot write {}; check that the folder is there and writable", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The folder holds a kustomization of somebody else.
    #[error("{} was not written by mora and would be lost; name another folder", .0.display())]
    Foreign(PathBuf),
}

/// What a file holds before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileChange {
    /// The file.
    pub path: PathBuf,
    /// Its text before; empty where there was none.
    pub before: String,
    /// Its text after.
    pub after: String,
}

impl FileChange {
    /// Whether the file changes.
    #[must_use]
    pub fn is_change(&self) -> bool {
        self.before != self.after
    }

    /// The change as a unified difference; empty where there is none.
    #[must_use]
    pub fn diff(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        unified((&format!("a/{name}"), &format!("b/{name}")), &self.before, &self.after)
    }
}

/// The name of the file with the patch of `workload`.
pub(crate) fn file_of(workload: &WorkloadRef) -> String {
    let kind = workload.kind().as_str().to_ascii_lowercase();
    format!("{}.{kind}.{}.yaml", workload.namespace(), workload.name())
}

/// Writes one patch for each of `intents` into `folder`, and the component that lists them beside those of earlier plans. Each
/// file appears or changes by one rename, the list last. Returns what was in the files and is now.
///
/// Fails when the folder cannot be written, or holds a kustomization of somebody else.
pub fn write_patches(folder: &Path, intents: &[Intent]) -> Result<Vec<FileChange>, GitOpsError> {
    let changes = file_changes(folder, intents)?;
    fs::create_dir_all(folder).map_err(at(folder))?;
    for change in changes.iter().filter(|change| change.is_change()) {
        replace(folder, change).map_err(at(&change.path))?;
    }
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder))?;
    Ok(changes)
}

/// What [`write_patches`] would do; nothing is written.
pub(crate) fn file_changes(
    folder: &Path,
    intents: &[Intent],
) -> Result<Vec<FileChange>, GitOpsError> {
    let mut workloads = listed(folder)?;
    workloads.extend(intents.iter().map(|intent| intent.workload.clone()));
    workloads.sort();
    workloads.dedup();
    let patches = intents.iter().map(|intent| (file_of(&intent.workload), patch(intent)));
    let list = (KUSTOMIZATION.to_owned(), component(&workloads));
    let changed = |(name, value): (String, Value)| {
        let path = folder.join(name);
        let before = text_of(&path)?;
        Ok(FileChange { path, before, after: format!("{HEAD}{}", yaml(&value)) })
    };
    patches.chain([list]).map(changed).collect()
}

/// The workloads that the component in `folder` lists; none where there is none.
fn listed(folder: &Path) -> Result<Vec<WorkloadRef>, GitOpsError> {
    let path = folder.join(KUSTOMIZATION);
    let text = text_of(&path)?;
    if !text.is_empty() && !text.starts_with(HEAD) {
        return Err(GitOpsError::Foreign(path));
    }
    let list: Value = serde_saphyr::from_str(&text).unwrap_or_default();
    let patches = list["patches"].as_array().cloned().unwrap_or_default();
    let workload = |patch: &Value| {
        let target = &patch["target"];
        let kind: WorkloadKind = target["kind"].as_str()?.parse().ok()?;
        let [namespace, name] = ["namespace", "name"].map(|key| target[key].as_str());
        WorkloadRef::new(namespace?, kind, name?).ok()
    };
    Ok(patches.iter().filter_map(workload).collect())
}

/// A strategic-merge patch with what the containers are to claim, also those that keep what they have: a file replaces the one
/// before.
fn patch(intent: &Intent) -> Value {
    let workload = &intent.workload;
    let containers: Vec<Value> = intent
        .containers
        .iter()
        .map(|(name, asked)| json!({"name": name, "resources": resources(asked)}))
        .collect();
    json!({
        "apiVersion": "apps/v1",
        "kind": workload.kind().as_str(),
        "metadata": {"name": workload.name(), "namespace": workload.namespace()},
        "spec": {"template": {"spec": {"containers": containers}}},
    })
}

fn resources(asked: &ContainerIntent) -> Value {
    let ContainerIntent { from, to, .. } = asked;
    let mut resources = json!({});
    for (side, resource) in KEYS {
        let now = |claim: &ResourceClaim| stated(claim, (side, resource));
        let value = match (now(from), now(to)) {
            (_, Some(quantity)) => json!(quantity),
            // Null takes away what the base states.
            (Some(_), None) => Value::Null,
            (None, None) => continue,
        };
        let quantities = resources
            .as_object_mut()
            .map(|object| object.entry(side.as_str()).or_insert_with(|| Value::Object(Map::new())));
        if let Some(quantities) = quantities {
            quantities[resource] = value;
        }
    }
    resources
}

fn component(workloads: &[WorkloadRef]) -> Value {
    let patches: Vec<Value> = workloads
        .iter()
        .map(|workload| {
            let (kind, name) = (workload.kind().as_str(), workload.name());
            let namespace = workload.namespace();
            let target = json!({"group": "apps", "version": "v1", "kind": kind, "name": name, "namespace": namespace});
            json!({"path": file_of(workload), "target": target})
        })
        .collect();
    json!({
        "apiVersion": "kustomize.config.k8s.io/v1alpha1",
        "kind": "Component",
        "patches": patches,
    })
}

fn text_of(path: &Path) -> Result<String, GitOpsError> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(text),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(String::new()),
        Err(source) => Err(GitOpsError::Io { path: path.to_owned(), source }),
    }
}

fn replace(folder: &Path, change: &FileChange) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(change.after.as_bytes())?;
    readable(file.as_file())?;
    file.as_file().sync_all()?;
    file.persist(&change.path)?;
    Ok(())
}

/// Temporary files are for their owner alone; a repository is for everybody.
#[cfg(unix)]
fn readable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    file.set_permissions(fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn readable(_: &File) -> io::Result<()> {
    Ok(())
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> GitOpsError {
    let path = path.to_owned();
    move |source| GitOpsError::Io { path, source }
}

#[cfg(test)]
mod tests;
