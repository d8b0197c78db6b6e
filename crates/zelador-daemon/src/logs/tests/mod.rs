//! Real pipes, real files, real kills.
pub(super) fn crash_point(_: &str) {}
pub(super) fn crash_length(n: usize) -> usize {
    n
}
