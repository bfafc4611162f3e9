//! What JMeter is told.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;
use std::{fs, io};

use super::{LoadError, LoadRequest};

/// The files of one load, by absolute paths: JMeter takes others from the plan's folder.
#[derive(Debug)]
pub(super) struct Files {
    /// One line per sample.
    pub(super) samples: PathBuf,
    /// What JMeter logs.
    pub(super) log: PathBuf,
    /// What JMeter prints.
    pub(super) output: PathBuf,
}

impl Files {
    /// Makes the folder, and removes the files of an earlier load, to which JMeter would append.
    pub(super) fn prepare(folder: &Path) -> Result<Self, LoadError> {
        let files = Self::emptied(folder);
        files.map_err(|source| LoadError::Folder { folder: folder.to_owned(), source })
    }

    fn emptied(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        let folder = std::path::absolute(folder)?;
        let file = |name| {
            let path = folder.join(name);
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(path),
            }
        };
        Ok(Self {
            samples: file("samples.csv")?,
            log: file("jmeter.log")?,
            output: file("jmeter.out")?,
        })
    }
}

/// What is read of the samples must not depend on an installation's `user.properties`. A form and the page that it leads to
/// are one sample. The port at which JMeter listens for a command to stop is not needed. At its end JMeter would otherwise wait
/// a minute for idle threads of an open plan.
const SETTINGS: [(&str, &str); 11] = [
    ("jmeter.save.saveservice.output_format", "csv"),
    ("jmeter.save.saveservice.print_field_names", "true"),
    ("jmeter.save.saveservice.default_delimiter", ","),
    ("jmeter.save.saveservice.timestamp_format", "ms"),
    ("jmeter.save.saveservice.time", "true"),
    ("jmeter.save.saveservice.label", "true"),
    ("jmeter.save.saveservice.successful", "true"),
    ("jmeter.save.saveservice.assertion_results_failure_message", "true"),
    ("jmeter.save.saveservice.subresults", "false"),
    ("jmeterengine.nongui.port", "0"),
    ("jmeterengine.force.system.exit", "true"),
];

/// JMeter 5.6 warns of every sample that its cookies replace themselves.
const QUIET: &str = "-Lorg.apache.jmeter.protocol.http.sampler.HTTPSamplerBase=ERROR";

/// The arguments that run `plan`; the request's own properties win over all others.
pub(super) fn arguments(plan: &Path, request: &LoadRequest, files: &Files) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = vec!["-n".into()];
    for (flag, path) in [("-t", plan), ("-l", &files.samples), ("-j", &files.log)] {
        arguments.extend([flag.into(), path.as_os_str().to_owned()]);
    }
    arguments.push(QUIET.into());
    let own = [
        ("host", request.host.clone()),
        ("port", request.port.to_string()),
        ("users", request.users.to_string()),
        ("ramp", whole_seconds(request.ramp)),
        ("duration", whole_seconds(request.duration)),
        ("think_time_ms", request.think_time.as_millis().to_string()),
    ];
    let settings = SETTINGS.iter().map(|(key, value)| property(key, value));
    let own = own.iter().map(|(key, value)| property(key, value));
    let further = request.properties.iter().map(|(key, value)| property(key, value));
    arguments.extend(settings.chain(own).chain(further));
    arguments
}

fn property(key: &str, value: &str) -> OsString {
    format!("-J{key}={value}").into()
}

fn whole_seconds(time: Duration) -> String {
    time.as_secs_f64().ceil().to_string()
}
