//! Runs the LSTM of a saved model and prints what it read and answered, and how long a run takes.
//!
//! Usage: `lstm_output FOLDER RUNS [LIBRARY]`. FOLDER has the files of one signal; LIBRARY is the shared library of
//! an ONNX Runtime, without which the embedded backend runs. Prints one JSON object.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use anyhow::Context;
use mora_forecast::{LstmProbe, SignalModel, use_onnx_runtime};
use serde_json::json;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (folder, runs, library) = match arguments.as_slice() {
        [folder, runs] => (folder, runs, None),
        [folder, runs, library] => (folder, runs, Some(library)),
        _ => anyhow::bail!("usage: lstm_output FOLDER RUNS [LIBRARY]"),
    };
    if let Some(library) = library {
        use_onnx_runtime(Path::new(library))?;
    }
    let model = load(Path::new(folder))?;
    let probe = probe(&model)?;
    let mut micros = Vec::new();
    for _ in 0..runs.parse()? {
        let began = Instant::now();
        std::hint::black_box(self::probe(&model)?);
        micros.push(began.elapsed().as_secs_f64() * 1e6);
    }
    micros.sort_by(f64::total_cmp);
    let quantile = |q: f64| micros.get((micros.len() as f64 * q) as usize);
    let output = json!({
        "window": probe.window,
        "window_shape": probe.window_shape,
        "ahead": probe.ahead,
        "ahead_shape": probe.ahead_shape,
        "output": probe.output,
        "p50_micros": quantile(0.5),
        "p99_micros": quantile(0.99),
    });
    println!("{output}");
    Ok(())
}

fn load(folder: &Path) -> anyhow::Result<SignalModel> {
    let mut files = BTreeMap::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).context("an odd file name")?;
        files.insert(name.to_owned(), std::fs::read(&path)?);
    }
    Ok(SignalModel::load(&files)?)
}

fn probe(model: &SignalModel) -> anyhow::Result<LstmProbe> {
    model.lstm_probe()?.context("the LSTM takes no part in this model")
}
