//! A small application with the shape of the Online Boutique, for tests that need real processes under load.
fn main() {}
