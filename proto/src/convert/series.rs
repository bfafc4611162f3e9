//! Series with their gaps.

use mora_core::Series;

use super::time::{duration_to_wire, step_from_wire, timestamp_from_wire, timestamp_to_wire};
use crate::{FieldError, v1};

/// Values with gaps split into plain numbers and ascending gap indices.
pub(super) fn split_gaps(values: &[Option<f64>]) -> (Vec<f64>, Vec<u32>) {
    let gaps = (0u32..).zip(values).filter(|(_, v)| v.is_none()).map(|(i, _)| i).collect();
    (values.iter().map(|v| v.unwrap_or_default()).collect(), gaps)
}

/// The reverse of [`split_gaps`]; fails on an index past the end and on a value that is not finite.
pub(super) fn join_gaps(values: Vec<f64>, gaps: &[u32]) -> Result<Vec<Option<f64>>, FieldError> {
    let mut joined: Vec<Option<f64>> = values.into_iter().map(Some).collect();
    for (position, gap) in gaps.iter().enumerate() {
        let cell = joined.get_mut(*gap as usize);
        let path = format!("gaps[{position}]");
        *cell.ok_or_else(|| FieldError::new(&path, format!("{gap} is past the last value")))? =
            None;
    }
    let bad = joined.iter().position(|v| v.is_some_and(|v| !v.is_finite()));
    bad.map_or(Ok(joined), |index| {
        Err(FieldError::new(&format!("values[{index}]"), "is not finite; list a gap instead"))
    })
}

impl From<&Series> for v1::Series {
    fn from(series: &Series) -> Self {
        let (values, gaps) = split_gaps(series.values());
        Self {
            start: Some(timestamp_to_wire(series.start())),
            step: Some(duration_to_wire(series.step().times(1))),
            values,
            gaps,
        }
    }
}

impl TryFrom<v1::Series> for Series {
    type Error = FieldError;

    fn try_from(wire: v1::Series) -> Result<Self, FieldError> {
        let start = timestamp_from_wire(wire.start, "start")?;
        let step = step_from_wire(wire.step, "step")?;
        let values = join_gaps(wire.values, &wire.gaps)?;
        Self::new(start, step, values).map_err(|error| FieldError::new("values", error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;
    use mora_core::Step;

    #[test]
    fn gaps_survive_the_wire() {
        let values = vec![None, Some(0.0), None, Some(2.5)];
        let series = Series::new(Timestamp::UNIX_EPOCH, Step::MINUTE, values).unwrap();
        assert_eq!(Series::try_from(v1::Series::from(&series)), Ok(series));
    }

    #[test]
    fn a_value_that_is_no_number_is_named_by_its_index() {
        let series = Series::new(Timestamp::UNIX_EPOCH, Step::MINUTE, vec![Some(1.0); 3]).unwrap();
        let mut wire = v1::Series::from(&series);
        wire.values[2] = f64::NAN;
        assert_eq!(Series::try_from(wire.clone()).unwrap_err().path(), "values[2]");
        wire.gaps = vec![9];
        assert_eq!(Series::try_from(wire).unwrap_err().path(), "gaps[0]");
    }
}
