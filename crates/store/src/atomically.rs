//! Files that are there whole or not at all.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

/// Writes `bytes` to `path`, which holds afterwards either what it held before or all of them, also after a crash.
///
/// Fails when the folder of `path` cannot be written.
pub fn write_atomically(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let unfinished = unfinished(path);
    let mut file = File::create(&unfinished)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    finish(&unfinished, path)
}

/// Where a file is written before it is whole.
pub(crate) fn unfinished(path: &Path) -> std::path::PathBuf {
    path.with_added_extension("unfinished")
}

/// Gives a whole file its name.
pub(crate) fn finish(unfinished: &Path, path: &Path) -> io::Result<()> {
    fs::rename(unfinished, path)?;
    sync_folder(path.parent().unwrap_or(path))
}

/// Makes names in `folder` survive a crash of the machine.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.json");
        write_atomically(&path, b"old").unwrap();
        write_atomically(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        let nowhere = folder.path().join("no/such/a.json");
        assert_eq!(write_atomically(&nowhere, b"").unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
