//! Generates the ONNX messages without a system `protoc`.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=onnx");
    let descriptors = protox::compile(["onnx.proto"], ["onnx"])?;
    prost_build::Config::new().compile_fds(descriptors)?;
    Ok(())
}
