//! Amounts as people write them: `10s`, `1.5h`, `500M`. Text goes in, a quantity comes out.

use std::time::Duration;

use crate::unit::ByteSize;

/// The longest span that can be written: a hundred years, so that adding it to any moment works.
const LONGEST: f64 = 36_500.0 * 86_400_000.0;

/// Milliseconds in each unit of time; PM2 knows `s`, `m` and `h`.
const SPANS: [(&str, f64); 7] = [
    ("", 1.0),
    ("ms", 1.0),
    ("s", 1e3),
    ("m", 60e3),
    ("min", 60e3),
    ("h", 3_600e3),
    ("d", 86_400e3),
];

/// Bytes in each unit of memory; PM2 knows `K`, `M` and `G`, as powers of 1024.
const SIZES: [(&str, f64); 12] = [
    ("", 1.0),
    ("b", 1.0),
    ("k", 1024.0),
    ("kb", 1024.0),
    ("kib", 1024.0),
    ("m", 1_048_576.0),
    ("mb", 1_048_576.0),
    ("mib", 1_048_576.0),
    ("g", 1_073_741_824.0),
    ("gb", 1_073_741_824.0),
    ("gib", 1_073_741_824.0),
    ("t", 1_099_511_627_776.0),
];

/// Reads `500`, `500ms`, `10s`, `5m`, `1.5h` or `2d`; a bare number counts milliseconds.
pub fn span(text: &str) -> Option<Duration> {
    span_of_millis(scaled(text, &SPANS)?)
}

/// Returns `None` for a negative number and for more than a hundred years.
pub(super) fn span_of_millis(millis: f64) -> Option<Duration> {
    (0.0..=LONGEST).contains(&millis).then(|| Duration::from_micros((millis * 1e3).round() as u64))
}

/// Reads `1048576`, `200K`, `500M`, `1.5GB`; a bare number counts bytes.
pub(super) fn size(text: &str) -> Option<ByteSize> {
    size_of_bytes(scaled(text, &SIZES)?)
}

/// Returns `None` for a negative number and for more than `u64` holds.
pub(super) fn size_of_bytes(bytes: f64) -> Option<ByteSize> {
    (0.0..1.8e19).contains(&bytes).then(|| ByteSize::new(bytes as u64))
}

/// Reads a number in decimal digits.
pub(super) fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    plain.then(|| text.parse().ok()).flatten()
}

fn scaled(text: &str, units: &[(&str, f64)]) -> Option<f64> {
    let text = text.trim();
    let digits_end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    let unit = unit.trim().to_ascii_lowercase();
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    Some(number(digits)? * factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_in_every_unit() {
        let millis = |text| span(text).map(|span| span.as_millis());
        for (text, expected) in [
            ("4000", Some(4_000)),
            ("500ms", Some(500)),
            ("10s", Some(10_000)),
            (" 5 m ", Some(300_000)),
            ("1.5h", Some(5_400_000)),
            ("2D", Some(172_800_000)),
            ("", None),
            ("s", None),
            ("-1s", None),
            ("1e9", None),
            ("10 parsecs", None),
            ("99999999999d", None),
        ] {
            assert_eq!(millis(text), expected, "{text:?}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        let bytes = |text| size(text).map(ByteSize::bytes);
        for (text, expected) in [
            ("200K", Some(204_800)),
            ("500M", Some(524_288_000)),
            ("1.5gb", Some(1_610_612_736)),
            ("1024", Some(1024)),
            ("M", None),
            ("lots", None),
            ("1.2.3M", None),
        ] {
            assert_eq!(bytes(text), expected, "{text:?}");
        }
    }
}
