//! What makes two troubles the same one: the app, the cause, and the line that tells it, without what
//! changes from one time to the next (numbers, addresses, times).

use crate::diagnosis::Diagnosis;
use crate::words::Words;

/// How much of the telling line counts, in characters.
const COUNTS: usize = 120;

/// Returns the fingerprint of a trouble of an app: sixteen hexadecimal digits.
pub fn of(app: &str, diagnosis: &Diagnosis) -> String {
    let line = diagnosis.because.first().map(Words::english).unwrap_or_default();
    let cause = serde_json::to_value(diagnosis.cause).unwrap_or_default();
    let text = format!("{app}\u{0}{cause}\u{0}{}", without_numbers(line));
    // FNV-1a: it need not be safe against anybody, only be the same everywhere.
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// Returns a line with one sign for each number, decimal or hexadecimal; its first 120 characters, which are what counts.
pub fn without_numbers(line: &str) -> String {
    let mut kept = String::new();
    for word in line.split_inclusive(|c: char| !c.is_ascii_alphanumeric()) {
        let body = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let is_number = body.chars().any(|c| c.is_ascii_digit())
            && body.chars().all(|c| c.is_ascii_hexdigit() || c == 'x');
        if is_number {
            kept.push('#');
            kept.push_str(&word[body.len()..]);
        } else {
            kept.extend(word.chars().filter(|c| !c.is_ascii_digit()));
        }
    }
    kept.chars().take(COUNTS).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diagnosis::Cause;
    use crate::diagnosis::Reasons;
    use crate::healing::Remedy;
    use crate::words::quoted;

    fn said(cause: Cause, line: &str) -> Diagnosis {
        Diagnosis {
            cause,
            confidence: 0.9,
            because: Reasons(vec![quoted(line)]),
            remedy: Remedy::Restart,
            hypotheses: Vec::new(),
        }
    }

    #[test]
    fn numbers_and_times_make_no_other_trouble() {
        let cause = Cause::UncaughtException;
        let first = said(cause, "line 7: 12:30:01 TypeError at 0x7ffe1 of request 81");
        let second = said(cause, "line 19: 03:05:59 TypeError at 0x1234ab of request 9");
        assert_eq!(of("api", &first), of("api", &second));
        assert_ne!(of("api", &first), of("web", &first));
        assert_ne!(of("api", &first), of("api", &said(cause, "line 7: RangeError")));
        assert_ne!(
            of("api", &first),
            of("api", &said(Cause::Segfault, first.because[0].english()))
        );
    }
}
