//! The wire contract `mora.v1` and its conversions to and from the domain.
//!
//! A conversion from the wire checks everything once and names the path of the bad field; what
//! comes out of it is valid by construction.

mod convert;
mod field_error;

/// Generated messages, clients and servers of package `mora.v1`.
#[allow(missing_docs, clippy::pedantic)]
pub mod v1 {
    tonic::include_proto!("mora.v1");
}

pub use convert::dataset::{DatasetError, dataset_from_parts, dataset_parts};
pub use convert::time::{duration_to_wire, step_from_wire, timestamp_from_wire, timestamp_to_wire};
pub use convert::training::{Checksum, TrainingColumns};
pub use field_error::{FieldError, required};

/// The compiled descriptors of every file, for server reflection.
pub const DESCRIPTOR_SET: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/mora_descriptor.bin"));
