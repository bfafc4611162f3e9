//! One replica of a workload: a child process that takes the place of a pod.

use std::collections::BTreeMap;
use std::io::{self, BufRead, BufReader};
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use crate::generated_names::letters;
use crate::peer::POD_IP;
use crate::serve::Announcement;
use crate::service_name::ServiceName;

use super::traffic::{Addresses, Traffic};

/// How long the first restart waits; each further one waits twice as long as the one before.
const BACK_OFF: Duration = Duration::from_millis(250);
/// At most so many times twice as long.
const DOUBLINGS: u32 = 6;
/// How long a process may take to end after it was asked to.
const GRACE: Duration = Duration::from_secs(7);

/// What is needed to start a process of any service.
#[derive(Debug)]
pub(super) struct Launcher {
    /// This program.
    pub(super) program: PathBuf,
    pub(super) namespace: String,
    /// Where the balancer of each service listens.
    pub(super) balancers: BTreeMap<ServiceName, SocketAddr>,
}

/// A replica. Its name stays when its process is started again, as a pod's does when its container is.
#[derive(Debug)]
pub(super) struct Pod {
    pub(super) name: String,
    pub(super) restarts: u32,
    /// Its own, at which it serves and from which it calls.
    address: IpAddr,
    traffic: Arc<Traffic>,
    process: Option<Running>,
    start_at: Instant,
}

/// A process; killed when dropped.
#[derive(Debug)]
struct Running {
    child: Child,
    /// Never written to: the process stops when this is closed, also by the end of this one.
    input: Option<ChildStdin>,
    announced: Arc<OnceLock<Announcement>>,
    started: SystemTime,
}

/// A replica that was asked to stop.
#[derive(Debug)]
pub(super) struct Ending {
    process: Running,
    deadline: Instant,
}

/// What can be told of a replica now.
#[derive(Debug, Clone)]
pub(super) struct PodState {
    pub(super) name: String,
    pub(super) restarts: u32,
    /// The process's number and its start in seconds since 1970, if there is one.
    pub(super) process: Option<(u32, f64)>,
    /// Where it serves and its metrics are, once it is ready.
    pub(super) ready: Option<(SocketAddr, SocketAddr)>,
    pub(super) traffic: Arc<Traffic>,
}

impl Pod {
    /// A pod of a replica set, whose process is still to be started.
    pub(super) fn new(replica_set: &str, addresses: &Addresses, now: Instant) -> Self {
        let (address, traffic) = addresses.assign();
        let name = format!("{replica_set}-{}", letters(5));
        Self { name, restarts: 0, address, traffic, process: None, start_at: now }
    }

    /// Starts the process where there is none and it is time; notices where one has ended.
    pub(super) fn keep(&mut self, launcher: &Launcher, service: ServiceName, now: Instant) {
        if self.process.as_mut().is_some_and(Running::has_ended) {
            self.process = None;
            self.start_at = now + back_off(self.restarts);
            self.restarts += 1;
            tracing::warn!(pod = self.name, restarts = self.restarts, "a process ended");
        }
        if self.process.is_none() && now >= self.start_at {
            match launcher.start(service, self.address) {
                Ok(process) => self.process = Some(process),
                Err(error) => {
                    tracing::error!(pod = self.name, %error, "a process cannot be started");
                    self.start_at = now + back_off(DOUBLINGS);
                }
            }
        }
    }

    pub(super) fn state(&self) -> PodState {
        let started = |running: &Running| {
            let since = running.started.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            (running.child.id(), since.as_secs_f64())
        };
        let announced = self.process.as_ref().and_then(|running| running.announced.get());
        PodState {
            name: self.name.clone(),
            restarts: self.restarts,
            process: self.process.as_ref().map(started),
            ready: announced.map(|told| (told.address, told.metrics)),
            traffic: self.traffic.clone(),
        }
    }

    /// Gives its address back and asks the process, if there is one, to stop.
    pub(super) fn end(self, addresses: &Addresses, now: Instant) -> Option<Ending> {
        addresses.release(self.address);
        let mut process = self.process?;
        drop(process.input.take());
        Some(Ending { process, deadline: now + GRACE })
    }
}

impl Ending {
    /// Whether it is gone; past its time it is made to.
    pub(super) fn is_gone(&mut self, now: Instant) -> bool {
        if now >= self.deadline {
            self.process.kill();
        }
        self.process.has_ended()
    }
}

fn back_off(restarts: u32) -> Duration {
    BACK_OFF * 2_u32.pow(restarts.min(DOUBLINGS))
}

impl Launcher {
    fn start(&self, service: ServiceName, address: IpAddr) -> io::Result<Running> {
        let mut child = self.command(service, address).spawn()?;
        let announced = Arc::<OnceLock<Announcement>>::default();
        if let Some(output) = child.stdout.take() {
            let announced = announced.clone();
            // Ends with the process, whose output ends then.
            std::thread::spawn(move || listen(output, &announced));
        }
        let input = child.stdin.take();
        Ok(Running { child, input, announced, started: SystemTime::now() })
    }

    fn command(&self, service: ServiceName, address: IpAddr) -> Command {
        let mut command = Command::new(&self.program);
        command.args(["serve", service.as_str(), "--stop-with-input"]);
        let listen = SocketAddr::new(address, 0).to_string();
        command.args(["--listen", &listen, "--metrics-listen", &listen]);
        command.args(["--namespace", &self.namespace]);
        for callee in service.callees() {
            if let Some(address) = self.balancers.get(callee) {
                command.env(callee.address_variable(), address.to_string());
            }
        }
        command
            .env(POD_IP, address.to_string())
            .env_remove("PORT")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped());
        command
    }
}

impl Running {
    fn has_ended(&mut self) -> bool {
        // What the system does not know any more has ended, too.
        !matches!(self.child.try_wait(), Ok(None))
    }

    fn kill(&mut self) {
        // One that cannot be killed is gone already.
        let _gone = self.child.kill();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill();
        let _gone = self.child.wait();
    }
}

/// Reads what the process says of itself, and everything after it, so that it never waits for a reader.
fn listen(output: ChildStdout, announced: &OnceLock<Announcement>) {
    for line in BufReader::new(output).lines().map_while(Result::ok) {
        if let Ok(told) = serde_json::from_str(&line) {
            // Only the first counts.
            let _again = announced.set(told);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restarts_wait_longer_each_time_up_to_sixteen_seconds() {
        let waits = [0, 1, 2, 6, 7, 1000].map(|n| back_off(n).as_millis());
        assert_eq!(waits, [250, 500, 1000, 16_000, 16_000, 16_000]);
    }

    #[test]
    fn a_service_is_told_of_its_callees_only() {
        let addresses = ServiceName::ALL.map(|service| (service, "127.0.0.1:9".parse().unwrap()));
        let (program, namespace) = ("boutique".into(), "shop".to_owned());
        let launcher = Launcher { program, namespace, balancers: addresses.into() };
        let command = launcher.command(ServiceName::Cart, [127, 64, 0, 1].into());
        let set: Vec<_> = command.get_envs().filter(|(_, value)| value.is_some()).collect();
        let of = |name: &'static str, value: &'static str| (name.as_ref(), Some(value.as_ref()));
        assert_eq!(set, [of("POD_IP", "127.64.0.1"), of("REDIS_ADDR", "127.0.0.1:9")]);
    }
}
