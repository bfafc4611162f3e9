//! Writes the CPU of the simulated boutique's frontend to standard output: `time,cores`, one line a minute.
//!
//! Usage: `boutique_csv DAYS`

use anyhow::Context;
use jiff::Timestamp;
use mora_core::Signal;
use mora_simulation::{Boutique, BoutiqueOptions};

fn main() -> anyhow::Result<()> {
    let days = std::env::args().nth(1).context("usage: boutique_csv DAYS")?.parse()?;
    let end = Timestamp::from_second(1_767_225_600)?;
    let boutique = Boutique::new(BoutiqueOptions { days, ..BoutiqueOptions::new(7, end) })?;
    let frontend = boutique.datasets().into_iter().find(|d| d.workload.name() == "frontend");
    let signals = frontend.context("the boutique has no frontend")?.signals();
    let series = signals.get(&Signal::Cpu).context("the frontend has no CPU usage")?;
    let mut text = String::from("time,cores\n");
    for (index, value) in series.values().iter().enumerate() {
        let value = value.map(|value| value.to_string()).unwrap_or_default();
        text.push_str(&format!("{},{value}\n", series.time(index).as_second()));
    }
    print!("{text}");
    Ok(())
}
