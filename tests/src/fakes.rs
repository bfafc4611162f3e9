//! Servers that fail on purpose. Whatever works in a test is the real thing; these are for what must not work.

mod api_server;
mod collector;
mod host;
mod worker;

pub use api_server::ApiFault;
pub use host::Host;
pub use worker::WorkerFault;
