//! Finding model-workers that no one has listed: by Services of the Kubernetes API, and by names that stand for many.
//!
//! What is listed or given by a pattern always goes before what is found.

mod discover;
mod headless;

pub use discover::{Found, discover};
