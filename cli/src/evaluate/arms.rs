//! Where the arms of an evaluation come from: MOrA's from this command, the others from the evaluation itself.

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use jiff::SignedDuration;
use mora_core::{Bytes, Millicores};
use mora_evaluation::{Arm, ArmFactory, BuiltInArms, Configuration, RunContext, Setup};
use mora_planning::RequestShape;
use tokio::sync::Semaphore;

use super::mora_arm::{Asked, Libraries, MoraArm, MoraOptions};
use super::settings::{MORA, MoraSettings};
use crate::embedded::processors;

/// Where trained models are kept in the folder of an evaluation.
const MODELS: &str = "models";

/// Makes all arms.
pub(super) struct Arms {
    built_in: BuiltInArms,
    settings: MoraSettings,
    libraries: Arc<Libraries>,
    processors: Arc<Semaphore>,
}

impl Arms {
    /// The arms as `configuration` says, with models kept in `folder`.
    ///
    /// Fails when the settings of MOrA are another version's.
    pub(super) fn new(configuration: &Configuration, folder: &Path) -> anyhow::Result<Self> {
        let settings = configuration.arms.get(MORA).cloned().unwrap_or_default();
        let settings = serde_json::from_value(settings).context(
            "the settings of MOrA in configuration.json cannot be used; run it anew with another --results",
        )?;
        let libraries = Arc::new(Libraries::new(folder.join(MODELS)));
        let built_in = BuiltInArms::default();
        Ok(Self { built_in, settings, libraries, processors: processors() })
    }

    fn options(&self, context: &RunContext<'_>) -> MoraOptions {
        let RunContext { key, setup, scenario, .. } = context;
        let last = SignedDuration::from_hours(self.settings.last_fit_hours.into());
        MoraOptions {
            seed: key.seed,
            history_days: setup.history_days,
            members: self.settings.members.clone(),
            requests: RequestShape::Schedule,
            graph: true,
            follow_recent_load: true,
            limits: setup.limits,
            capacity: capacity(setup),
            every: self.settings.every(),
            fits_until: (setup.end(scenario) - last).max(setup.acts_from()),
            processors: self.processors.clone(),
        }
    }
}

fn capacity(setup: &Setup) -> (Millicores, Bytes) {
    let (cpu, memory) = (setup.nodes.iter().map(|n| n.cpu.get()), setup.nodes.iter());
    (Millicores::new(cpu.sum()), Bytes::new(memory.map(|node| node.memory.get()).sum()))
}

impl ArmFactory for Arms {
    fn make(&self, context: &RunContext<'_>) -> Result<Box<dyn Arm>, Box<dyn Error + Send + Sync>> {
        let key = context.key;
        let Some(options) = self.options(context).of(key.arm) else {
            return self.built_in.make(context);
        };
        let asked = Asked::with_margin(key.margin_thousandths, context.setup.limits);
        Ok(Box::new(MoraArm::new(key.arm, options, asked, self.libraries.clone())))
    }
}
