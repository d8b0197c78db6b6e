//! The word by which those who ask over the network are known.
//!
//! It is in `ZELADOR_TOKEN`, or in the file `token` of the home, which only the owner may read. Always
//! holds: it is not shown by `Debug`, and comparing it takes as long for a good beginning as for a bad
//! one.

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use crate::home::Home;

/// The variable that wins over the file.
pub const VARIABLE: &str = "ZELADOR_TOKEN";

/// Shorter ones can be guessed.
pub const SHORTEST: usize = 16;

/// How many random bytes a new one is made of: 256 bits cannot be guessed.
const RANDOM: usize = 32;

/// Such a word.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// Returns a token; `None` for one that is shorter than [`SHORTEST`], or that no header can carry.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        let fits = text.len() >= SHORTEST && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned()))
    }

    /// Reads it from `variable`, else from the home; `None`: there is none, or it is too short.
    pub fn read(home: &Home, variable: Option<&str>) -> Option<Self> {
        match variable.filter(|text| !text.is_empty()) {
            Some(text) => Self::new(text),
            None => Self::new(&fs::read_to_string(home.token()).ok()?),
        }
    }

    /// Makes a new one and keeps it in the home, in the place of one that is there.
    ///
    /// # Errors
    /// It cannot be written; one that was there is as it was.
    pub fn make(home: &Home) -> io::Result<Self> {
        let mut random = [0; RANDOM];
        fs::File::open("/dev/urandom")
            .and_then(|mut from| io::Read::read_exact(&mut from, &mut random))?;
        let mut text = String::new();
        for byte in random {
            // Writing to memory cannot fail.
            _ = fmt::Write::write_fmt(&mut text, format_args!("{byte:02x}"));
        }
        let beside = home.path().join("token.new");
        _ = fs::remove_file(&beside);
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
        file.write_all(format!("{text}\n").as_bytes())?;
        file.sync_all()?;
        fs::rename(&beside, home.token())?;
        Ok(Self(text))
    }

    /// The word itself, for its owner.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether this is it.
    pub fn is(&self, given: &str) -> bool {
        let (own, given) = (self.0.as_bytes(), given.as_bytes());
        // A byte beyond the end counts as a wrong one; every byte is looked at.
        let byte = |at: usize| given.get(at).copied().unwrap_or(0);
        let wrong = own.iter().enumerate().fold(0, |wrong, (at, own)| wrong | (own ^ byte(at)));
        wrong == 0 && own.len() == given.len()
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_is_kept_for_its_owner_and_known_only_whole() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        assert_eq!(Token::read(&home, None), None);
        let token = Token::make(&home).unwrap();
        assert_eq!(token.reveal().len(), 64);
        assert_eq!(Token::read(&home, None), Some(token.clone()));
        let mode = fs::metadata(home.token()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(token.is(token.reveal()));
        for wrong in ["", &token.reveal()[1..], &format!("{}x", token.reveal()), "no"] {
            assert!(!token.is(wrong), "{wrong}");
        }
        assert_ne!(Token::make(&home).unwrap(), token);
        assert_eq!(Token::read(&home, Some("short")), None);
        assert!(Token::read(&home, Some("long enough, but not in one word")).is_none());
        assert!(!format!("{token:?}").contains(token.reveal()));
    }
}
