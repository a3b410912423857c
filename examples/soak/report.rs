//! What the soak prints: a line every few seconds, each failure with what repeats it, and a summary.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::batch::Ran;
use crate::case::Case;

const EVERY: Duration = Duration::from_secs(10);

#[derive(Default)]
struct Counts {
    /// Cases by op, one for each adapter.
    by_op: BTreeMap<&'static str, u64>,
    failures: usize,
    dispatches: u64,
    /// Cases whose limits had to be raised.
    refused: u64,
    /// The largest error as a share of its bound, and what had it.
    worst: (f64, String),
    printed: Duration,
}

pub struct Report {
    seed: u64,
    start: Instant,
    counts: Mutex<Counts>,
}

impl Report {
    pub fn new(seed: u64) -> Self {
        Self { seed, start: Instant::now(), counts: Mutex::default() }
    }

    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn failures(&self) -> usize {
        self.counts().failures
    }

    /// Counts a case that ran on an adapter.
    pub fn add(&self, adapter: &str, number: u64, case: &dyn Case, outcome: &Result<Ran, String>) {
        let mut counts = self.counts();
        *counts.by_op.entry(case.name()).or_default() += 1;
        match outcome {
            Ok(ran) => {
                counts.dispatches += ran.dispatches as u64;
                counts.refused += u64::from(ran.refused > 0);
                if ran.worst > counts.worst.0 {
                    let what = format!("{} by {} on {adapter}, case {number}", case.problem(), ran.recipe);
                    counts.worst = (ran.worst, what);
                }
            }
            Err(error) => {
                counts.failures += 1;
                println!(
                    "FAILED on {adapter}: {}: {error}\n  again: cargo run --release --example soak -- --seed {} --case \
                     {number} --adapter '{adapter}'",
                    case.problem(),
                    self.seed,
                );
            }
        }
        if self.start.elapsed() > counts.printed + EVERY {
            counts.printed = self.start.elapsed();
            self.line(&counts);
        }
    }

    fn line(&self, counts: &Counts) {
        let (seconds, cases) = (self.start.elapsed().as_secs_f64(), counts.by_op.values().sum::<u64>());
        let (worst, what) = &counts.worst;
        println!(
            "{seconds:.0} s: {cases} cases, {:.0} a second, {} failed; worst error {worst:.3} of its bound: {what}",
            cases as f64 / seconds.max(1e-3),
            counts.failures,
        );
    }

    /// Prints the summary; an error if a case failed.
    pub fn finish(&self) -> Result<(), String> {
        let counts = self.counts();
        self.line(&counts);
        let by_op: Vec<_> = counts.by_op.iter().map(|(op, cases)| format!("{op} {cases}")).collect();
        println!("cases by op: {}", by_op.join(", "));
        println!("{} dispatches; {} cases needed higher limits than drawn", counts.dispatches, counts.refused);
        match counts.failures {
            0 => Ok(()),
            failures => Err(format!("{failures} cases of seed {} failed", self.seed)),
        }
    }
}
