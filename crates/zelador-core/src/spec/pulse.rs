//! The ping outward: who hears that this zelador lives, and how often.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::notify::Secret;

/// A ping outward.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PulseSpec {
    /// Where.
    pub to: PulseAddress,
    /// From the beginning of one ping to the next.
    pub interval: Duration,
    /// A ping that takes longer has failed.
    pub timeout: Duration,
    /// Whether `/fail` is asked for instead while the overall health is unhealthy.
    pub fail: bool,
}

/// Where a ping goes. Whoever knows the address can ping in zelador's place, so it is not shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PulseAddress {
    /// The address itself.
    Url(String),
    /// Where the address is found.
    Secret(Secret),
}

impl fmt::Debug for PulseAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Url(_) => f.write_str(crate::redact::MASK),
            Self::Secret(secret) => write!(f, "{secret}"),
        }
    }
}

/// Returns the address by which healthchecks.io, and what is like it, is told of a failure: with `/fail`
/// at the end of its path.
pub fn failing(url: &str) -> String {
    let (path, query) = url.split_at(url.find('?').unwrap_or(url.len()));
    format!("{}/fail{query}", path.trim_end_matches('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_told_at_the_end_of_the_path() {
        let said = |url| failing(url);
        assert_eq!(said("https://hc-ping.com/x-y"), "https://hc-ping.com/x-y/fail");
        assert_eq!(said("http://h/ping/k/slug/?create=1"), "http://h/ping/k/slug/fail?create=1");
    }

    #[test]
    fn no_view_shows_the_address() {
        let address = PulseAddress::Url("https://hc-ping.com/s3cr3t".to_owned());
        assert!(!format!("{address:?}").contains("s3cr3t"));
    }
}
