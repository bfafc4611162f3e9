//! Facts about the build for `mora version`.

use std::env;
use std::fs::read_to_string;
use std::path::{Path, PathBuf};
use std::process::Command;

const UNKNOWN: &str = "unknown";
/// Letters of a commit that are enough to find it.
const SHORT: usize = 12;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    // Where a build is not made from a repository, as in an image, the commit can be given.
    println!("cargo::rerun-if-env-changed=MORA_COMMIT");
    let of = |name: &str| env::var(name).unwrap_or_else(|_| UNKNOWN.to_owned());
    let commit = env::var("MORA_COMMIT").ok().or_else(|| commit(&repository()?));
    let commit = commit.map(|commit| commit.chars().take(SHORT).collect::<String>());
    tell("COMMIT", commit.as_deref().unwrap_or(UNKNOWN));
    tell("RUSTC", compiler().as_deref().unwrap_or(UNKNOWN));
    tell("TARGET", &of("TARGET"));
    tell("PROFILE", &of("PROFILE"));
    let feature = |(name, _): (String, String)| {
        Some(name.strip_prefix("CARGO_FEATURE_")?.to_lowercase().replace('_', "-"))
    };
    let mut features: Vec<String> = env::vars().filter_map(feature).collect();
    features.sort();
    tell("FEATURES", &features.join(","));
}

fn tell(fact: &str, value: &str) {
    println!("cargo::rustc-env=MORA_BUILD_{fact}={value}");
}

fn compiler() -> Option<String> {
    let output = Command::new(env::var_os("RUSTC")?).arg("--version").output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// The folder that git keeps of this working tree, if it is one.
fn repository() -> Option<PathBuf> {
    let root = Path::new(&env::var_os("CARGO_MANIFEST_DIR")?).parent()?.to_owned();
    let git = root.join(".git");
    if git.is_dir() {
        return Some(git);
    }
    // In a further working tree it is a file that names the folder.
    let named = read_to_string(git).ok()?;
    Some(root.join(named.strip_prefix("gitdir:")?.trim()))
}

/// The commit that is checked out. Git is not run, as it need not be there.
fn commit(git: &Path) -> Option<String> {
    let head = git.join("HEAD");
    watch(&head);
    let content = read_to_string(head).ok()?;
    let Some(name) = content.trim().strip_prefix("ref: ") else {
        return Some(content.trim().to_owned());
    };
    // It grows with each commit here, and not with those of other branches.
    watch(&git.join("logs/HEAD"));
    let common = read_to_string(git.join("commondir")).ok();
    let common = common.map_or_else(|| git.to_owned(), |path| git.join(path.trim()));
    if let Ok(commit) = read_to_string(common.join(name)) {
        return Some(commit.trim().to_owned());
    }
    let packed = read_to_string(common.join("packed-refs")).ok()?;
    packed.lines().find_map(|line| Some(line.strip_suffix(name)?.trim().to_owned()))
}

/// Has the build look again when `path` changes; what is not there would make it look every time.
fn watch(path: &Path) {
    if path.exists() {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}
