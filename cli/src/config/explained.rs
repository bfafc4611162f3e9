//! What each key of each configuration is for: the one table behind `mora config init` and the reference. That it is complete and
//! has no key too many is tested against the keys that the configurations take.

mod cluster;
mod policy;
mod processes;
mod prometheus;
mod scan;
mod training;

use super::Process;

/// Keys that belong together and may stand in several configurations.
pub(super) struct Section {
    /// What they are called in the reference.
    pub(super) name: &'static str,
    /// What they decide, in a sentence.
    pub(super) about: &'static str,
    /// Where they stand: the process, and the key above them, which is empty for those at the top.
    pub(super) places: &'static [(Process, &'static str)],
    /// Each key below that place with what it is for.
    pub(super) keys: &'static [(&'static str, &'static str)],
}

impl Section {
    /// What `key` of `process` is for, if it is in this section.
    fn explanation(&self, process: Process, key: &str) -> Option<&'static str> {
        let places = self.places.iter().filter(|(of, _)| *of == process);
        let mut own = places.filter_map(|(_, place)| below(place, key));
        own.find_map(|key| self.keys.iter().find(|(name, _)| *name == key)).map(|(_, text)| *text)
    }
}

/// The rest of `key` after `place`; nothing where it does not stand there.
pub(super) fn below<'a>(place: &str, key: &'a str) -> Option<&'a str> {
    if place.is_empty() { Some(key) } else { key.strip_prefix(place)?.strip_prefix('.') }
}

/// All sections, in the order of the reference.
pub(super) fn sections() -> impl Iterator<Item = &'static Section> {
    let tables = [
        processes::SECTIONS,
        prometheus::SECTIONS,
        scan::SECTIONS,
        policy::SECTIONS,
        cluster::SECTIONS,
        training::SECTIONS,
    ];
    tables.into_iter().flatten()
}

/// What `key` of the configuration of `process` is for.
pub(super) fn explanation(process: Process, key: &str) -> Option<&'static str> {
    sections().find_map(|section| section.explanation(process, key))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_key_of_every_configuration_is_explained() {
        for process in Process::ALL {
            let keys = process.configuration().keys;
            let lacking: Vec<&str> = keys
                .iter()
                .map(|key| key.path.as_str())
                .filter(|path| !path.ends_with("[]") && !path.ends_with(".*"))
                .filter(|path| explanation(process, path).is_none())
                .collect();
            assert!(
                lacking.is_empty(),
                "{process:?}: say what these are for, in cli/src/config/explained/: {lacking:#?}"
            );
        }
    }

    #[test]
    fn no_key_is_explained_that_no_configuration_takes() {
        for section in sections() {
            for (process, place) in section.places {
                let keys: BTreeSet<String> =
                    process.configuration().keys.into_iter().map(|key| key.path).collect();
                for (key, _) in section.keys {
                    let path =
                        if place.is_empty() { (*key).to_owned() } else { format!("{place}.{key}") };
                    assert!(keys.contains(&path), "{process:?} takes no key `{path}`");
                }
            }
        }
    }

    #[test]
    fn an_explanation_is_one_line_that_a_table_and_a_comment_can_hold() {
        for (key, text) in sections().flat_map(|section| section.keys) {
            assert!(!text.contains('\n') && !text.contains('|'), "{key}: {text}");
            assert!(!text.is_empty() && !text.ends_with('.'), "{key}: {text}");
        }
    }
}
