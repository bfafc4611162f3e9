//! Generates the `mora.v1` messages, clients and servers without a system `protoc`.

use std::error::Error;
use std::path::PathBuf;

use protox::prost::Message;

const PROTOS: [&str; 5] = [
    "mora/v1/types.proto",
    "mora/v1/forecast.proto",
    "mora/v1/training.proto",
    "mora/v1/collector.proto",
    "mora/v1/recommendation.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=mora");
    let descriptors = protox::compile(PROTOS, ["."])?;
    let set = PathBuf::from(std::env::var("OUT_DIR")?).join("mora_descriptor.bin");
    std::fs::write(set, descriptors.encode_to_vec())?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
