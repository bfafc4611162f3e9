//! Pages that say why there is no page.

use axum::extract::rejection::FormRejection;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Response};
use tonic::{Code, Status};

use super::page::escaped;

/// Why a request is not answered as asked.
#[derive(Debug)]
pub(super) struct Refusal {
    status: StatusCode,
    message: String,
}

impl Refusal {
    /// A form that is not filled in as it should be.
    pub(super) fn form(message: String) -> Self {
        Self { status: StatusCode::UNPROCESSABLE_ENTITY, message }
    }

    /// A page that does not exist.
    pub(super) fn nowhere(path: &str) -> Self {
        Self { status: StatusCode::NOT_FOUND, message: format!("there is no page {path}") }
    }
}

/// What a service refuses because of what it was given is the visitor's; everything else is ours.
impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        let answered = match status.code() {
            Code::NotFound => StatusCode::NOT_FOUND,
            Code::InvalidArgument | Code::FailedPrecondition => StatusCode::UNPROCESSABLE_ENTITY,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self { status: answered, message: status.message().to_owned() }
    }
}

impl From<FormRejection> for Refusal {
    fn from(rejection: FormRejection) -> Self {
        Self { status: rejection.status(), message: rejection.body_text() }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if self.status.is_server_error() {
            tracing::warn!(message = self.message, "a page failed");
        }
        let message = escaped(&self.message);
        let body = format!(
            "<!doctype html><html><head><title>Online Boutique</title></head><body>\
             <h1>Uh, oh!</h1><p class=\"error\">{}</p><p>{message}</p></body></html>\n",
            self.status
        );
        (self.status, Html(body)).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_that_fails_is_a_500_and_what_a_visitor_gave_a_4xx() {
        let answered = |code| Refusal::from(Status::new(code, "")).status.as_u16();
        assert_eq!(answered(Code::NotFound), 404);
        assert_eq!(answered(Code::InvalidArgument), 422);
        assert_eq!(answered(Code::FailedPrecondition), 422);
        for code in [Code::Unavailable, Code::Internal, Code::DeadlineExceeded, Code::Unknown] {
            assert_eq!(answered(code), 500);
        }
    }
}
