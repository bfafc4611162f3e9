//! Fits every signal of the simulated frontend, as a worker does, and prints seconds and peak memory.
//!
//! Usage: `train_workload DAYS`

use std::ops::ControlFlow;
use std::time::Instant;

use anyhow::Context;
use jiff::Timestamp;
use mora_forecast::{FitOptions, fit};
use mora_simulation::{Boutique, BoutiqueOptions};

fn main() -> anyhow::Result<()> {
    let days = std::env::args().nth(1).context("usage: train_workload DAYS")?.parse()?;
    let end = Timestamp::from_second(1_767_225_600)?;
    let boutique = Boutique::new(BoutiqueOptions { days, ..BoutiqueOptions::new(7, end) })?;
    let frontend = boutique.datasets().into_iter().find(|d| d.workload.name() == "frontend");
    let signals = frontend.context("the boutique has no frontend")?.signals();
    let began = Instant::now();
    for (signal, series) in &signals {
        let model = fit(series, &FitOptions::default(), &mut |_| ControlFlow::Continue(()))?;
        let seconds = began.elapsed().as_secs_f64();
        println!(
            "{signal}: {} values, {seconds:.1} s so far, {:?}",
            series.len(),
            model.summary().rung
        );
    }
    let status = std::fs::read_to_string("/proc/self/status")?;
    let peak = status.lines().find(|line| line.starts_with("VmHWM:"));
    println!("{:.1} s in all, {}", began.elapsed().as_secs_f64(), peak.unwrap_or("VmHWM unknown"));
    Ok(())
}
