//! The bound on the rounds that an invocation of a shader makes of its loops.

use crate::error::Result;
use crate::geometry::at_most;

/// The most rounds that an invocation makes of its loops, the rounds of all its loops added up.
///
/// Mesa's software driver (llvmpipe) ends an invocation's loops after 65,535 rounds, and reports nothing. On a GPU the
/// bound keeps a dispatch short. It does not depend on the device, so that neither does the order of a sum.
pub(crate) const MAX_ROUNDS: u64 = 1 << 15;

/// What entering a loop counts, besides its rounds: one tap for each of 6,800 channels makes 6,800 rounds of four loops
/// each, and llvmpipe ended them after some 6,500 channels, as if each had taken ten rounds.
pub(crate) const ENTRY: u64 = 2;

/// The rounds of loops inside one another, the outermost first: each round of a loop runs the next loop once.
pub(crate) fn nested<const N: usize>(counts: [usize; N]) -> u64 {
    let enter = |inner: u64, count: usize| (count as u64).saturating_mul(inner.saturating_add(1)).saturating_add(ENTRY);
    counts.into_iter().rev().fold(0, enter)
}

/// The work of a dispatch, which predicts its time: an invocation counts 1, and so does each round of its loops.
pub(crate) fn work(invocations: u128, rounds: u64) -> u64 {
    u64::try_from(invocations.saturating_mul(u128::from(rounds) + 1)).unwrap_or(u64::MAX)
}

/// The bound's name in an error.
pub(crate) const ROUNDS: &str = "rounds of a shader's loops";

/// Refuses a shader whose invocations would make too many rounds.
pub(crate) fn check_rounds(rounds: u64) -> Result<()> {
    at_most(ROUNDS, rounds.into(), MAX_ROUNDS.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_of_all_loops_are_added_up() {
        let count = |counts: [usize; 3]| {
            let (mut rounds, [a, b, c]) = (ENTRY, counts);
            for _ in 0..a {
                rounds += 1 + ENTRY;
                for _ in 0..b {
                    rounds += 1 + ENTRY;
                    (0..c).for_each(|_| rounds += 1);
                }
            }
            rounds
        };
        for counts in [[0, 3, 4], [1, 1, 1], [2, 3, 4], [5, 0, 7]] {
            assert_eq!(nested(counts), count(counts), "{counts:?}");
        }
        assert_eq!(nested([usize::MAX; 3]), u64::MAX);
        assert!(check_rounds(MAX_ROUNDS).is_ok() && check_rounds(MAX_ROUNDS + 1).is_err());
    }
}
