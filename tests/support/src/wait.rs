//! Waiting for a condition, never for time.

use std::time::{Duration, Instant};

/// How long a test waits for what must come: generous, since it is only ever spent by a failing test.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Asks `probe` until it answers `Some`, or panics with `what` once `limit` is over.
///
/// # Panics
///
/// When `limit` passes.
pub fn until<T>(what: &str, limit: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(
            start.elapsed() < limit,
            "waited {:.1} s in vain: {what}",
            limit.as_secs_f64()
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
