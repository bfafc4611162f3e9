//! A card as one page with plots: no network, light and dark.

use anyhow::Context;
use jiff::{SignedDuration, Timestamp};
use mora_core::{Quantile, Signal};
use mora_model_worker::{BACK_TEST_QUANTILES, BackTestSlot, SignalModel, WorkloadModel};

use super::card::{Card, Section, next_slot};
use crate::report::plot::{Line, chart, stepped};
use crate::report::{STYLE, escape};

/// Indices of the median and the upper path in [`BACK_TEST_QUANTILES`].
const DRAWN: [(usize, &str); 2] = [(0, "median"), (2, "upper")];

const LEGEND: &str = "<p class=\"legend\"><span class=\"history\">observed</span> \
    <span class=\"median\">forecast, median</span> <span class=\"upper\">forecast, 0.95</span></p>\n";

/// The page of `card`, whose version is `model`; fails when the model does not answer.
pub(super) fn page(card: &Card, model: &WorkloadModel) -> anyhow::Result<String> {
    let title = escape(&format!("{} {}", card.workload, card.version));
    let mut page =
        String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n";
    page += &format!(
        "<title>{title}</title>\n<style>{STYLE}td {{ text-align: left; overflow-wrap: anywhere; }}</style>\n"
    );
    page += &format!(
        "</head>\n<body>\n<h1>{title}</h1>\n<p class=\"finding\">{}</p>\n",
        escape(&card.state)
    );
    page += LEGEND;
    for (signal, model) in &model.signals {
        page += &format!("<h2>{signal}</h2>\n");
        page += &back_test(*signal, model);
        page += &next_day(*signal, model, next_slot(card))
            .with_context(|| format!("the {signal} model does not answer for the next day"))?;
    }
    page.extend(card.sections().iter().map(section));
    page += "</body>\n</html>\n";
    Ok(page)
}

fn section(section: &Section) -> String {
    let row = |row: &Vec<String>| {
        let cells: String = row.iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
        format!("<tr>{cells}</tr>\n")
    };
    let rows: String = section.rows.iter().map(row).collect();
    format!("<h2>{}</h2>\n<table>\n{rows}</table>\n", escape(&section.title))
}

/// The name and the size of the unit a signal is drawn in.
const fn unit(signal: Signal) -> (&'static str, f64) {
    match signal {
        Signal::Cpu => ("CPU, cores over all pods", 1.0),
        Signal::Memory => ("memory of the largest pod, MiB", 1_048_576.0),
        Signal::RequestRate => ("requests per second", 1.0),
    }
}

fn back_test(signal: Signal, model: &SignalModel) -> String {
    let slots = model.back_test();
    if slots.is_empty() {
        return "<p class=\"note\">the history allowed no back-test</p>\n".to_owned();
    }
    let points = |value: &dyn Fn(&BackTestSlot) -> f64| {
        stepped(slots.iter().map(|slot| (slot.start, value(slot))).collect(), model.slot())
    };
    let mut lines = vec![Line { class: "history", points: points(&|slot| slot.observed) }];
    lines.extend(
        DRAWN.map(|(level, class)| Line { class, points: points(&|slot| slot.levels[level]) }),
    );
    let (name, unit) = unit(signal);
    chart(&format!("back-test on days held out: {name}"), &lines, unit)
}

fn next_day(signal: Signal, model: &SignalModel, start: Timestamp) -> anyhow::Result<String> {
    let slot = model.slot();
    let slots = (SignedDuration::from_hours(24).as_secs() / i64::from(slot.seconds())) as usize;
    let mut lines = Vec::new();
    for (level, class) in DRAWN {
        let quantile = Quantile::new(BACK_TEST_QUANTILES[level])?;
        let path = model.forecast(start, slots, &[quantile])?.paths.remove(&quantile);
        let at = |index| start.saturating_add(slot.times(index)).unwrap_or(Timestamp::MAX);
        let points = path.unwrap_or_default().into_iter().enumerate();
        let points = stepped(points.map(|(index, value)| (at(index), value)).collect(), slot);
        lines.push(Line { class, points });
    }
    let (name, unit) = unit(signal);
    Ok(chart(&format!("forecast of the next day: {name}"), &lines, unit))
}
