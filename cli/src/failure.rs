//! What is said of a failure.

use mora_runtime::Exit;

/// How the process ends; a failure is told on standard error with its causes.
pub(crate) fn report(ended: anyhow::Result<Exit>) -> Exit {
    ended.unwrap_or_else(|error| {
        let mut sentences = error.chain().map(|cause| with_own_keys(&cause.to_string()));
        eprintln!("error: {}", sentences.next().unwrap_or_default());
        sentences.for_each(|cause| eprintln!("  because: {cause}"));
        Exit::Failure
    })
}

/// `sentence` with the keys of the command's own configuration, where Prometheus stands at the top and not, as in a
/// collector's, below `source`.
pub(crate) fn with_own_keys(sentence: &str) -> String {
    sentence.replace("source.prometheus", "prometheus")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_that_the_command_reads() {
        let told = with_own_keys("mend source.prometheus.url; list source.prometheus.namespaces");
        assert_eq!(told, "mend prometheus.url; list prometheus.namespaces");
    }
}
