//! A version as a folder or archive of its own, with its card and checksums that `sha256sum -c` checks.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;
use mora_model_worker::{FileDigest, Library};

use super::card::Card;

/// Copies `version` to `to`: a file ending in `.tar`, or a directory that does not exist or is empty.
///
/// The target appears whole or not at all. Fails when a file of the version is not what its checksum says, when the
/// target exists, and when it cannot be written.
pub(super) fn export(
    library: &Library,
    version: &str,
    card: &Card,
    to: &Path,
) -> anyhow::Result<()> {
    let manifest = library.manifest(version)?;
    let mut files = library.files(&manifest)?;
    files.insert("manifest.json".to_owned(), serde_json::to_vec_pretty(&manifest)?);
    files.insert("card.md".to_owned(), card.markdown().into_bytes());
    let sums: String = files
        .iter()
        .map(|(name, bytes)| format!("{}  {name}\n", FileDigest::of(bytes).sha256))
        .collect();
    files.insert("SHA256SUMS".to_owned(), sums.into_bytes());
    let wanted = || {
        format!(
            "cannot write {}; check that its folder exists and is writable, and that nothing is there yet",
            to.display()
        )
    };
    if to.extension().is_some_and(|extension| extension == "tar") {
        let folder = format!("{}-{version}", card.workload.name());
        archive(&files, &folder, card.data_until.as_second(), to).with_context(wanted)
    } else {
        directory(&files, to).with_context(wanted)
    }
}

fn parent(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn directory(files: &BTreeMap<String, Vec<u8>>, to: &Path) -> io::Result<()> {
    let partial = tempfile::Builder::new().prefix(".mora-export").tempdir_in(parent(to))?;
    for (name, bytes) in files {
        let path = partial.path().join(name);
        fs::create_dir_all(parent(&path))?;
        fs::write(path, bytes)?;
    }
    fs::set_permissions(partial.path(), fs::Permissions::from_mode(0o755))?;
    // Fails where a file or a folder that is not empty is there.
    fs::rename(partial.path(), to)
}

fn archive(
    files: &BTreeMap<String, Vec<u8>>,
    folder: &str,
    modified: i64,
    to: &Path,
) -> io::Result<()> {
    let readable = fs::Permissions::from_mode(0o644);
    let partial = tempfile::Builder::new().permissions(readable).tempfile_in(parent(to))?;
    let mut archive = tar::Builder::new(partial);
    for (name, bytes) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        header.set_mtime(modified.max(0) as u64);
        archive.append_data(&mut header, format!("{folder}/{name}"), bytes.as_slice())?;
    }
    let partial = archive.into_inner()?;
    partial.persist_noclobber(to).map(drop).map_err(|error| error.error)
}
