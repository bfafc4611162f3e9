//! Refusals of values on the command line, with what to write instead.

use std::error::Error as _;
use std::num::{IntErrorKind, ParseFloatError, ParseIntError};

use clap::error::{ContextKind, ContextValue};

/// `error` with advice where the reason alone, as in "invalid float literal", tells nobody what to write.
pub(crate) fn advised(mut error: clap::Error) -> clap::Error {
    if let Some(advice) = error.source().and_then(advice) {
        let advice = ContextValue::StyledStrs(vec![advice.into()]);
        error.insert(ContextKind::Suggested, advice);
    }
    error
}

fn advice(reason: &(dyn std::error::Error + 'static)) -> Option<&'static str> {
    if reason.is::<ParseFloatError>() {
        return Some("write a number without a unit, such as 1.5");
    }
    if reason.is::<jiff::Error>() {
        return Some("write an instant with its offset, such as 2026-03-03T06:00:00Z");
    }
    match reason.downcast_ref::<ParseIntError>()?.kind() {
        IntErrorKind::PosOverflow | IntErrorKind::NegOverflow => Some("write a smaller number"),
        IntErrorKind::Zero => Some("write a whole number from 1 on"),
        _ => Some("write a whole number without a unit, such as 2"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_no_number_or_instant_is_refused_with_one_that_is() {
        let run = ["mora", "evaluate", "run", "--results", "r"];
        let validate = ["mora", "evaluate", "validate", "--prometheus", "http://p"];
        for (command, option, value, told) in [
            (&run, "--margins", "3%", "such as 1.5"),
            (&run, "--seeds", "many", "such as 2"),
            (&run, "--jobs", "0", "from 1 on"),
            (&run, "--seeds", "99999999999999999999", "a smaller number"),
            (&validate, "--from", "yesterday", "2026-03-03T06:00:00Z"),
        ] {
            let line = [&command[..], &[option, value]].concat();
            let error = crate::tree::tree().try_get_matches_from(line).unwrap_err();
            let text = advised(error).to_string();
            assert!(text.contains(value) && text.contains(told), "{text}");
        }
    }
}
