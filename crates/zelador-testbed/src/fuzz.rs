//! Feeds a parser inputs that were bent, cut and spliced from good ones.
//!
//! A few thousand inputs a target in `./test`; `cargo run -p zelador-testbed --bin fuzz` runs as many,
//! or as long, as it is told. Always holds: the same seed gives the same inputs; an input on which a
//! target panics, or for which it takes more than [`SLOWEST`] of a processor twice, is shown: a host that stood
//! still is charged to whoever ran.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// How many inputs a target gets, if nothing else is said.
pub const INPUTS: &str = "ZELADOR_FUZZ_INPUTS";
/// How many seconds a target runs at most.
pub const SECONDS: &str = "ZELADOR_FUZZ_SECONDS";
/// Where the inputs begin.
pub const SEED: &str = "ZELADOR_FUZZ_SEED";
/// The file to which each target adds a line with its counts.
pub const REPORT: &str = "ZELADOR_FUZZ_REPORT";

/// In `./test`: some seconds for all targets together in a build without optimization.
const FEW: u64 = 3000;

/// And no target may keep `./test` longer than this, if nothing else is said.
const SHORT: Duration = Duration::from_secs(5);

/// Processor time that no input of at most [`LARGEST`] bytes is worth, in a build without
/// optimization on a machine that is shared.
pub const SLOWEST: Duration = Duration::from_secs(2);

/// The largest input, in bytes.
pub const LARGEST: usize = 4096;

/// Numbers that look random and come again with the same seed (xorshift64).
pub struct Random(u64);

impl Random {
    /// Returns a generator; 0 is taken as 1.
    pub fn new(seed: u64) -> Self {
        Self(seed.max(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    /// A number from 0 to below `end`, which is at least 1.
    pub fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    /// A place in something of this length; 0 when it is empty.
    fn at(&mut self, length: usize) -> usize {
        self.below(length.max(1) as u64) as usize
    }
}

/// Bytes that parsers trip over.
const DICTIONARY: [&[u8]; 40] = [
    b"\0",
    b"\n",
    b"\r\n",
    b"\\",
    b"\\\n",
    b"\"",
    b"'",
    b"`",
    b"=",
    b":",
    b";",
    b",",
    b"#",
    b"$",
    b"%",
    b"${",
    b"$(",
    b"{",
    b"}",
    b"[",
    b"]",
    b"(",
    b")",
    b"<",
    b">",
    b"&",
    b"*",
    b"-",
    b"--",
    b"..",
    b"/",
    b"\x1b[31m",
    b"\x1b]0;x\x07",
    b"\xff",
    b"\xc3\xa9",
    b"\xe2\x80\xae",
    b"\xf0\x9f\x8c\xb4",
    b"\xef\xbb\xbf",
    b"18446744073709551616",
    b"-1e999",
];

/// Bends good inputs.
struct Bender<'a> {
    random: Random,
    good: &'a [&'a [u8]],
}

impl Bender<'_> {
    fn next(&mut self) -> Vec<u8> {
        let mut input = self.piece();
        for _ in 0..=self.random.below(6) {
            self.bend(&mut input);
        }
        input.truncate(LARGEST);
        input
    }

    fn piece(&mut self) -> Vec<u8> {
        if self.good.is_empty() || self.random.below(20) == 0 {
            let length = self.random.below(64);
            return (0..length).map(|_| self.random.below(256) as u8).collect();
        }
        let at = self.random.at(self.good.len());
        self.good[at].to_vec()
    }

    fn bend(&mut self, input: &mut Vec<u8>) {
        let at = self.random.at(input.len());
        let end = (at + 1 + self.random.at(16)).min(input.len());
        match self.random.below(9) {
            0 if !input.is_empty() => input[at] ^= 1 << self.random.below(8),
            1 if !input.is_empty() => input[at] = self.random.below(256) as u8,
            2 => {
                let word = DICTIONARY[self.random.at(DICTIONARY.len())];
                input.splice(at..at, word.iter().copied());
            }
            3 if at < end => drop(input.drain(at..end)),
            4 if at < end => {
                let again = input[at..end].repeat(1 + self.random.at(40));
                input.splice(at..at, again);
            }
            5 => input.truncate(at),
            6 => {
                let other = self.piece();
                let from = self.random.at(other.len());
                input.splice(at.., other[from..].iter().copied());
            }
            7 if at < end => {
                let number = self.random.below(u64::MAX).to_string();
                input.splice(at..end, number.into_bytes());
            }
            _ => {
                let word = DICTIONARY[self.random.at(DICTIONARY.len())];
                let end = (at + word.len()).min(input.len());
                input.splice(at..end, word.iter().copied());
            }
        }
    }
}

/// Shows an input when its target panics.
struct Shown<'a>(&'a str, u64, &'a [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self(name, number, input) = self;
            eprintln!("{name}: input {number} is {}", input.escape_ascii());
        }
    }
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok()?.parse().ok()
}

/// What of a processor this thread has had.
fn used() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

/// Feeds `target` with inputs made of `good` ones.
///
/// # Panics
/// The target does, or takes too long for one input.
pub fn fuzz(name: &str, good: &[&[u8]], mut target: impl FnMut(&[u8])) {
    let (asked, seconds) = (number(INPUTS), number(SECONDS));
    let most = asked.unwrap_or(if seconds.is_some() { u64::MAX } else { FEW });
    let limit = match (asked, seconds) {
        (_, Some(seconds)) => Duration::from_secs(seconds),
        (Some(_), None) => Duration::MAX,
        (None, None) => SHORT,
    };
    let seed = number(SEED).unwrap_or(1);
    let mut bender = Bender { random: Random::new(seed), good };
    let (begun, mut slowest, mut done) = (Instant::now(), Duration::ZERO, 0);
    while done < most && begun.elapsed() < limit {
        // The good ones as they are come first.
        let input = match good.get(done as usize) {
            Some(good) => good.to_vec(),
            None => bender.next(),
        };
        let shown = Shown(name, done, &input);
        let mut take = || {
            let before = used();
            target(&input);
            used().saturating_sub(before)
        };
        let mut took = take();
        if took >= SLOWEST {
            took = take();
        }
        assert!(took < SLOWEST, "{name}: {took:?} for one input");
        drop(shown);
        slowest = slowest.max(took);
        done += 1;
    }
    let line = format!(
        "{name}: {done} inputs, seed {seed}, {:.0?}, the slowest {slowest:.1?}\n",
        begun.elapsed()
    );
    print!("{line}");
    if let Some(path) = env::var_os(REPORT) {
        let file = OpenOptions::new().append(true).create(true).open(path);
        _ = file.and_then(|mut file| file.write_all(line.as_bytes()));
    }
}

/// The same for a target that takes text: what is not UTF-8 is replaced.
///
/// # Panics
/// As [`fuzz`].
pub fn fuzz_text(name: &str, good: &[&str], mut target: impl FnMut(&str)) {
    let good: Vec<&[u8]> = good.iter().map(|text| text.as_bytes()).collect();
    fuzz(name, &good, |bytes| target(&String::from_utf8_lossy(bytes)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_bends_the_same_way_and_a_small_mistake_is_found() {
        let good: &[&[u8]] = &[b"name=value"];
        let inputs = |seed| {
            let mut bender = Bender { random: Random::new(seed), good };
            (0..100).map(|_| bender.next()).collect::<Vec<_>>()
        };
        assert_eq!(inputs(7), inputs(7));
        assert_ne!(inputs(7), inputs(8));
        let found = std::panic::catch_unwind(|| {
            fuzz("a parser with a mistake", good, |input| {
                // Cuts within a character.
                let text = String::from_utf8_lossy(input);
                _ = text.find('=').map(|at| &text[..at + 2]);
            });
        });
        assert!(found.is_err());
    }
}
