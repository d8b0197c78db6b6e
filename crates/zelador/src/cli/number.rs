//! Numbers of the command line.

use std::str::FromStr;

/// Reads a number; `allowed` is told where it is none.
pub(super) fn number<T: FromStr>(
    allowed: &'static str,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| text.parse().map_err(|_| format!("allowed: {allowed}"))
}
