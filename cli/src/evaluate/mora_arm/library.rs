//! Model libraries that runs share: what is learned from one history is learned once.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use mora_core::{Dataset, Series, Step, hexadecimal};
use sha2::{Digest, Sha256};

use super::MoraOptions;

/// Where trained libraries are kept, each under the digest of what it was trained on.
#[derive(Debug)]
pub(crate) struct Libraries {
    folder: PathBuf,
    /// One lock per library: whoever comes second waits for what the first one trains.
    training: Mutex<BTreeMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

impl Libraries {
    /// Libraries in `folder`, which is made when the first is trained.
    pub(crate) fn new(folder: PathBuf) -> Self {
        Self { folder, training: Mutex::default() }
    }

    /// Copies the library `key` to `target`, which is not there yet; `train` makes it in the folder it is given where it is not there yet.
    ///
    /// Fails when `train` does, and when files cannot be written.
    pub(super) async fn copy(
        &self,
        key: &str,
        target: &Path,
        train: impl AsyncFnOnce(PathBuf) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let library = self.folder.join(key);
        {
            let training = self.lock_of(key);
            let _training = training.lock().await;
            if !library.is_dir() {
                self.make(&library, train).await?;
            }
        }
        copy_folder(&library, target).with_context(|| {
            format!("the models in {} cannot be copied; look at its permissions", library.display())
        })
    }

    fn lock_of(&self, key: &str) -> Arc<tokio::sync::Mutex<()>> {
        let mut training = self.training.lock().unwrap_or_else(PoisonError::into_inner);
        training.entry(key.to_owned()).or_default().clone()
    }

    /// Trains beside and renames: what is there is whole.
    async fn make(
        &self,
        library: &Path,
        train: impl AsyncFnOnce(PathBuf) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let unwritable = || {
            format!("models cannot be kept in {}; check that it is writable", self.folder.display())
        };
        fs::create_dir_all(&self.folder).with_context(unwritable)?;
        let making = tempfile::tempdir_in(&self.folder).with_context(unwritable)?;
        let made = making.path().join("library");
        train(made.clone()).await?;
        fs::rename(&made, library).with_context(unwritable)
    }
}

fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy_folder(&entry.path(), &target)?;
        } else {
            fs::copy(entry.path(), &target)?;
        }
    }
    Ok(())
}

/// The digest of all that models depend on: the observed signals, the members, the seed and the version of the program.
pub(super) fn key(datasets: &[Dataset], options: &MoraOptions) -> String {
    let mut digest = Sha256::new();
    digest.update(env!("CARGO_PKG_VERSION"));
    digest.update(options.seed.to_le_bytes());
    for member in &options.members {
        digest.update(member.as_str());
        digest.update([0]);
    }
    for dataset in datasets {
        digest.update(dataset.workload.to_string());
        digest.update(dataset.current_replicas().to_le_bytes());
        for (signal, series) in dataset.signals() {
            digest.update(signal.to_string());
            add(&mut digest, &series);
        }
    }
    hexadecimal(&digest.finalize()[..16])
}

fn add(digest: &mut Sha256, series: &Series) {
    digest.update(series.start().as_second().to_le_bytes());
    digest.update(Step::seconds(series.step()).to_le_bytes());
    for value in series.values() {
        // No observation is NaN.
        digest.update(value.unwrap_or(f64::NAN).to_bits().to_le_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_library_is_trained_once_and_every_run_has_a_copy_of_its_own() {
        let folder = tempfile::tempdir().unwrap();
        let libraries = Libraries::new(folder.path().join("models"));
        let trained = std::sync::atomic::AtomicUsize::new(0);
        let run = async |name: &str| {
            let target = folder.path().join(name);
            let train = async |library: PathBuf| {
                trained.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                fs::create_dir_all(library.join("Deployment.cart"))?;
                Ok(fs::write(library.join("Deployment.cart/CURRENT"), "v1")?)
            };
            libraries.copy("key", &target, train).await.unwrap();
            target.join("Deployment.cart/CURRENT")
        };
        let (one, other) = tokio::join!(run("one"), run("other"));
        fs::write(&one, "v2").unwrap();
        assert_eq!(fs::read_to_string(other).unwrap(), "v1");
        assert_eq!(fs::read_to_string(run("third").await).unwrap(), "v1");
        assert_eq!(trained.into_inner(), 1);
    }

    #[tokio::test]
    async fn a_training_that_fails_leaves_nothing_and_the_next_run_trains() {
        let folder = tempfile::tempdir().unwrap();
        let libraries = Libraries::new(folder.path().join("models"));
        let target = folder.path().join("run");
        let failed = libraries
            .copy("key", &target, async |library| {
                fs::create_dir_all(library)?;
                anyhow::bail!("out of luck")
            })
            .await;
        assert!(failed.unwrap_err().to_string().contains("out of luck"));
        assert_eq!(fs::read_dir(folder.path().join("models")).unwrap().count(), 0);
        let train = async |library| Ok(fs::create_dir_all(library)?);
        libraries.copy("key", &target, train).await.unwrap();
        assert!(target.is_dir());
    }
}
