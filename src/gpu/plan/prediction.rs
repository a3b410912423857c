//! How long the dispatches of a program will take.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::gpu::conv::cost_model::{Rates, nanoseconds};
use crate::gpu::program::context::GpuOp;
use crate::gpu::program::options::PlanOptions;
use crate::gpu::program::program::Program;
use crate::gpu::program::recipe::Capabilities;

/// The nanoseconds that a unit of a program's work takes by the cost model, or by the cost of a round if the op has no
/// model.
pub(crate) fn unit_of_work<O: GpuOp>(
    op: &O,
    program: &Program,
    capabilities: &Capabilities,
    options: &PlanOptions,
) -> f64 {
    let work = program.dispatches().map(|dispatch| program.work(dispatch)).fold(0, u64::saturating_add);
    let by_model = op.predict(&program.recipe, capabilities, options).filter(|_| work > 0);
    match by_model {
        Some(time) => time.as_secs_f64() * 1e9 / work as f64,
        None => Rates::of(capabilities.device_type).unit_of_work(),
    }
}

/// The time of each of a program's dispatches, if a unit of work takes so many nanoseconds.
pub(crate) fn times(program: &Program, unit: f64) -> Vec<Duration> {
    program.dispatches().map(|dispatch| nanoseconds(program.work(dispatch) as f64 * unit)).collect()
}

/// The units of work that take so long; at least one.
#[allow(clippy::cast_possible_truncation, reason = "more work than a u64 counts is no bound")]
pub(crate) fn units(time: Duration, unit: f64) -> u64 {
    ((time.as_secs_f64() * 1e9 / unit) as u64).max(1)
}

/// How much longer work takes on a device than predicted.
#[derive(Debug)]
pub(crate) struct TimeFactor(Mutex<Factor>);

#[derive(Clone, Copy, Debug)]
struct Factor {
    value: f64,
    /// The time that was measured for it; zero for a factor that the caller set.
    #[cfg_attr(target_arch = "wasm32", allow(dead_code, reason = "nothing is measured in a browser"))]
    measured: Duration,
}

impl TimeFactor {
    pub(crate) fn new(value: f64) -> Self {
        Self(Mutex::new(Factor { value, measured: Duration::ZERO }))
    }

    pub(crate) fn get(&self) -> f64 {
        self.locked().value
    }

    /// Takes the caller's factor, until a time is measured.
    pub(crate) fn set(&self, value: f64) -> Result<()> {
        if !(value.is_finite() && value > 0.0) {
            return Err(Error::InvalidParameter { what: "time factor", value, must: "positive and finite" });
        }
        *self.locked() = Factor { value, measured: Duration::ZERO };
        Ok(())
    }

    /// Takes the factor of a measured time, unless a longer one was measured before: the start of a dispatch, which is
    /// not predicted, counts less in a long time.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn learn(&self, measured: Duration, predicted: Duration) {
        let mut factor = self.locked();
        if measured > factor.measured && !predicted.is_zero() {
            *factor = Factor { value: factor.value * measured.div_duration_f64(predicted), measured };
        }
    }

    fn locked(&self) -> MutexGuard<'_, Factor> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_measured_time_decides() {
        let factor = TimeFactor::new(1.0);
        assert!(matches!(factor.set(0.0), Err(Error::InvalidParameter { value: 0.0, .. })));
        assert!(matches!(factor.set(f64::NAN), Err(Error::InvalidParameter { .. })));
        factor.set(2.0).unwrap();
        let milliseconds = Duration::from_millis;
        factor.learn(milliseconds(6), milliseconds(4));
        assert_eq!(factor.get(), 3.0);
        factor.learn(milliseconds(5), milliseconds(1));
        factor.learn(milliseconds(60), Duration::ZERO);
        assert_eq!(factor.get(), 3.0);
        factor.learn(milliseconds(8), milliseconds(16));
        assert_eq!(factor.get(), 1.5);
    }
}
