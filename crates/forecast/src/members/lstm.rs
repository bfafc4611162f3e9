//! An LSTM with quantile heads: it reads how the last slots departed from their profile, and says how
//! each slot of the next day will.
//!
//! Input and output are in spreads about the profile that [`super::hour_of_week`] walks through the
//! history, so that a network that has learned nothing already answers the profile. Training is
//! our own ([`network`], [`train`]); the fitted network is exported to ONNX ([`export`]) and
//! answers from there ([`serve`]).

pub(crate) mod export;
pub(crate) mod features;
pub(crate) mod network;
pub(crate) mod serve;
pub(crate) mod train;
