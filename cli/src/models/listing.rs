//! The list of workloads and versions.

use std::path::Path;

use comfy_table::presets::UTF8_FULL_CONDENSED;
use comfy_table::{ContentArrangement, Table};
use jiff::{SignedDuration, Timestamp};
use mora_coordinator::Format;
use mora_core::{SignalForecast, WorkloadRef};
use mora_model_worker::{Library, LibraryError, Manifest};
use mora_runtime::with_causes;
use serde::Serialize;

/// A version in the list.
#[derive(Debug, Serialize)]
struct Listed {
    workload: WorkloadRef,
    version: String,
    serves: bool,
    /// Bytes of its files.
    bytes: u64,
    /// Seconds since its newest observation.
    age_seconds: Option<i64>,
    /// Why it cannot be read.
    problem: Option<String>,
    /// Its record.
    manifest: Option<Manifest>,
}

/// Every version of `workloads` below `root`, newest first, as text.
pub(super) fn listing(
    root: &Path,
    workloads: &[WorkloadRef],
    now: Timestamp,
    format: Format,
) -> anyhow::Result<String> {
    let mut versions = Vec::new();
    for workload in workloads {
        versions.extend(of_workload(root, workload, now)?);
    }
    super::structured(&versions, format, |versions| table(versions))
}

fn of_workload(
    root: &Path,
    workload: &WorkloadRef,
    now: Timestamp,
) -> Result<Vec<Listed>, LibraryError> {
    let library = Library::existing(root, workload);
    let current = library.current()?;
    let listed = |version: String| {
        let (manifest, problem) = match library.manifest(&version) {
            Ok(manifest) => (Some(manifest), None),
            Err(error) => (None, Some(with_causes(&error))),
        };
        Listed {
            workload: workload.clone(),
            serves: current.as_ref() == Some(&version),
            version,
            bytes: manifest.as_ref().map_or(0, Manifest::bytes),
            age_seconds: manifest.as_ref().map(|m| now.duration_since(m.data_until).as_secs()),
            problem,
            manifest,
        }
    };
    Ok(library.versions()?.into_iter().map(listed).collect())
}

fn table(versions: &[Listed]) -> String {
    let mut table = Table::new();
    table.load_style(UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["workload", "version", "state", "data", "signals", "size", "age"]);
    for listed in versions {
        table.add_row(row(listed));
    }
    format!("{table}\n")
}

fn row(listed: &Listed) -> [String; 7] {
    let Listed { workload, version, serves, bytes, age_seconds, problem, manifest } = listed;
    let state = match (serves, manifest.as_ref().and_then(Manifest::rejection)) {
        (true, _) => "serves",
        (false, Some(_)) => "rejected",
        (false, None) => "",
    };
    let (data, signals) = manifest.as_ref().map_or_else(
        || (String::new(), problem.clone().unwrap_or_default()),
        |manifest| (window(manifest), signals(manifest)),
    );
    let short = format!("{}/{}", workload.namespace(), workload.name());
    let age =
        age_seconds.map_or_else(String::new, |seconds| age(SignedDuration::from_secs(seconds)));
    [short, version.clone(), state.to_owned(), data, signals, size(*bytes), age]
}

fn window(manifest: &Manifest) -> String {
    let days = manifest.data_until.duration_since(manifest.data_from).as_hours() / 24;
    let until = manifest.data_until.strftime("%Y-%m-%d %H:%M");
    format!("{days} d to {until}\nslots of {} s", manifest.slot.seconds())
}

fn signals(manifest: &Manifest) -> String {
    let line = |(signal, summary): (&mora_core::Signal, &SignalForecast)| {
        format!("{signal}: {}", figures(summary))
    };
    manifest.signals.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// Rung, pinball ratio and coverage in a few words.
fn figures(summary: &SignalForecast) -> String {
    let ratio = summary.skill.pinball_ratio.map(|ratio| format!(", ratio {ratio:.2}"));
    let covered = summary.confidence.map(|c| format!(", {:.1} % covered", 100.0 * c.observed));
    format!("{}{}{}", summary.rung.as_str(), ratio.unwrap_or_default(), covered.unwrap_or_default())
}

/// Bytes in the largest binary unit that leaves at least 1.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..1_048_576 => format!("{} KiB", bytes.div_ceil(1024)),
        _ => format!("{:.1} MiB", bytes as f64 / 1_048_576.0),
    }
}

/// A length of time in days, hours or minutes.
pub(super) fn age(time: SignedDuration) -> String {
    match (time.as_hours(), time.as_mins()) {
        (hours, _) if hours >= 48 => format!("{} d", hours / 24),
        (hours, _) if hours >= 1 => format!("{hours} h"),
        (_, minutes) => format!("{minutes} min"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_ages_are_in_the_unit_a_reader_wants() {
        assert_eq!([900, 5000, 3_000_000].map(size), ["900 B", "5 KiB", "2.9 MiB"]);
        let ages = [59, 3600 * 47, 3600 * 24 * 9].map(|s| age(SignedDuration::from_secs(s)));
        assert_eq!(ages, ["0 min", "47 h", "9 d"]);
    }
}
