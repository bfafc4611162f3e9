//! Options that mean the same wherever they are: what their value is called, and the heading they stand under in a long list.

/// What is the same for an option of a name.
pub(super) struct Common {
    /// What its value is called.
    pub(super) value: Option<&'static str>,
    /// Its heading.
    pub(super) heading: &'static str,
}

const SOURCE: &str = "Source";
const CLUSTER: &str = "Cluster";
const SELECTION: &str = "Selection";
const OUTPUT: &str = "Output";
const PLAN: &str = "Plan";
const CONNECTION: &str = "Connection";
const CONFIGURATION: &str = "Configuration";
const METHOD: &str = "Method";
const RECORDING: &str = "Recording";
const EXPERIMENT: &str = "Experiment";
const LOAD: &str = "Load";
const CHANGES: &str = "Changes";

/// Each option by its identifier.
const OPTIONS: &[(&str, Option<&str>, &str)] = &[
    ("prometheus", Some("URL"), SOURCE),
    ("prometheus_token_file", Some("FILE"), SOURCE),
    ("prometheus_ca_file", Some("FILE"), SOURCE),
    ("lookback_hours", Some("HOURS"), SOURCE),
    ("at", Some("TIME"), SOURCE),
    ("cluster", None, CLUSTER),
    ("no_cluster", None, CLUSTER),
    ("context", Some("CONTEXT"), CLUSTER),
    ("namespace", Some("NAMESPACE"), SELECTION),
    ("workload", Some("PATTERN"), SELECTION),
    ("only", Some("NAME"), SELECTION),
    ("meta", Some("FILE"), SELECTION),
    ("condition", Some("COLUMN=VALUE"), SELECTION),
    ("config", Some("FILE"), CONFIGURATION),
    ("process", Some("PROCESS"), CONFIGURATION),
    ("output", Some("FORMAT"), OUTPUT),
    ("report", Some("FILE"), OUTPUT),
    ("to", Some("FILE"), OUTPUT),
    ("per_series", None, OUTPUT),
    ("coordinator", Some("URL"), PLAN),
    ("collector", Some("URL"), CONNECTION),
    ("state", Some("DIR"), PLAN),
    ("entries", Some("WORKLOAD=FACTOR"), PLAN),
    ("tls_certificate", Some("FILE"), CONNECTION),
    ("tls_key", Some("FILE"), CONNECTION),
    ("tls_authority", Some("FILE"), CONNECTION),
    ("token_file", Some("FILE"), CONNECTION),
    ("library", Some("DIR"), CONFIGURATION),
    ("version", Some("VERSION"), SELECTION),
    ("keep", Some("N"), CHANGES),
    ("days", Some("DAYS"), SOURCE),
    ("end", Some("TIME"), SOURCE),
    ("seed", Some("SEED"), METHOD),
    ("call_graph", Some("FILE"), SOURCE),
    ("mode", Some("MODE"), CHANGES),
    ("dry_run", None, CHANGES),
    ("force", None, CHANGES),
    ("yes", None, CHANGES),
    ("output_folder", Some("DIR"), CHANGES),
    ("data", Some("FILE"), RECORDING),
    ("series", Some("COLUMN"), RECORDING),
    ("value", Some("COLUMN"), RECORDING),
    ("time", Some("COLUMN"), RECORDING),
    ("sample", Some("LENGTH"), METHOD),
    ("slot", Some("LENGTH"), METHOD),
    ("history", Some("LENGTH"), METHOD),
    ("lookback", Some("LENGTH"), METHOD),
    ("origins", Some("N"), METHOD),
    ("validation", Some("SHARE"), METHOD),
    ("risk", Some("SHARE"), METHOD),
    ("method", Some("METHODS"), METHOD),
    ("holidays", Some("FILE"), METHOD),
    ("tuning_budget", Some("N"), METHOD),
    ("jobs", Some("N"), METHOD),
    ("resume", Some("FILE"), CHANGES),
    ("restore", None, CHANGES),
    ("target", Some("WORKLOAD"), EXPERIMENT),
    ("scenario", Some("PLAN"), EXPERIMENT),
    ("replicas", Some("N"), EXPERIMENT),
    ("users", Some("N"), EXPERIMENT),
    ("bed", Some("BED"), EXPERIMENT),
    ("pause_autoscalers", None, EXPERIMENT),
    ("results", Some("DIR"), OUTPUT),
    ("arms", Some("ARM"), EXPERIMENT),
    ("scenarios", Some("SCENARIO"), EXPERIMENT),
    ("seeds", Some("N"), METHOD),
    ("margins", Some("FACTOR"), METHOD),
    ("history_days", Some("DAYS"), SOURCE),
    ("rate", Some("RATE"), LOAD),
    ("plans", Some("DIR"), LOAD),
    ("compression", Some("FACTOR"), LOAD),
    ("from", Some("TIME"), SOURCE),
    ("until", Some("TIME"), SOURCE),
    ("scrape_seconds", Some("SECONDS"), SOURCE),
    ("step_seconds", Some("SECONDS"), SOURCE),
    ("node_cpu", Some("CORES"), CLUSTER),
    ("node_memory", Some("GIB"), CLUSTER),
    ("application", Some("FILE"), LOAD),
    ("copies", Some("N"), LOAD),
    ("host", Some("HOST"), LOAD),
    ("port", Some("PORT"), LOAD),
    ("jmeter", Some("FILE"), LOAD),
];

/// What is the same for the option `id` wherever it is.
pub(super) fn common(id: &str) -> Option<Common> {
    let (_, value, heading) = OPTIONS.iter().find(|(name, ..)| *name == id)?;
    Some(Common { value: *value, heading })
}

/// The identifiers that are known.
#[cfg(test)]
pub(super) fn known() -> impl Iterator<Item = &'static str> {
    OPTIONS.iter().map(|(id, ..)| *id)
}
