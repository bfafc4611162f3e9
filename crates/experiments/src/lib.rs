//! Clean load experiments: isolate, load, measure, restore.

mod jmeter;

pub use jmeter::{JMeter, JMeterConfig, LabelReport, Latency, LoadError, LoadReport, LoadRequest};
