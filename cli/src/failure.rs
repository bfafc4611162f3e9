//! What is said of a failure.

use mora_runtime::Exit;

/// How the process ends; a failure is told on standard error with its causes.
pub(crate) fn report(ended: anyhow::Result<Exit>) -> Exit {
    ended.unwrap_or_else(|error| {
        let causes = error.chain().map(|cause| with_own_keys(&cause.to_string()));
        let mut sentences = without_repetitions(causes).into_iter();
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

/// `sentences` without those that the one before them holds already, as errors of libraries that print their causes do.
fn without_repetitions(sentences: impl Iterator<Item = String>) -> Vec<String> {
    let mut kept: Vec<String> = Vec::new();
    for sentence in sentences {
        if !kept.last().is_some_and(|before| before.contains(&sentence)) {
            kept.push(sentence);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_those_that_the_command_reads() {
        let told = with_own_keys("mend source.prometheus.url; list source.prometheus.namespaces");
        assert_eq!(told, "mend prometheus.url; list prometheus.namespaces");
    }

    #[test]
    fn what_was_said_is_not_said_again() {
        let told = ["it cannot be read: no file", "no file", "the disk is full"];
        let kept = without_repetitions(told.into_iter().map(str::to_owned));
        assert_eq!(kept, ["it cannot be read: no file", "the disk is full"]);
    }
}
