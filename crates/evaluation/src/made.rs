//! What tests are made with.

use mora_cluster_simulator::boutique;

use crate::Setup;

/// Three hours of a boutique from its second night hour on, after a day of history.
pub(crate) fn setup() -> Setup {
    let application = boutique("shop", 30.0).unwrap();
    Setup {
        history_days: 1,
        history_step_millis: 10_000,
        settling_minutes: 30,
        judged_hours: Some(1),
        ..Setup::new(application, 30.0)
    }
}
