//! Where JMeter is.

use std::path::{Path, PathBuf};
use std::{env, io};

use super::LoadError;

/// The program: `named`, or below the installation that is `named`, or on the `PATH`.
pub(super) fn find(named: Option<&Path>) -> Result<PathBuf, LoadError> {
    match named {
        Some(named) => below(named).map_err(|_| LoadError::NotAt(named.to_owned())),
        None => on_path(&env::var_os("PATH").unwrap_or_default()).ok_or(LoadError::NotFound),
    }
}

fn below(named: &Path) -> io::Result<PathBuf> {
    let program = if named.is_dir() { named.join("bin/jmeter") } else { named.to_owned() };
    // Absolute without following links: a start script finds its installation through its own name.
    if program.is_file() {
        std::path::absolute(program)
    } else {
        Err(io::ErrorKind::NotFound.into())
    }
}

fn on_path(path: &std::ffi::OsStr) -> Option<PathBuf> {
    let programs = env::split_paths(path).map(|folder| folder.join("jmeter"));
    programs
        .filter(|program| program.is_file())
        .find_map(|program| std::path::absolute(program).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_an_installation_and_the_path_are_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("bin/jmeter");
        std::fs::create_dir(folder.path().join("bin")).unwrap();
        std::fs::write(&program, "").unwrap();
        assert_eq!(find(Some(&program)).unwrap(), program);
        assert_eq!(find(Some(folder.path())).unwrap(), program);
        let path = env::join_paths([folder.path().join("nowhere"), folder.path().join("bin")]);
        assert_eq!(on_path(&path.unwrap()), Some(program));
        assert_eq!(on_path(folder.path().as_os_str()), None);
    }

    #[test]
    fn where_there_is_none_the_message_says_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let told = find(Some(folder.path())).unwrap_err().to_string();
        assert!(told.contains("folder of an installation"), "{told}");
        let told = LoadError::NotFound.to_string();
        assert!(told.contains("install JMeter"), "{told}");
    }
}
