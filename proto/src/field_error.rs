//! A field that is absent or outside its range, named by its path.

use thiserror::Error;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// A field of a message that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("field `{path}`: {problem}")]
pub struct FieldError {
    path: String,
    problem: String,
}

impl FieldError {
    #[allow(clippy::needless_pass_by_value, reason = "callers hand over the error they have")]
    /// The field at `path` (from the message down, dots between names) has `problem`.
    #[must_use]
    pub fn new(path: &str, problem: impl ToString) -> Self {
        Self { path: path.to_owned(), problem: problem.to_string() }
    }

    /// The same field seen from the message that holds it as `outer`.
    #[must_use]
    pub fn within(self, outer: &str) -> Self {
        let separator = if self.path.starts_with('[') || self.path.is_empty() { "" } else { "." };
        Self { path: format!("{outer}{separator}{}", self.path), ..self }
    }

    /// The path of the field.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }
}

impl From<FieldError> for Status {
    /// `INVALID_ARGUMENT` with a `google.rpc.BadRequest` detail that names the field.
    fn from(error: FieldError) -> Self {
        let mut details = ErrorDetails::new();
        details.add_bad_request_violation(&error.path, &error.problem);
        Self::with_error_details(Code::InvalidArgument, error.to_string(), details)
    }
}

/// The converted content of `field`, which must be present.
///
/// Fails with `name` in the path when the field is absent or does not convert.
pub fn required<W, D>(field: Option<W>, name: &str) -> Result<D, FieldError>
where
    D: TryFrom<W, Error = FieldError>,
{
    let wire = field.ok_or_else(|| FieldError::new(name, "is missing"))?;
    D::try_from(wire).map_err(|error| error.within(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_grows_from_the_inside_out() {
        let error =
            FieldError::new("name", "is empty").within("workload").within("[2]").within("entries");
        assert_eq!(error.path(), "entries[2].workload.name");
    }

    #[test]
    fn a_status_carries_the_violation_as_a_rich_error() {
        let status = Status::from(FieldError::new("horizon", "is negative"));
        assert_eq!(status.code(), Code::InvalidArgument);
        let violations = status.get_details_bad_request().unwrap().field_violations;
        assert_eq!(violations[0].field, "horizon");
    }
}
