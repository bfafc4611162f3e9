//! A simulated Online Boutique: weeks of series with the shape of the real application and a truth
//! that is known, also for the time after the series end.
//!
//! Everything is a pure function of the options and an instant: any window of the same boutique
//! shows the same values, so a forecast can be held against what "happened" next.

mod boutique;
mod load;
mod noise;
mod observation;
mod outage;
mod pods;
mod profile;
mod traffic;
mod window;

pub use boutique::{Boutique, BoutiqueError, BoutiqueOptions, NODE};
pub use load::Load;
pub use profile::{EDGES, Edge, Leak, Memory, PROFILES, Profile, replicas_at};
