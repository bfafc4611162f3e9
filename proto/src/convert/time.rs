//! Instants and lengths of time.

use jiff::{SignedDuration, Timestamp};
use mora_core::Step;

use crate::FieldError;

/// The instant as a protobuf timestamp.
#[must_use]
pub fn timestamp_to_wire(time: Timestamp) -> prost_types::Timestamp {
    let seconds = time.as_second();
    let nanos = time.subsec_nanosecond();
    // Protobuf counts nanoseconds forward even before 1970; jiff counts them backward there.
    let (seconds, nanos) =
        if nanos < 0 { (seconds - 1, nanos + 1_000_000_000) } else { (seconds, nanos) };
    prost_types::Timestamp { seconds, nanos }
}

/// The instant `name` holds; fails when it is absent or not representable.
pub fn timestamp_from_wire(
    wire: Option<prost_types::Timestamp>,
    name: &str,
) -> Result<Timestamp, FieldError> {
    let wire = wire.ok_or_else(|| FieldError::new(name, "is missing"))?;
    Timestamp::new(wire.seconds, wire.nanos)
        .map_err(|_| FieldError::new(name, "is not between the years -9999 and 9999"))
}

/// A length of time as a protobuf duration.
#[must_use]
pub fn duration_to_wire(length: SignedDuration) -> prost_types::Duration {
    prost_types::Duration { seconds: length.as_secs(), nanos: length.subsec_nanos() }
}

/// The spacing `name` holds; fails unless it is a positive whole number of seconds.
pub fn step_from_wire(wire: Option<prost_types::Duration>, name: &str) -> Result<Step, FieldError> {
    let wire = wire.ok_or_else(|| FieldError::new(name, "is missing"))?;
    u32::try_from(wire.seconds)
        .ok()
        .filter(|_| wire.nanos == 0)
        .and_then(Step::from_seconds)
        .ok_or_else(|| FieldError::new(name, "must be a positive whole number of seconds"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_round_trip_on_both_sides_of_1970() {
        for text in ["2026-03-01T12:00:00.5Z", "1969-12-31T23:59:59.25Z"] {
            let time: Timestamp = text.parse().unwrap();
            let wire = timestamp_to_wire(time);
            assert!(wire.nanos >= 0);
            assert_eq!(timestamp_from_wire(Some(wire), "start"), Ok(time));
        }
    }

    #[test]
    fn a_step_is_whole_seconds_above_zero() {
        let wire = |seconds, nanos| Some(prost_types::Duration { seconds, nanos });
        assert!(step_from_wire(wire(60, 0), "step").is_ok());
        for bad in [wire(0, 0), wire(-5, 0), wire(1, 5), None] {
            assert_eq!(step_from_wire(bad, "step").unwrap_err().path(), "step");
        }
    }
}
