//! Generates the `boutique.v1` messages, clients and servers without a system `protoc`.

use std::error::Error;

const PROTOS: [&str; 10] = [
    "boutique/v1/ad.proto",
    "boutique/v1/cart.proto",
    "boutique/v1/catalog.proto",
    "boutique/v1/checkout.proto",
    "boutique/v1/currency.proto",
    "boutique/v1/email.proto",
    "boutique/v1/payment.proto",
    "boutique/v1/recommendation.proto",
    "boutique/v1/shipping.proto",
    "boutique/v1/store.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(PROTOS, ["proto"])?;
    tonic_prost_build::configure().compile_fds(descriptors)?;
    Ok(())
}
