//! `mora man`: manual pages.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use clap_mangen::{Man, generate_to};
use mora_runtime::Exit;

use crate::progress::say;
use crate::stdout::print;
use crate::tree::tree;

/// Options of `mora man`.
#[derive(Debug, Args)]
pub(crate) struct ManArguments {
    /// Write a page for each command to this folder, which is made if need be; without it the first page is printed
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
}

/// Runs the command.
pub(crate) fn man(arguments: &ManArguments) -> anyhow::Result<Exit> {
    let Some(folder) = &arguments.to else {
        let mut page = Vec::new();
        Man::new(tree()).render(&mut page)?;
        print(&String::from_utf8(page)?)?;
        return Ok(Exit::Success);
    };
    std::fs::create_dir_all(folder).and_then(|()| generate_to(tree(), folder)).with_context(
        || {
            format!(
                "cannot write manual pages to {}; name another folder with --to",
                folder.display()
            )
        },
    )?;
    say(&format!("manual pages: {}; show one with `man -l FILE`", folder.display()));
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_a_page_for_each_command_with_its_examples() {
        let folder = tempfile::tempdir().unwrap();
        let to = folder.path().join("man1");
        man(&ManArguments { to: Some(to.clone()) }).unwrap();
        for name in ["mora", "mora-recommend", "mora-train-clean-experiments", "mora-config-init"] {
            let page = std::fs::read_to_string(to.join(format!("{name}.1"))).unwrap();
            assert!(page.starts_with(".ie \\n(.g .ds Aq \\(aq") || page.contains(".TH"), "{name}");
            assert!(name == "mora" || page.contains("Examples"), "{page}");
        }
        assert!(!to.join("mora-reference.1").exists(), "what is hidden has no page");
    }
}
