//! How many requests users make.

/// The load on the entry of an application.
pub trait Demand: Send + Sync {
    /// Requests per second expected at `second` since the Unix epoch, at least 0.
    fn rate(&self, second: f64) -> f64;
}

impl<F: Fn(f64) -> f64 + Send + Sync> Demand for F {
    fn rate(&self, second: f64) -> f64 {
        self(second)
    }
}
