//! Records in a folder, in the objects of plans, or in both.

use super::{AppliedPlan, Held, Journal, PlanObjects, RecordError, Records};

/// Where the records of a run are kept; one of both is enough.
#[derive(Debug, Clone)]
pub struct Kept {
    journal: Option<Journal>,
    objects: Option<PlanObjects>,
}

impl Kept {
    /// Records in `journal` and `objects`.
    ///
    /// Fails when there is neither.
    pub fn new(
        journal: Option<Journal>,
        objects: Option<PlanObjects>,
    ) -> Result<Self, RecordError> {
        if journal.is_none() && objects.is_none() {
            return Err(RecordError::Nowhere);
        }
        Ok(Self { journal, objects })
    }

    /// Keeps other runs with the same folder from changing anything until the answer is dropped.
    ///
    /// Fails when another run does, and when the folder cannot be used.
    pub fn hold(&self) -> Result<Option<Held>, RecordError> {
        self.journal.as_ref().map(Journal::hold).transpose()
    }

    /// Where records are looked for, for messages.
    #[must_use]
    pub fn places(&self) -> String {
        let folder = self.journal.as_ref().map(|j| j.folder().display().to_string());
        let objects = self.objects.as_ref().map(|o| format!("namespace {}", o.namespace));
        folder.into_iter().chain(objects).collect::<Vec<_>>().join(" and ")
    }
}

impl Records for Kept {
    async fn save(&self, applied: &AppliedPlan) -> Result<(), RecordError> {
        let in_folder = match &self.journal {
            Some(journal) => Some(journal.save(applied).await?),
            None => None,
        };
        let Some(objects) = &self.objects else { return Ok(()) };
        match objects.save(applied).await {
            Err(error) if in_folder.is_some() => {
                // The folder has it, which is enough to undo everything.
                tracing::warn!("{}", crate::actuator::said(&error));
                Ok(())
            }
            saved => saved,
        }
    }

    async fn load(&self, plan: &str) -> Result<Option<AppliedPlan>, RecordError> {
        if let Some(journal) = &self.journal
            && let Some(applied) = journal.load(plan).await?
        {
            return Ok(Some(applied));
        }
        match &self.objects {
            Some(objects) => objects.load(plan).await,
            None => Ok(None),
        }
    }
}
