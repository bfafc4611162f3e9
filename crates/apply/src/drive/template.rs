//! Changing pod templates.

use std::collections::BTreeMap;

use mora_kubernetes::PodTemplate;
use serde_json::json;

use super::{Driver, Ended, Making, TRIES};
use crate::actuator::{is_absent, is_stale, said};
use crate::check::{TemplateVerdict, Verdict, template_change};
use crate::record::{ChangeState, Pair, Place, RecordError, Records};
use crate::{Actuator, Outcome};

impl<A: Actuator, R: Records> Driver<'_, A, R> {
    /// Changes the pod template of the workload; its rollout is not waited for.
    pub(super) async fn patch(&self, making: &mut Making<'_>) -> Result<Ended, RecordError> {
        let intent = making.intent;
        for _ in 0..TRIES {
            let template = match self.actuator.template(&intent.workload).await {
                Ok(template) => template,
                Err(error) if is_absent(&error) => {
                    return Ok((Outcome::LeftAlone, "it is gone".to_owned()));
                }
                Err(error) => return Ok((Outcome::Failed, said(&error))),
            };
            let pods = match self.actuator.pods(&intent.workload).await {
                Ok(pods) => pods,
                Err(error) => return Ok((Outcome::Failed, said(&error))),
            };
            let wanted = match template_change(making.plan, intent, &template, &pods) {
                Verdict::Unchanged => {
                    return Ok((Outcome::Unchanged, "its template asks for it already".to_owned()));
                }
                Verdict::Leave(reason) => return Ok((Outcome::LeftAlone, reason)),
                Verdict::Change(wanted) => wanted,
            };
            if let Some(ended) = self.write_template(making, &template, wanted).await? {
                return Ok(ended);
            }
        }
        Ok((Outcome::Failed, format!("it was changed by others {TRIES} times meanwhile")))
    }

    /// Writes down and makes one change of `template`; `None` when that has changed meanwhile.
    async fn write_template(
        &self,
        making: &mut Making<'_>,
        template: &PodTemplate,
        wanted: TemplateVerdict,
    ) -> Result<Option<Ended>, RecordError> {
        let TemplateVerdict { change, containers } = wanted;
        let (uid, plan_before) = (template.uid.clone(), template.plan.clone());
        let place = Place::Template { uid, plan_before, containers };
        let index = self.begin(making, place).await?;
        match self.actuator.apply(template, &change).await {
            Ok(after) => {
                if let Place::Template { containers, .. } = &mut making.applied.changes[index].place
                {
                    take_in(containers, &after);
                }
                self.note(making, index, ChangeState::Made).await?;
                Ok(Some((Outcome::Applied, "its pod template was changed".to_owned())))
            }
            Err(error) if is_stale(&error) => Ok(None),
            Err(error) => Ok(Some((Outcome::Failed, said(&error)))),
        }
    }
}

/// Lets the record have what the API made of the change, which may spell it differently.
fn take_in(containers: &mut BTreeMap<String, Pair>, after: &PodTemplate) {
    for (name, pair) in containers {
        pair.after = after.resources(name).cloned().unwrap_or_else(|| json!({}));
    }
}
