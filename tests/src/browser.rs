//! A real browser without a window, driven through `ChromeDriver`.

use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use thiserror::Error;

use crate::process::{Process, ProcessError};
use crate::tools::{self, ToolError};

const START: Duration = Duration::from_mins(1);
/// What the driver says when another process has its port, and how often it is started.
const PORT_TAKEN: &str = "Address already in use";
const TRIES: u32 = 5;
/// The key under which `WebDriver` names an element.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";
const FLAGS: [&str; 9] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=1400,1000",
];

/// Why the browser did not do what it was told.
#[derive(Debug, Error)]
pub enum BrowserError {
    /// A program is not there.
    #[error(transparent)]
    Tool(#[from] ToolError),
    /// The driver does not start.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// No folder for the browser's profile.
    #[error("no folder can be made for the browser's profile")]
    Profile(#[source] std::io::Error),
    /// The driver does not answer.
    #[error("the browser's driver does not answer")]
    Http(#[from] reqwest::Error),
    /// The driver refuses.
    #[error("the browser's driver refuses `{command}`: {answer}")]
    Refused {
        /// What it was told.
        command: String,
        /// What it said.
        answer: Value,
    },
    /// The driver's first words name no port.
    #[error("the browser's driver names no port in `{0}`")]
    NoPort(String),
}

/// A browser with one page.
///
/// [`Browser::close`] ends it; a test that may panic runs inside a task, so that this is reached.
#[derive(Debug, Clone)]
pub struct Browser {
    http: reqwest::Client,
    session: String,
}

/// A driver and its port.
///
/// The driver takes a free port of IPv6 and ends where the one of IPv4 with that number is taken, so it is tried again.
fn start_driver() -> Result<(Process, String), BrowserError> {
    let mut tries = 0;
    let (driver, line) = loop {
        // It names its port on standard output, and a process is listened to on standard error.
        let mut command = Command::new("sh");
        command.args(["-c", "exec \"$0\" --port=0 >&2"]).arg(tools::chromedriver()?);
        let driver = Process::spawn("chromedriver", &mut command)?;
        tries += 1;
        match driver.wait_for_line("started successfully on port", START) {
            Err(ProcessError::NoLine { log, .. }) if tries < TRIES && log.contains(PORT_TAKEN) => {}
            line => break (driver, line?),
        }
    };
    let port: String = line.chars().filter(char::is_ascii_digit).collect();
    if port.is_empty() { Err(BrowserError::NoPort(line)) } else { Ok((driver, port)) }
}

/// What ends with a browser.
#[derive(Debug)]
pub struct BrowserGuard {
    _driver: Process,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser on a system that prefers light or dark pages.
    ///
    /// Fails when `MORA_TEST_CHROMIUM` or `MORA_TEST_CHROMEDRIVER` names no program, or one does not start.
    pub async fn start(dark: bool) -> Result<(Self, BrowserGuard), BrowserError> {
        let chromium = tools::chromium()?;
        let profile = tempfile::tempdir().map_err(BrowserError::Profile)?;
        let (driver, port) = start_driver()?;
        let mut flags: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
        flags.push(format!("--user-data-dir={}", profile.path().display()));
        flags.extend(dark.then(|| "--force-dark-mode".to_owned()));
        let options = json!({ "binary": chromium, "args": flags });
        let wanted = json!({ "capabilities": { "alwaysMatch": {
            "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } } } });
        // An error means that a provider is installed already.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let http = reqwest::Client::builder().no_proxy().timeout(START).build()?;
        let sessions = format!("http://127.0.0.1:{port}/session");
        let answer = answered(http.post(&sessions).json(&wanted), "session").await?;
        let id = answer["sessionId"].as_str().unwrap_or_default().to_owned();
        let browser = Self { http, session: format!("{sessions}/{id}") };
        Ok((browser, BrowserGuard { _driver: driver, _profile: profile }))
    }

    /// Opens a page and waits until it is loaded.
    ///
    /// Fails when the driver refuses.
    pub async fn open(&self, address: &str) -> Result<(), BrowserError> {
        self.tell("url", &json!({ "url": address })).await.map(|_| ())
    }

    /// Runs a script in the page and gives what it returns.
    ///
    /// Fails when it throws.
    pub async fn run(&self, script: &str) -> Result<Value, BrowserError> {
        self.tell("execute/sync", &json!({ "script": script, "args": [] })).await
    }

    /// Clicks the first element that a CSS selector finds, as a person would.
    ///
    /// Fails when there is none, or it cannot be reached.
    pub async fn click(&self, selector: &str) -> Result<(), BrowserError> {
        let element = self.element(selector).await?;
        self.tell(&format!("element/{element}/click"), &json!({})).await.map(|_| ())
    }

    /// Types into the first element that a CSS selector finds.
    ///
    /// Fails when there is none, or it takes no text.
    pub async fn keys(&self, selector: &str, text: &str) -> Result<(), BrowserError> {
        let element = self.element(selector).await?;
        let command = format!("element/{element}/value");
        self.tell(&command, &json!({ "text": text })).await.map(|_| ())
    }

    /// What pages have written to the console since this was last asked, errors of the browser's own included.
    ///
    /// Fails when the driver refuses.
    pub async fn console(&self) -> Result<Vec<String>, BrowserError> {
        let entries = self.tell("se/log", &json!({ "type": "browser" })).await?;
        let entries = entries.as_array().cloned().unwrap_or_default();
        Ok(entries.iter().map(|entry| entry["message"].to_string()).collect())
    }

    /// Ends the browser.
    ///
    /// Fails when the driver refuses.
    pub async fn close(&self) -> Result<(), BrowserError> {
        answered(self.http.delete(&self.session), "close").await.map(|_| ())
    }

    async fn element(&self, selector: &str) -> Result<String, BrowserError> {
        let wanted = json!({ "using": "css selector", "value": selector });
        let found = self.tell("element", &wanted).await?;
        Ok(found[ELEMENT].as_str().unwrap_or_default().to_owned())
    }

    async fn tell(&self, command: &str, body: &Value) -> Result<Value, BrowserError> {
        let request = self.http.post(format!("{}/{command}", self.session)).json(body);
        answered(request, &format!("{command} {body}")).await
    }
}

/// The `value` of the driver's answer.
async fn answered(request: reqwest::RequestBuilder, command: &str) -> Result<Value, BrowserError> {
    let response = request.send().await?;
    let is_done = response.status().is_success();
    let mut answer: Value = response.json().await?;
    let answer = answer["value"].take();
    if is_done {
        Ok(answer)
    } else {
        Err(BrowserError::Refused { command: command.to_owned(), answer })
    }
}
