//! Wire to domain and back, one module per part of the vocabulary.

pub(crate) mod dataset;
mod forecast;
mod justification;
mod node;
mod plan;
mod series;
pub(crate) mod time;
pub(crate) mod training;
mod violation;
mod workload;

use crate::FieldError;

/// Converts every element; a failure names `name[index]`.
fn each<W, D>(wires: Vec<W>, name: &str) -> Result<Vec<D>, FieldError>
where
    D: TryFrom<W, Error = FieldError>,
{
    wires
        .into_iter()
        .enumerate()
        .map(|(index, wire)| D::try_from(wire).map_err(|e| e.within(&format!("{name}[{index}]"))))
        .collect()
}

/// The value itself when it is finite and not negative.
fn amount(value: f64, name: &str) -> Result<f64, FieldError> {
    let value = finite(value, name)?;
    (value >= 0.0).then_some(value).ok_or_else(|| FieldError::new(name, "is negative"))
}

/// The value itself when it is finite.
fn finite(value: f64, name: &str) -> Result<f64, FieldError> {
    value
        .is_finite()
        .then_some(value)
        .ok_or_else(|| FieldError::new(name, format!("{value} is not a finite number")))
}
