//! What a process uses, as the kernel tells it.

use std::io;
use std::path::Path;

/// Ticks of the kernel's clock per second, the same on every Linux.
const TICKS: f64 = 100.0;

/// CPU and memory of a process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ProcessUsage {
    /// In user and kernel mode since its start, in seconds.
    pub(crate) cpu_seconds: f64,
    /// Its resident set.
    pub(crate) resident_bytes: u64,
}

impl ProcessUsage {
    /// Of the process with a number, or of `self`.
    ///
    /// Fails when there is none, as when it has just ended.
    pub(crate) fn of(process: &str) -> io::Result<Self> {
        let folder = Path::new("/proc").join(process);
        let stat = std::fs::read_to_string(folder.join("stat"))?;
        let status = std::fs::read_to_string(folder.join("status"))?;
        let read = cpu_seconds(&stat).zip(resident_bytes(&status));
        let (cpu_seconds, resident_bytes) = read.ok_or(io::ErrorKind::InvalidData)?;
        Ok(Self { cpu_seconds, resident_bytes })
    }
}

/// Fields 14 and 15 of `stat`; the second, the program's name in parentheses, may hold anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(") ")?;
    let mut fields = after_name.split(' ').skip(11);
    let (user, system) = (fields.next()?.parse::<u64>().ok()?, fields.next()?.parse::<u64>().ok()?);
    Some((user + system) as f64 / TICKS)
}

/// `VmRSS` of `status`. A process that is a zombie has none.
fn resident_bytes(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_with_parentheses_and_blanks_is_passed_over() {
        let stat = "7 (a) b (c) S 1 7 7 0 -1 4194304 98 0 0 0 150 25 0 0 20 0 1 0 1548064 313 381";
        assert_eq!(cpu_seconds(stat), Some(1.75));
        assert_eq!(cpu_seconds("7 (a"), None);
    }

    #[test]
    fn the_resident_set_is_in_kibibytes() {
        assert_eq!(resident_bytes("Name:\tx\nVmRSS:\t    1720 kB\n"), Some(1720 * 1024));
        assert_eq!(resident_bytes("Name:\tzombie\n"), None);
    }

    #[test]
    fn this_process_uses_memory() {
        assert!(ProcessUsage::of("self").unwrap().resident_bytes > 100_000);
        assert!(ProcessUsage::of("0").is_err());
    }
}
