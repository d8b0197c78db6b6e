//! Which lines of a log are kept when there are more than are wanted.
//!
//! Pure. Always holds: never more than wanted, in their order, and the last one is among them.

/// How many lines of the beginning of a report are kept.
const HEAD: usize = 5;

/// How the runtimes begin a report that can be longer than any tail, and whose first lines tell the cause:
/// Go's `throw` and signals (all goroutines follow), sanitizers and valgrind, `[BUG]` of Ruby, .NET, a panic of
/// Rust with its whole backtrace, a recursion of Java or of JavaScript.
const REPORTS: &[&str] = &[
    "fatal error: ",
    "panic: ",
    "runtime: out of memory",
    "SIGSEGV: segmentation violation",
    "SIGABRT: abort",
    "ERROR: AddressSanitizer",
    "ERROR: ThreadSanitizer",
    "ERROR: LeakSanitizer",
    "Process terminating with default action of signal",
    "[BUG] ",
    "Unhandled exception. ",
    "Stack overflow.",
    "panicked at ",
    "Exception in thread ",
    "RangeError: Maximum call stack size exceeded",
];

/// Returns the last `most` lines, or fewer of them after the first lines of a report that began before them; `text`:
/// what a line says.
pub fn kept<T>(mut lines: Vec<T>, most: usize, text: impl Fn(&T) -> &str) -> Vec<T> {
    let Some(cut) = lines.len().checked_sub(most).filter(|cut| *cut > 0) else { return lines };
    let begins = |line: &T| REPORTS.iter().any(|words| text(line).contains(words));
    let head = lines[..cut].iter().rposition(begins);
    let Some(head) = head.filter(|_| most > HEAD) else { return lines.split_off(cut) };
    // It may begin just before the cut.
    let end = (head + HEAD).min(cut);
    let rest = lines.len() - (most - (end - head));
    let last = lines.split_off(rest);
    let mut kept: Vec<T> = lines.drain(head..end).collect();
    kept.extend(last);
    kept
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn numbered(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("goroutine {number}")).collect()
    }

    #[test]
    fn a_report_longer_than_the_tail_keeps_the_lines_that_tell_its_cause() {
        let mut lines = numbered(300);
        lines[100] = "fatal error: concurrent map writes".to_owned();
        let kept = kept(lines, 40, String::as_str);
        assert_eq!(kept.len(), 40);
        assert_eq!(kept[0], "fatal error: concurrent map writes");
        assert_eq!(kept[4..6], ["goroutine 104", "goroutine 265"]);
        assert_eq!(kept[39], "goroutine 299");
    }

    #[test]
    fn without_a_report_the_last_lines_are_kept() {
        assert_eq!(kept(numbered(300), 40, String::as_str), numbered(300).split_off(260));
        assert_eq!(kept(numbered(7), 40, String::as_str), numbered(7));
    }

    proptest! {
        #[test]
        fn never_more_than_wanted_in_order_and_with_the_last(
            count in 0_usize..120, at in 0_usize..120, most in 1_usize..60,
        ) {
            let mut lines = numbered(count);
            if let Some(line) = lines.get_mut(at) {
                line.push_str(" panic: x");
            }
            let kept = kept(lines.clone(), most, String::as_str);
            prop_assert_eq!(kept.len(), count.min(most));
            prop_assert_eq!(kept.last(), lines.last());
            let places: Vec<_> =
                kept.iter().map(|line| lines.iter().position(|it| it == line)).collect();
            prop_assert!(places.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", kept);
        }
    }
}
