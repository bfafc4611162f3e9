//! Putting a plan into force, and taking it back.
