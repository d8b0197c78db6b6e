//! When evidence is gathered: it gives way to what is being started, and to evidence of others.
//!
//! Always holds: nobody's evidence waits longer than [`patience`] allows, whatever is being started and
//! whatever hangs, and that leaves it enough of [`GATHER_WITHIN`].

use std::time::Duration;

use crate::healing::GATHER_WITHIN;

/// Evidence of so many incidents is gathered at once: one look reads for a millisecond, so that two keep
/// one processor busy and a hundred would keep the starts from all of them.
const AT_ONCE: usize = 2;

/// For so long evidence gives way to what is being started: a hundred services are back within it.
const GIVES_WAY_FOR: Duration = Duration::from_millis(100);

/// For so long it gives way to others': one look takes a millisecond, so that something hangs.
const HELD_FOR: Duration = Duration::from_secs(1);

const _: () = assert!(GIVES_WAY_FOR.as_millis() < HELD_FOR.as_millis());
const _: () = assert!(2 * HELD_FOR.as_millis() <= GATHER_WITHIN.as_millis());

/// The longest that evidence waits while this much is being gathered.
pub fn patience(under_way: usize) -> Duration {
    if under_way < AT_ONCE { GIVES_WAY_FOR } else { HELD_FOR }
}

/// Whether evidence that has waited for so long is gathered now.
pub fn may_begin(waited: Duration, under_way: usize, is_starting: bool) -> bool {
    waited >= patience(under_way) || (under_way < AT_ONCE && !is_starting)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_gives_way_to_starts_and_to_that_of_others() {
        assert!(may_begin(Duration::ZERO, 0, false) && may_begin(Duration::ZERO, 1, false));
        assert!(!may_begin(Duration::ZERO, AT_ONCE, false), "two are being gathered");
        assert!(!may_begin(Duration::ZERO, 0, true), "a process is being started");
    }

    #[test]
    fn nobody_waits_for_ever_for_starts_and_for_what_hangs() {
        for under_way in 0..200 {
            for is_starting in [false, true] {
                assert!(may_begin(patience(under_way), under_way, is_starting));
            }
            assert!(patience(under_way) <= HELD_FOR);
        }
    }
}
