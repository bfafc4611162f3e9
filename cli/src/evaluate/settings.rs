//! What is evaluated: the command line over a file over defaults.

use std::collections::{BTreeMap, BTreeSet};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::{Path, PathBuf};

use anyhow::{Context, ensure};
use clap::Args;
use jiff::SignedDuration;
use mora_cluster_simulator::{Application, NodeSize, boutique, check_step};
use mora_core::LimitRule;
use mora_evaluation::{AS_IT_IS, ArmName, Configuration, Matrix, Objective, Scenario, Setup};
use mora_model_worker::Member;
use serde::{Deserialize, Serialize};

use super::cluster::{CLUSTER, ClusterArguments};

/// Namespace of the simulated shop.
const NAMESPACE: &str = "hipster-shop";
/// Under which the settings of MOrA stand in the configuration of an evaluation.
pub(super) const MORA: &str = "mora";
/// Margins are kept in thousandths; up to ten times what an arm asks for.
const MARGINS: std::ops::RangeInclusive<f64> = 0.1..=10.0;
/// Most copies of the application.
const MOST_COPIES: u32 = 1000;
/// Longest time that is judged.
const MOST_DAYS: f64 = 90.0;

/// Options of `mora evaluate run`.
#[derive(Debug, Args)]
pub(super) struct RunArguments {
    /// Folder for results, models and figures; one that holds runs of the same evaluation is gone on with
    #[arg(long, value_name = "DIR", alias = "output")]
    pub(super) results: PathBuf,
    /// File with any of the settings below and those in docs/evaluation.md; options count more
    #[arg(long)]
    config: Option<PathBuf>,
    /// Arms with commas between them, or all
    #[arg(long, value_name = "ARM", value_delimiter = ',')]
    arms: Vec<String>,
    /// Scenarios with commas between them, or all; `file:PATH` takes the shape of the load from a file
    #[arg(long, value_name = "SCENARIO", value_delimiter = ',')]
    scenarios: Vec<String>,
    /// Number of seeds, which begin at 1; 5 when absent
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    seeds: Option<u32>,
    /// Factors on what arms ask for of CPU, with commas between them; 1 when absent
    #[arg(long, value_name = "FACTOR", value_delimiter = ',')]
    margins: Vec<f64>,
    /// Days that are judged, in whole hours; as many as the scenario has when absent
    #[arg(long)]
    days: Option<f64>,
    /// Days of history before them; 14 when absent
    #[arg(long, value_name = "DAYS", value_parser = clap::value_parser!(u32).range(1..=90))]
    history_days: Option<u32>,
    /// Requests per second of users, mean over a week; 30 when absent
    #[arg(long, value_name = "RATE")]
    rate: Option<f64>,
    /// Application to simulate, as `mora evaluate calibrate` writes it; the Online Boutique when absent
    #[arg(long, value_name = "FILE")]
    application: Option<PathBuf>,
    /// Copies of the application behind one ingress, each with that rate; 1 when absent
    #[arg(long, value_name = "N")]
    copies: Option<u32>,
    /// Runs at once; as many as there are processors when absent
    #[arg(long, value_name = "N", alias = "parallel")]
    pub(super) jobs: Option<NonZeroUsize>,
    #[command(flatten)]
    cluster: ClusterArguments,
}

/// What a file can say of an evaluation; every key can be left out and an unknown one is an error.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    arms: Vec<String>,
    scenarios: Vec<String>,
    seeds: Option<u32>,
    margins: Vec<f64>,
    days: Option<f64>,
    history_days: Option<u32>,
    rate: Option<f64>,
    application: Option<PathBuf>,
    copies: Option<u32>,
    nodes: Option<Vec<NodeSize>>,
    objective: Option<Objective>,
    limits: Option<LimitRule>,
    settling_minutes: Option<u32>,
    step_milliseconds: Option<u32>,
    mora: MoraSettings,
}

/// How the arms that are MOrA are run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct MoraSettings {
    /// Time between two plans, in minutes.
    pub(super) every_minutes: NonZeroU32,
    /// Members of the ensemble that its workers fit.
    pub(super) members: BTreeSet<Member>,
    /// Hours before the end of the judged time from which nothing is trained any more: a fit costs more than all else of a run.
    pub(super) last_fit_hours: u32,
}

/// Half as often as the CronJob in `deploy` plans: a plan takes a third of a second, and a day has many.
const TEN_MINUTES: NonZeroU32 = NonZeroU32::new(10).unwrap();

impl Default for MoraSettings {
    fn default() -> Self {
        Self { every_minutes: TEN_MINUTES, members: Member::ALL.into(), last_fit_hours: 6 }
    }
}

impl MoraSettings {
    /// Time between two plans.
    pub(super) fn every(&self) -> SignedDuration {
        SignedDuration::from_mins(self.every_minutes.get().into())
    }
}

/// What `arguments` and the file they name ask for.
///
/// Fails when a name is not known, a number out of range, or a file cannot be read.
pub(super) fn configuration(arguments: &RunArguments) -> anyhow::Result<Configuration> {
    let mut file = arguments.config.as_deref().map(read::<File>).transpose()?.unwrap_or_default();
    let matrix = matrix(arguments, &file)?;
    let setup = setup(arguments, &file)?;
    let cluster = arguments.cluster.settings()?;
    if cluster.is_some() {
        let copies = arguments.copies.is_some() || file.copies.is_some();
        ensure!(!copies, "a cluster has the application once; leave out --copies and `copies`");
        let steps = file.step_milliseconds.is_some();
        ensure!(!steps, "a cluster has no steps; leave out `step_milliseconds`");
        // A fit takes longer than hours of a compressed day.
        file.mora.last_fit_hours = 24 * MOST_DAYS as u32;
    }
    let mora =
        serde_json::to_value(&file.mora).context("the settings of MOrA are not plain data")?;
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let mut arms = BTreeMap::from([(MORA.to_owned(), mora)]);
    if let Some(cluster) = cluster {
        let cluster = serde_json::to_value(cluster)
            .context("the settings of the cluster are not plain data")?;
        arms.insert(CLUSTER.to_owned(), cluster);
    }
    Ok(Configuration { version, setup, arms, matrix })
}

fn matrix(arguments: &RunArguments, file: &File) -> anyhow::Result<Matrix> {
    let all = |of: &[String]| of.is_empty() || of.iter().any(|name| name == "all");
    let arms = over(&arguments.arms, &file.arms);
    let arms = if all(arms) {
        ArmName::ALL.to_vec()
    } else {
        arms.iter().map(|name| name.parse()).collect::<Result<_, _>>()?
    };
    let named = over(&arguments.scenarios, &file.scenarios);
    let scenarios: Vec<Scenario> = if all(named) {
        Scenario::all()
    } else {
        named.iter().map(|name| name.parse()).collect::<Result<_, _>>()?
    };
    let seeds = arguments.seeds.or(file.seeds).unwrap_or(5);
    ensure!(seeds > 0, "there is no run without a seed; set `seeds` to at least 1");
    let margins = over(&arguments.margins, &file.margins);
    let margins = margins.iter().map(|margin| thousandths(*margin));
    let mut margins = margins.collect::<anyhow::Result<Vec<u32>>>()?;
    if margins.is_empty() {
        margins.push(AS_IT_IS);
    }
    Ok(Matrix {
        scenarios: scenarios.iter().map(|scenario| scenario.name().to_owned()).collect(),
        arms,
        seeds: (1..=u64::from(seeds)).collect(),
        margins,
    })
}

/// What the command line says, and where it says nothing what the file says.
fn over<'a, T>(arguments: &'a [T], file: &'a [T]) -> &'a [T] {
    if arguments.is_empty() { file } else { arguments }
}

fn thousandths(margin: f64) -> anyhow::Result<u32> {
    let (least, most) = MARGINS.into_inner();
    ensure!(
        MARGINS.contains(&margin),
        "{margin} is no margin; use factors from {least} to {most}, as in 0.8,1,1.25"
    );
    Ok((margin * 1000.0).round() as u32)
}

fn setup(arguments: &RunArguments, file: &File) -> anyhow::Result<Setup> {
    let rate = arguments.rate.or(file.rate).unwrap_or(30.0);
    ensure!(
        rate.is_finite() && rate > 0.0,
        "{rate} requests per second are no load; use a --rate above 0"
    );
    let path = arguments.application.as_ref().or(file.application.as_ref());
    let application = match path {
        Some(path) => read::<Application>(path)?
            .checked()
            .with_context(|| format!("{} is no application to simulate", path.display()))?,
        None => boutique(NAMESPACE, rate)?,
    };
    let copies = arguments.copies.or(file.copies).unwrap_or(1);
    ensure!(
        (1..=MOST_COPIES).contains(&copies),
        "{copies} copies of the application cannot be simulated; use 1 to {MOST_COPIES}"
    );
    let mut setup = if copies > 1 {
        Setup::new(application.copies(copies as usize)?, rate * f64::from(copies))
    } else {
        Setup::new(application, rate)
    };
    let days = arguments.days.or(file.days);
    setup.judged_hours = days.map(hours).transpose()?;
    let history_days = arguments.history_days.or(file.history_days);
    setup.history_days = history_days.unwrap_or(setup.history_days);
    setup.objective = file.objective.unwrap_or(setup.objective);
    setup.limits = file.limits.unwrap_or(setup.limits);
    setup.step_millis = file.step_milliseconds.unwrap_or(setup.step_millis);
    check_step(setup.step_millis).context("`step_milliseconds` cannot be used")?;
    setup.settling_minutes = file.settling_minutes.unwrap_or(setup.settling_minutes);
    if let Some(nodes) = &file.nodes {
        ensure!(!nodes.is_empty(), "a cluster has at least one node; list some under `nodes`");
        setup.nodes.clone_from(nodes);
    }
    Ok(setup)
}

fn hours(days: f64) -> anyhow::Result<u32> {
    let hours = days * 24.0;
    let whole = (hours - hours.round()).abs() < 1e-6 && hours >= 1.0 && days <= MOST_DAYS;
    ensure!(
        whole,
        "{days} days cannot be judged; use whole hours up to {MOST_DAYS} days, as in 1 or 0.25"
    );
    Ok(hours.round() as u32)
}

/// The YAML or JSON file at `path`.
pub(super) fn read<T: for<'de> Deserialize<'de>>(path: &Path) -> anyhow::Result<T> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("{} cannot be read; check the path", path.display()))?;
    serde_saphyr::from_str(&text)
        .with_context(|| format!("{} cannot be used; mend what is named", path.display()))
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        run: RunArguments,
    }

    fn asked(options: &[&str]) -> anyhow::Result<Configuration> {
        let line = [&["run", "--results", "r"], options].concat();
        configuration(&Line::try_parse_from(line)?.run)
    }

    #[test]
    fn everything_is_run_with_five_seeds_where_nothing_else_is_said() {
        let Configuration { matrix, setup, .. } = asked(&[]).unwrap();
        assert_eq!(matrix.arms, ArmName::ALL);
        assert_eq!(matrix.scenarios.len(), Scenario::all().len());
        assert_eq!((matrix.seeds, matrix.margins), (vec![1, 2, 3, 4, 5], vec![1000]));
        assert_eq!((setup.history_days, setup.judged_hours), (14, None));
        assert_eq!(setup.application.microservices.len(), 11);
    }

    #[test]
    fn copies_have_the_rate_each() {
        let copies = asked(&["--copies", "3", "--rate", "10"]).unwrap();
        let setup = &copies.setup;
        assert_eq!((setup.application.microservices.len(), setup.rate), (34, 30.0));
    }

    #[test]
    fn options_count_more_than_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("evaluation.yaml");
        let text = "arms: [stock, mora]\nseeds: 3\nmargins: [0.8, 1]\nmora: {every_minutes: 30}\n";
        std::fs::write(&path, text).unwrap();
        let path = path.to_str().unwrap();
        let configuration =
            asked(&["--config", path, "--seeds", "2", "--days", "0.25", "--arms", "vpa"]).unwrap();
        let matrix = &configuration.matrix;
        assert_eq!((&matrix.arms[..], matrix.seeds.len()), (&[ArmName::Vpa][..], 2));
        assert_eq!(
            (&matrix.margins[..], configuration.setup.judged_hours),
            (&[800, 1000][..], Some(6))
        );
        let mora: MoraSettings = serde_json::from_value(configuration.arms[MORA].clone()).unwrap();
        assert_eq!(mora.every(), SignedDuration::from_mins(30));
        std::fs::write(path, "mora: {every_minutes: 0}\n").unwrap();
        let error = format!("{:#}", asked(&["--config", path]).unwrap_err());
        assert!(error.contains("evaluation.yaml") && error.contains("zero"), "{error}");
        std::fs::write(path, "step_milliseconds: 1000\n").unwrap();
        assert_eq!(asked(&["--config", path]).unwrap().setup.step_millis, 1000);
        let on_cluster =
            ["--config", path, "--cluster", "--prometheus", "http://p:9090", "--host", "h"];
        let error = format!("{:#}", asked(&on_cluster).unwrap_err());
        assert!(error.contains("leave out `step_milliseconds`"), "{error}");
        std::fs::write(path, "step_milliseconds: 70\n").unwrap();
        let error = format!("{:#}", asked(&["--config", path]).unwrap_err());
        assert!(error.contains("steps of 70 ms") && error.contains("divides a second"), "{error}");
        std::fs::write(path, "arm: [stock]\n").unwrap();
        let error = format!("{:#}", asked(&["--config", path]).unwrap_err());
        assert!(error.contains("`arm`") && error.contains("evaluation.yaml"), "{error}");
    }

    #[test]
    fn what_cannot_be_is_refused_with_what_can() {
        for (options, told) in [
            (["--arms", "moar"], "use one of stock, baseline"),
            (["--scenarios", "calm"], "use one of realistic"),
            (["--seeds", "0"], "1..=1000"),
            (["--margins", "0"], "factors from 0.1 to 10"),
            (["--days", "0.1"], "whole hours"),
            (["--rate", "0"], "above 0"),
            (["--copies", "0"], "use 1 to 1000"),
            (["--application", "absent.yaml"], "absent.yaml cannot be read"),
        ] {
            let error = format!("{:#}", asked(&options).unwrap_err());
            assert!(error.contains(told), "{options:?}: {error}");
        }
    }
}
