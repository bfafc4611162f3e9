//! The machine, as node-exporter and kube-state-metrics would tell of it.

use std::fs::read_to_string;

use super::exposition::{Exposition, Kind};

/// Ticks of the kernel's clock per second, the same on every Linux.
const TICKS: f64 = 100.0;
/// The columns of `/proc/stat` that node-exporter tells.
const MODES: [&str; 8] = ["user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"];
/// The lines of `/proc/meminfo` that tell what is in use, and node-exporter's names for them.
const MEMORY: [(&str, &str); 3] = [
    ("MemTotal:", "node_memory_MemTotal_bytes"),
    ("MemFree:", "node_memory_MemFree_bytes"),
    ("Inactive(file):", "node_memory_Inactive_file_bytes"),
];

/// Adds what the kernel tells; what it does not is left out.
pub(super) fn node(page: &mut Exposition) {
    let read = |path| read_to_string(path).unwrap_or_default();
    let name = read("/proc/sys/kernel/hostname");
    let (stat, memory) = (read("/proc/stat"), read("/proc/meminfo"));
    let name = name.trim();
    page.metric("node_uname_info", Kind::Gauge, "The name of the machine");
    page.sample("node_uname_info", &[("nodename", name)], 1.0);
    cpu(page, &stat);
    for (line, metric) in MEMORY {
        if let Some(bytes) = bytes(&memory, line) {
            page.metric(metric, Kind::Gauge, "Memory of the machine");
            page.sample(metric, &[], bytes);
        }
    }
    allocatable(page, name, processors(&stat).count() as f64, bytes(&memory, "MemTotal:"));
}

fn cpu(page: &mut Exposition, stat: &str) {
    const CPU: &str = "node_cpu_seconds_total";
    page.metric(CPU, Kind::Counter, "Time of the machine's processors");
    for (processor, ticks) in processors(stat) {
        for (mode, ticks) in MODES.iter().zip(ticks) {
            page.sample(CPU, &[("cpu", processor), ("mode", mode)], ticks / TICKS);
        }
    }
}

/// All of it: nothing is kept back for the system.
fn allocatable(page: &mut Exposition, node: &str, cores: f64, memory: Option<f64>) {
    const ALLOCATABLE: &str = "kube_node_status_allocatable";
    page.metric(ALLOCATABLE, Kind::Gauge, "What pods may claim");
    let memory = memory.map(|bytes| ("memory", "byte", bytes));
    for (resource, unit, value) in [("cpu", "core", cores)].into_iter().chain(memory) {
        let labels = [("node", node), ("resource", resource), ("unit", unit)];
        page.sample(ALLOCATABLE, &labels, value);
    }
}

/// The number of each processor and its ticks by mode.
fn processors(stat: &str) -> impl Iterator<Item = (&str, Vec<f64>)> {
    stat.lines().filter_map(|line| {
        let (name, ticks) = line.split_once(' ')?;
        let number = name.strip_prefix("cpu").filter(|number| !number.is_empty())?;
        Some((number, ticks.split_whitespace().map_while(|ticks| ticks.parse().ok()).collect()))
    })
}

fn bytes(meminfo: &str, name: &str) -> Option<f64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: f64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_told_one_by_one_and_not_their_sum() {
        let stat = "cpu  30 0 7 90 1 0 0 0 0 0\ncpu0 10 0 3 40 1 0 0 0 0 0\ncpu1 20 0 4 50 0 0 0 0\nintr 5";
        let mut page = Exposition::default();
        cpu(&mut page, stat);
        let text = page.into_text();
        assert!(text.contains("node_cpu_seconds_total{cpu=\"1\",mode=\"idle\"} 0.5"), "{text}");
        assert_eq!(text.lines().count(), 2 + 2 * MODES.len());
    }

    #[test]
    fn memory_is_in_kibibytes() {
        let meminfo = "MemTotal:       24 kB\nInactive(file):  3 kB\n";
        assert_eq!(bytes(meminfo, "Inactive(file):"), Some(3072.0));
        assert_eq!(bytes(meminfo, "MemFree:"), None);
    }
}
