//! Everything that needs more than one process.

#[path = "system/backtest.rs"]
mod backtest;
#[path = "system/bad_input.rs"]
mod bad_input;
#[path = "system/book.rs"]
mod book;
#[path = "system/browser.rs"]
mod browser;
#[path = "system/call_graph.rs"]
mod call_graph;
#[path = "system/catalogue.rs"]
mod catalogue;
#[path = "system/compatibility.rs"]
mod compatibility;
#[path = "system/crate_graph.rs"]
mod crate_graph;
#[path = "system/demo.rs"]
mod demo;
#[path = "system/doctor.rs"]
mod doctor;
#[path = "system/experiments.rs"]
mod experiments;
#[path = "system/faults.rs"]
mod faults;
#[path = "system/graph.rs"]
mod graph;
#[path = "system/krr.rs"]
mod krr;
#[path = "system/load.rs"]
mod load;
#[path = "system/manifests.rs"]
mod manifests;
#[path = "system/meshed.rs"]
mod meshed;
#[path = "system/models.rs"]
mod models;
#[path = "system/onnx.rs"]
mod onnx;
#[path = "system/paper.rs"]
mod paper;
#[path = "system/pipeline.rs"]
mod pipeline;
#[path = "system/prometheus.rs"]
mod prometheus;
#[path = "system/recommend.rs"]
mod recommend;
#[path = "system/refusals.rs"]
mod refusals;
#[path = "system/rendering.rs"]
mod rendering;
#[path = "system/secrets.rs"]
mod secrets;
#[path = "system/security.rs"]
mod security;
#[path = "system/store.rs"]
mod store;
#[path = "system/surge.rs"]
mod surge;
#[path = "system/tunnel.rs"]
mod tunnel;
