//! What was collected, kept in Parquet by workload and day.
//!
//! ```text
//! MANIFEST.json                       which files count, and how far each scope was collected
//! LOCK                                held by the one process that writes
//! days/2026-01-31/rounds/17.parquet   one commit of a day that goes on
//! days/2026-01-31/42/shop/Deployment.cart.parquet
//!                                     one workload of a day that is over (42 numbers the compaction)
//! ```
//!
//! A commit writes its round, then replaces the manifest by one rename, which says both that the round counts and how far was
//! collected. A process that is killed in between leaves a file that no manifest names; it is removed at the next opening, and
//! the round is collected again. So no committed sample is lost, and none is there twice.

mod atomically;
mod day;
mod error;
mod file;
mod manifest;
mod runs;
mod store;
mod what;

pub use atomically::write_atomically;
pub use error::StoreError;
pub use runs::Run;
pub use store::{Chunk, Store, StoreSize};
pub use what::{Claimed, What};
