//! Points in time, amounts of memory and shares: quantities that are never bare numbers.
//!
//! Always holds: a [`Percent`] lies between 0 and 100; a [`Moment`] counts whole microseconds, so
//! that one written to a record and read back is equal to itself.

use std::cell::Cell;
use std::fmt;
use std::ops::{Add, Sub};
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize};

/// One second, for constants and tests.
pub const SECOND: Duration = Duration::from_secs(1);

/// A point in time: the wall clock read once at start, monotonic from there. Microseconds since
/// the Unix epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Moment(u64);

thread_local! {
    /// By how much a moment that is read is earlier than what is written.
    static SET_BACK: Cell<Duration> = const { Cell::new(Duration::ZERO) };
}

/// Reads something that was written by a clock which was ahead by this much: every moment in it is that much earlier.
pub fn set_back<T>(by: Duration, read: impl FnOnce() -> T) -> T {
    struct Reset;
    impl Drop for Reset {
        fn drop(&mut self) {
            SET_BACK.set(Duration::ZERO);
        }
    }
    SET_BACK.set(by);
    let _reset = Reset;
    read()
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(u64::deserialize(from)?) - SET_BACK.get())
    }
}

impl Moment {
    /// Returns the moment that lies `micros` microseconds after the Unix epoch.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// Returns the moment that lies `since_epoch` after the Unix epoch, in whole microseconds.
    pub fn from_epoch(since_epoch: Duration) -> Self {
        Self(u64::try_from(since_epoch.as_micros()).unwrap_or(u64::MAX))
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// Milliseconds since the Unix epoch, as JavaScript counts.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1000
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// The same moment as a timestamp of the calendar; the last representable one if it is later.
    pub fn timestamp(self) -> jiff::Timestamp {
        i64::try_from(self.0)
            .ok()
            .and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok())
            .unwrap_or(jiff::Timestamp::MAX)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(span.as_micros()).unwrap_or(u64::MAX)))
    }
}

impl fmt::Display for Moment {
    /// ISO 8601 in UTC with milliseconds, as JavaScript's `toISOString` prints.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.3}", self.timestamp())
    }
}

/// An amount of memory or disk, in bytes.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct ByteSize(u64);

impl ByteSize {
    /// Returns an amount of `bytes` bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// Returns an amount of `mebibytes` × 1,048,576 bytes.
    pub const fn mebibytes(mebibytes: u64) -> Self {
        Self(mebibytes << 20)
    }

    /// The number of bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }
}

impl fmt::Display for ByteSize {
    /// The largest unit that leaves at least 1, of 1024 each, with a decimal below 100 of it: `0 B`, `512 B`,
    /// `52.4 MB`, `300 MB`, `1.5 GB`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 5] = ["B", "KB", "MB", "GB", "TB"];
        let mut value = self.0 as f64;
        let mut unit = 0;
        while value >= 1024.0 && unit + 1 < UNITS.len() {
            value /= 1024.0;
            unit += 1;
        }
        let decimals = usize::from(unit > 0 && value < 99.95);
        write!(f, "{value:.decimals$} {}", UNITS[unit])
    }
}

/// A share, from 0 to 100 inclusive.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd, Serialize, Deserialize)]
#[serde(try_from = "f64", into = "f64")]
pub struct Percent(f64);

impl Percent {
    /// Returns `None` unless `0.0 <= value <= 100.0`; NaN is refused too.
    pub fn new(value: f64) -> Option<Self> {
        (0.0..=100.0).contains(&value).then_some(Self(value))
    }

    /// The share that `part` is of `whole`; 0 of nothing, and never above 100.
    pub fn of(part: u64, whole: u64) -> Self {
        if whole == 0 {
            return Self(0.0);
        }
        Self((part as f64 / whole as f64 * 100.0).min(100.0))
    }

    /// The number between 0 and 100.
    pub const fn value(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Percent {
    type Error = String;

    fn try_from(value: f64) -> Result<Self, Self::Error> {
        Self::new(value).ok_or_else(|| format!("{value} is not a share between 0 and 100"))
    }
}

impl From<Percent> for f64 {
    fn from(percent: Percent) -> Self {
        percent.0
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:.1} %", self.0)
    }
}

/// A time span as a person says it: `850 ms`, `4.2 s`, `3 min 20 s`, `5 h 3 min`, `2 d 4 h`.
pub fn spoken(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0 => format!("{} ms", span.as_millis()),
        1..=59 if span.subsec_millis() < 50 => format!("{seconds} s"),
        1..=59 => format!("{:.1} s", span.as_secs_f64()),
        60..=3599 => two(seconds, 60, "min", 1, "s"),
        3600..=86_399 => two(seconds, 3600, "h", 60, "min"),
        _ => two(seconds, 86_400, "d", 3600, "h"),
    }
}

fn two(seconds: u64, large: u64, large_unit: &str, small: u64, small_unit: &str) -> String {
    let rest = seconds % large / small;
    if rest == 0 {
        return format!("{} {large_unit}", seconds / large);
    }
    format!("{} {large_unit} {rest} {small_unit}", seconds / large)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_spoken_with_at_most_two_units() {
        let said = |millis| spoken(Duration::from_millis(millis));
        assert_eq!(said(850), "850 ms");
        assert_eq!(said(4_200), "4.2 s");
        assert_eq!(said(30_000), "30 s");
        assert_eq!(said(200_000), "3 min 20 s");
        assert_eq!(said(7_200_000), "2 h");
        assert_eq!(said(187_200_000), "2 d 4 h");
    }

    #[test]
    fn a_size_has_three_digits_or_so_and_a_unit() {
        let said = |bytes| ByteSize::new(bytes).to_string();
        assert_eq!([said(0), said(1023), said(1024)], ["0 B", "1023 B", "1.0 KB"]);
        assert_eq!(
            [said(54_945_382), said(300 << 20), said(3 << 29)],
            ["52.4 MB", "300 MB", "1.5 GB"]
        );
        assert_eq!(said(u64::MAX), "16777216 TB");
    }

    #[test]
    fn a_share_outside_its_range_cannot_be_built() {
        assert!(Percent::new(100.1).is_none());
        assert!(Percent::new(f64::NAN).is_none());
        assert_eq!(Percent::of(3, 0).value().to_bits(), 0.0_f64.to_bits());
    }

    #[test]
    fn a_moment_prints_as_javascript_does() {
        let moment = Moment::from_micros(1_700_000_000_123_456);
        assert_eq!(moment.to_string(), "2023-11-14T22:13:20.123Z");
    }
}
