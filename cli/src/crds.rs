//! `mora crds`: the definitions of MOrA's custom resources.

use anyhow::Context;
use mora_kubernetes::custom_resource_definitions;
use mora_runtime::Exit;

use crate::stdout::print;

/// Runs the command; the definitions go to standard output.
pub(crate) fn crds() -> anyhow::Result<Exit> {
    print(&definitions()?)?;
    Ok(Exit::Success)
}

/// The definitions as YAML documents, always the same.
fn definitions() -> anyhow::Result<String> {
    let mut text = "# Made by `mora crds`; see docs/custom-resources.md.\n".to_owned();
    for definition in custom_resource_definitions() {
        let document = serde_saphyr::to_string(&definition).context("a definition is no YAML")?;
        text += "---\n";
        text += &document;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manifest_in_deploy_is_what_the_command_prints() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/base/crds.yaml");
        let kept = std::fs::read_to_string(path).unwrap();
        assert!(
            kept == definitions().unwrap(),
            "deploy/base/crds.yaml is out of date; write it anew with `mora crds > deploy/base/crds.yaml`"
        );
    }
}
