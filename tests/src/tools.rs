//! Where the programs are that the tests run.

use std::path::PathBuf;
use std::{env, io};

use thiserror::Error;

/// Why a program cannot be run.
#[derive(Debug, Error)]
pub enum ToolError {
    /// Nothing says where the tool is.
    #[error("{0} is not set; run the tests with scripts/test, which fetches what they need")]
    Unset(&'static str),
    /// The tool is not where the environment says.
    #[error("{variable} names {}, which is no file; run the tests with scripts/test, which fetches what they need", .path.display())]
    Missing {
        /// The environment variable.
        variable: &'static str,
        /// What it names.
        path: PathBuf,
    },
    /// A binary of this workspace has not been built.
    #[error("{} has not been built; run the tests with scripts/test, which builds every binary first", .0.display())]
    NotBuilt(PathBuf),
    /// The running test does not know its own path.
    #[error("the path of the running test is unknown")]
    OwnPath(#[source] io::Error),
}

/// The Prometheus server; fails when `MORA_TEST_PROMETHEUS` does not name a file.
pub fn prometheus() -> Result<PathBuf, ToolError> {
    tool("MORA_TEST_PROMETHEUS")
}

/// Prometheus' command-line tool; fails when `MORA_TEST_PROMTOOL` does not name a file.
pub fn promtool() -> Result<PathBuf, ToolError> {
    tool("MORA_TEST_PROMTOOL")
}

/// A Python interpreter with `grpcio`, `grpcio-reflection`, `onnxruntime` and `kubernetes-validate`; fails when
/// `MORA_TEST_PYTHON` does not name a file.
pub fn python() -> Result<PathBuf, ToolError> {
    tool("MORA_TEST_PYTHON")
}

/// `JMeter`'s start script; fails when `MORA_TEST_JMETER` does not name a file.
pub fn jmeter() -> Result<PathBuf, ToolError> {
    tool("MORA_TEST_JMETER")
}

/// Kubernetes' command-line tool; fails when `MORA_TEST_KUBECTL` does not name a file.
pub fn kubectl() -> Result<PathBuf, ToolError> {
    tool("MORA_TEST_KUBECTL")
}

/// A browser; fails when `MORA_TEST_CHROMIUM` does not name a file.
pub fn chromium() -> Result<PathBuf, ToolError> {
    tool("MORA_TEST_CHROMIUM")
}

/// The program that drives the browser; fails when `MORA_TEST_CHROMEDRIVER` does not name a file.
pub fn chromedriver() -> Result<PathBuf, ToolError> {
    tool("MORA_TEST_CHROMEDRIVER")
}

/// The binary `name` of this workspace, built with the same profile as the running test.
///
/// An example is named `examples/<name>`. Fails when it has not been built.
pub fn binary(name: &str) -> Result<PathBuf, ToolError> {
    let test = env::current_exe().map_err(ToolError::OwnPath)?;
    // Test binaries are in `deps`, one folder below the others.
    let folder = test.ancestors().nth(2).unwrap_or(&test);
    let path = folder.join(name);
    if path.is_file() { Ok(path) } else { Err(ToolError::NotBuilt(path)) }
}

fn tool(variable: &'static str) -> Result<PathBuf, ToolError> {
    let path = env::var_os(variable).filter(|path| !path.is_empty());
    let path = PathBuf::from(path.ok_or(ToolError::Unset(variable))?);
    if path.is_file() { Ok(path) } else { Err(ToolError::Missing { variable, path }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_tool_or_binary_names_the_command_that_provides_it() {
        let unset = tool("MORA_TEST_NO_SUCH_TOOL").unwrap_err().to_string();
        assert!(
            unset.contains("MORA_TEST_NO_SUCH_TOOL") && unset.contains("scripts/test"),
            "{unset}"
        );
        let not_built = binary("no-such-binary").unwrap_err().to_string();
        assert!(
            not_built.contains("no-such-binary") && not_built.contains("scripts/test"),
            "{not_built}"
        );
    }
}
