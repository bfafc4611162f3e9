//! Amounts and texts as people read them.

use jiff::Timestamp;
use mora_core::{Bytes, Millicores};
use mora_scan::{Change, Confidence, Proposed, Row, ScanReport, Severity};

/// What stands where nothing is set, or nothing should be.
pub(crate) const UNSET: &str = "unset";
/// What stands where nothing can be said; every format explains it.
pub(crate) const UNKNOWN: &str = "?";

/// A quantity as people read it.
pub(crate) trait Amount: Copy + PartialEq {
    /// Both quantities in few characters, and in one unit where that lets them be compared.
    fn pair(now: Option<Self>, next: Option<Self>) -> [Option<String>; 2];
}

impl Amount for Millicores {
    fn pair(now: Option<Self>, next: Option<Self>) -> [Option<String>; 2] {
        let both = [now, next];
        let are_whole = both.iter().flatten().all(|cpu| cpu.get().is_multiple_of(1000));
        both.map(|cpu| {
            cpu.map(|cpu| if are_whole { cpu.to_string() } else { format!("{}m", cpu.get()) })
        })
    }
}

impl Amount for Bytes {
    fn pair(now: Option<Self>, next: Option<Self>) -> [Option<String>; 2] {
        let both = [now, next];
        let all = |test: fn(u64) -> bool| both.iter().flatten().all(|bytes| test(bytes.get()));
        let in_mebibytes = all(|bytes| bytes.is_multiple_of(1 << 20) && bytes < 100 << 30);
        let in_gibibytes = all(|bytes| bytes.is_multiple_of(1 << 30));
        both.map(|bytes| {
            bytes.map(|bytes| match bytes.to_string() {
                _ if in_mebibytes && !in_gibibytes => format!("{}Mi", bytes.get() >> 20),
                exact if exact.len() <= 6 => exact,
                _ => scaled(bytes.get() as f64),
            })
        })
    }
}

/// Bytes in the largest binary unit that leaves at least 1, to one decimal.
fn scaled(bytes: f64) -> String {
    let units = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];
    let power = (bytes.max(1.0).log2() / 10.0).floor().min(6.0);
    format!("{:.1}{}", bytes / 1024f64.powf(power), units[power as usize])
}

/// What is set now and what is proposed.
pub(crate) fn pair<Q: Amount>(change: Change<Q>) -> [String; 2] {
    let [now, next] = Q::pair(change.current, change.recommended.value());
    let otherwise = match change.recommended {
        Proposed::Unknown => UNKNOWN,
        Proposed::Value(_) | Proposed::Unset => UNSET,
    };
    [now.unwrap_or_else(|| UNSET.to_owned()), next.unwrap_or_else(|| otherwise.to_owned())]
}

/// Whether what is set is what is proposed.
pub(crate) fn is_unchanged<Q: Amount>(change: Change<Q>) -> bool {
    match change.recommended {
        Proposed::Value(quantity) => change.current == Some(quantity),
        Proposed::Unset => change.current.is_none(),
        Proposed::Unknown => false,
    }
}

/// A signed whole number of percent; empty where there is none, or none to speak of.
pub(crate) fn percent(percent: Option<f64>) -> String {
    match percent.map(f64::round) {
        Some(whole) if whole != 0.0 => format!("{whole:+}%"),
        _ => String::new(),
    }
}

/// By how many percent `to` differs from `from`.
pub(crate) fn percent_between(from: f64, to: f64) -> Option<f64> {
    (from > 0.0).then(|| (to / from - 1.0) * 100.0)
}

/// An amount of money, to the cent below a hundred.
pub(crate) fn money(amount: f64) -> String {
    if amount.abs() < 99.995 { format!("{amount:.2}") } else { grouped(&format!("{amount:.0}")) }
}

/// Digits in groups of three.
fn grouped(digits: &str) -> String {
    let count = digits.len();
    let mark = |(i, c): (usize, char)| {
        let begins = i > 0 && (count - i).is_multiple_of(3) && c.is_ascii_digit();
        [begins.then_some(','), Some(c)].into_iter().flatten()
    };
    digits.chars().enumerate().flat_map(mark).collect()
}

/// CPU of many containers, in cores.
pub(crate) fn cores(cpu: Millicores) -> String {
    let text = format!("{:.2}", cpu.cores());
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let (whole, fraction) = text.split_once('.').map_or((text, None), |(w, f)| (w, Some(f)));
    let fraction = fraction.map(|digits| format!(".{digits}")).unwrap_or_default();
    format!("{}{fraction} cores", grouped(whole))
}

/// Memory of many containers, in GiB, or MiB below one.
pub(crate) fn memory(bytes: Bytes) -> String {
    let mebibytes = bytes.get() as f64 / f64::from(1 << 20);
    if mebibytes < 1024.0 {
        format!("{mebibytes:.0} MiB")
    } else {
        let text = format!("{:.1}", mebibytes / 1024.0);
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, "0"));
        format!("{}.{fraction} GiB", grouped(whole))
    }
}

/// Hours as people say them.
pub(crate) fn hours(hours: f64) -> String {
    if hours >= 48.0 {
        format!("{} days", (hours / 2.4).round() / 10.0)
    } else {
        format!("{} h", (hours * 10.0).round() / 10.0)
    }
}

/// An instant to the minute.
pub(crate) fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

/// The container, with when it runs where that is not all the time.
pub(crate) fn container(row: &Row) -> String {
    match row.role {
        mora_core::ContainerRole::Main => row.container.clone(),
        role => format!("{} ({})", row.container, role.as_str()),
    }
}

/// What scales the replicas, as in `3-12 at 60% CPU, advised 74%`; empty where nothing does.
pub(crate) fn autoscaler(row: &Row) -> String {
    let Some(autoscaler) = row.autoscaler else { return String::new() };
    let aim = autoscaler.cpu_percent.map(|aim| format!(" at {aim}% CPU")).unwrap_or_default();
    let advised =
        autoscaler.advised_cpu_percent.map(|p| format!(", advised {p}%")).unwrap_or_default();
    format!("{}-{}{aim}{advised}", autoscaler.min_replicas, autoscaler.max_replicas)
}

/// What a recommendation stands on, in full.
pub(crate) fn confidence(confidence: &Confidence) -> String {
    let pods = if confidence.pods == 1 { "1 pod" } else { &format!("{} pods", confidence.pods) };
    let observed = (confidence.observed_hours * 10.0).round() / 10.0;
    let record = match (confidence.coverage, confidence.origins) {
        (Some(coverage), Some(origins)) => {
            format!(", coverage {coverage:.3} of {origins} back-tests")
        }
        (Some(coverage), None) => format!(", coverage {coverage:.3}"),
        _ => String::new(),
    };
    let level = confidence.level.as_str();
    format!("{level}: {observed} of {} h, {pods}{record}", confidence.lookback_hours)
}

/// How the numbers came about, as a sentence.
pub(crate) fn provenance(report: &ScanReport) -> String {
    let span = (report.to.as_second() - report.from.as_second()) as f64 / 3600.0;
    let sources: Vec<String> =
        report.clusters.iter().map(|cluster| single_line(&cluster.prometheus)).collect();
    let sources =
        if sources.is_empty() { String::new() } else { format!(" from {}", sources.join(" and ")) };
    format!(
        "Strategy {}, {} of history to {}{sources}.",
        single_line(&report.strategy.name),
        hours(span),
        minute(report.to)
    )
}

/// Containers by severity, from the most urgent, as in `2 critical, 1 good`.
pub(crate) fn severities(report: &ScanReport) -> Vec<(Severity, usize)> {
    let count = |severity| report.summary.severities.get(&severity).copied().unwrap_or(0);
    Severity::ALL.into_iter().rev().map(|s| (s, count(s))).filter(|(_, n)| *n > 0).collect()
}

/// A number of things, in words.
pub(crate) fn counted(count: usize, one: &str, many: &str) -> String {
    format!("{} {}", grouped(&count.to_string()), if count == 1 { one } else { many })
}

/// The text on one line: a control character, which could move a terminal's cursor, is a space.
pub(crate) fn single_line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Notes of rows without repetition, in the order they first occur, and for each row the numbers (from 1) of its notes.
pub(crate) fn numbered_notes(rows: &[Row]) -> (Vec<String>, Vec<Vec<usize>>) {
    let mut notes: Vec<String> = Vec::new();
    let mut known = std::collections::BTreeMap::new();
    let numbers = |row: &Row| {
        let mut number = |note: &String| {
            *known.entry(note.clone()).or_insert_with(|| {
                notes.push(single_line(note));
                notes.len()
            })
        };
        row.notes.iter().map(&mut number).collect()
    };
    let of_rows = rows.iter().map(numbers).collect();
    (notes, of_rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_are_in_one_unit_where_that_lets_them_be_compared() {
        let cpu =
            |now, next| Millicores::pair(Some(Millicores::new(now)), Some(Millicores::new(next)));
        assert_eq!(cpu(1000, 1500).map(Option::unwrap), ["1000m", "1500m"]);
        assert_eq!(cpu(1000, 2000).map(Option::unwrap), ["1", "2"]);
        let memory = |now, next| Bytes::pair(Some(Bytes::new(now)), Some(Bytes::new(next)));
        assert_eq!(memory(2 << 30, 2100 << 20).map(Option::unwrap), ["2048Mi", "2100Mi"]);
        assert_eq!(memory(1 << 30, 4 << 30).map(Option::unwrap), ["1Gi", "4Gi"]);
        assert_eq!(memory(1_000_000_000, 1 << 20).map(Option::unwrap), ["953.7Mi", "1Mi"]);
        assert_eq!(memory(0, u64::MAX).map(Option::unwrap), ["0", "16.0Ei"]);
        assert_eq!(Bytes::pair(None, Some(Bytes::new(1 << 30))), [None, Some("1Gi".to_owned())]);
    }

    #[test]
    fn sums_and_money_are_grouped() {
        assert_eq!(cores(Millicores::new(14_350)), "14.35 cores");
        assert_eq!(cores(Millicores::new(12_345_000)), "12,345 cores");
        assert_eq!(memory(Bytes::from_mebibytes(1536)), "1.5 GiB");
        assert_eq!(memory(Bytes::from_mebibytes(512)), "512 MiB");
        assert_eq!(money(9.5), "9.50");
        assert_eq!(money(1_234_567.8), "1,234,568");
        assert_eq!(percent(Some(-71.6)), "-72%");
        assert_eq!(percent(Some(0.2)), "");
    }

    #[test]
    fn what_could_move_a_cursor_does_not_leave() {
        assert_eq!(single_line("a\u{1b}[2Jb\r\nc\u{9b}d"), "a [2Jb  c d");
    }
}
