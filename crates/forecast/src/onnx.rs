//! The ONNX messages, generated from `onnx/onnx.proto`.

#![allow(clippy::pedantic, missing_docs, unreachable_pub, reason = "generated code")]

include!(concat!(env!("OUT_DIR"), "/onnx.rs"));
