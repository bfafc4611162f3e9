//! Values made from files, and made anew when the files change.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use thiserror::Error;

/// Why files give no value: a file that cannot be read, or contents that make none.
#[derive(Debug, Error)]
pub(crate) enum ReloadError<E> {
    #[error("cannot read {}", path.display())]
    Read {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Content(E),
}

/// A value made from the contents of `N` small files, which are looked at again at most every `every`.
///
/// They are read where the value is asked for, without leaving the async runtime: they have a few kilobytes, and in a pod
/// they lie in memory.
pub(crate) struct Reloaded<T, E, const N: usize> {
    paths: [PathBuf; N],
    make: fn(&[Vec<u8>; N]) -> Result<T, E>,
    every: Duration,
    state: Mutex<State<T>>,
}

struct State<T> {
    looked: Instant,
    seen: Seen,
    value: Arc<T>,
}

/// What the last look at the files found, so that the same failure is told once.
#[derive(PartialEq)]
enum Seen {
    Contents([u8; 32]),
    Unreadable(String),
}

impl<T, E: std::error::Error + 'static, const N: usize> Reloaded<T, E, N> {
    /// The value of the files as they are now; fails when one cannot be read or `make` refuses them.
    pub(crate) fn open(
        paths: [PathBuf; N],
        every: Duration,
        make: fn(&[Vec<u8>; N]) -> Result<T, E>,
    ) -> Result<Self, ReloadError<E>> {
        let contents = read(&paths)?;
        let value = Arc::new(make(&contents).map_err(ReloadError::Content)?);
        let seen = Seen::Contents(digest(&contents));
        let state = Mutex::new(State { looked: Instant::now(), seen, value });
        Ok(Self { paths, make, every, state })
    }

    /// The value of the files as they were at the last look. New contents that cannot be used leave the old value in
    /// place and are told in the log, once.
    pub(crate) fn current(&self) -> Arc<T> {
        let mut state = self.state();
        if state.looked.elapsed() >= self.every {
            state.looked = Instant::now();
            self.look(&mut state);
        }
        state.value.clone()
    }

    fn look(&self, state: &mut State<T>) {
        let contents = read::<E, N>(&self.paths);
        let seen = match &contents {
            Ok(contents) => Seen::Contents(digest(contents)),
            Err(error) => Seen::Unreadable(crate::with_causes(error)),
        };
        if seen == state.seen {
            return;
        }
        state.seen = seen;
        let made =
            contents.and_then(|contents| (self.make)(&contents).map_err(ReloadError::Content));
        let names = self.names();
        match made {
            Ok(value) => {
                state.value = Arc::new(value);
                tracing::info!("read again what has changed: {names}");
            }
            Err(error) => {
                let why = crate::with_causes(&error);
                tracing::warn!("going on with what was read before from {names}: {why}");
            }
        }
    }

    /// The files, as they are named in the log.
    pub(crate) fn names(&self) -> String {
        let names: Vec<_> = self.paths.iter().map(|path| path.display().to_string()).collect();
        names.join(", ")
    }

    /// The guard, also after a panic elsewhere: every change under it is complete in itself.
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read<E, const N: usize>(paths: &[PathBuf; N]) -> Result<[Vec<u8>; N], ReloadError<E>> {
    let mut contents = std::array::from_fn(|_| Vec::new());
    for (path, content) in paths.iter().zip(&mut contents) {
        *content = read_one(path)?;
    }
    Ok(contents)
}

fn read_one<E>(path: &Path) -> Result<Vec<u8>, ReloadError<E>> {
    std::fs::read(path).map_err(|source| ReloadError::Read { path: path.to_owned(), source })
}

fn digest<const N: usize>(contents: &[Vec<u8>; N]) -> [u8; 32] {
    let mut digest = Sha256::new();
    for content in contents {
        digest.update((content.len() as u64).to_le_bytes());
        digest.update(content);
    }
    digest.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Error)]
    #[error("it is empty")]
    struct Empty;

    fn number(contents: &[Vec<u8>; 1]) -> Result<usize, Empty> {
        if contents[0].is_empty() { Err(Empty) } else { Ok(contents[0].len()) }
    }

    #[test]
    fn new_contents_give_a_new_value_and_broken_ones_leave_the_old() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value");
        assert!(Reloaded::open([path.clone()], Duration::ZERO, number).is_err());
        std::fs::write(&path, "four").unwrap();
        let value = Reloaded::open([path.clone()], Duration::ZERO, number).unwrap();
        std::fs::write(&path, "fives").unwrap();
        assert_eq!(*value.current(), 5);
        std::fs::write(&path, "").unwrap();
        assert_eq!(*value.current(), 5);
        std::fs::remove_file(&path).unwrap();
        assert_eq!(*value.current(), 5);
        std::fs::write(&path, "sixsix").unwrap();
        assert_eq!(*value.current(), 6);
    }

    #[test]
    fn files_are_not_looked_at_again_before_it_is_time() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("value");
        std::fs::write(&path, "four").unwrap();
        let value = Reloaded::open([path.clone()], Duration::from_hours(1), number).unwrap();
        std::fs::write(&path, "fives").unwrap();
        assert_eq!(*value.current(), 4);
    }
}
