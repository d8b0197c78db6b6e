//! Links by which a person answers what an incident asks, straight from a message.
//!
//! A link carries a one-time token: 256 bits by HMAC-SHA256 of the question and the channel, with a key
//! that only this home has. Nothing is stored that could be stolen and used: the tokens are nowhere, and
//! the key stays in a file of its owner. Always holds: a token answers one question of one incident on
//! the part of one channel, and only while that question stands; the answer takes it away.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;

use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use zelador_api::home::Home;
use zelador_core::id::IncidentId;
use zelador_core::question::Question;
use zelador_core::unit::Moment;

/// Where answers are given.
pub const PATH: &str = "/health/answer/";

/// As long as the tag: more adds nothing.
const KEY: usize = 32;

/// Signs and recognises links.
pub struct Answers(hmac::Key);

/// What a link says about itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Which incident asked.
    pub incident: IncidentId,
    /// When.
    pub asked_at: Moment,
    /// Whom the link was sent to.
    pub channel: String,
}

impl Answers {
    /// Returns the home's; its key is made when there is none.
    ///
    /// # Errors
    /// The key can be neither read nor made.
    pub fn of(home: &Home) -> io::Result<Self> {
        let path = home.answers_key();
        let mut key = fs::read(&path);
        if key.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::NotFound) {
            let mut new = [0; KEY];
            SystemRandom::new().fill(&mut new).map_err(|_| io::Error::other("no random bytes"))?;
            let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
            key = match made {
                Ok(mut file) => {
                    file.write_all(&new).and_then(|()| file.sync_all()).map(|()| new.into())
                }
                // Somebody was faster.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => fs::read(&path),
                Err(error) => Err(error),
            };
        }
        let key = key?;
        if key.len() < KEY {
            let found = format!(
                "{} has {} bytes; {KEY} are needed: remove it, and a new one is made",
                path.display(),
                key.len()
            );
            return Err(io::Error::new(io::ErrorKind::InvalidData, found));
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &key)))
    }

    /// The token by which a channel answers a question, in hexadecimal digits.
    pub fn token(&self, link: &Link) -> String {
        let tag = hmac::sign(&self.0, &link.signed());
        tag.as_ref().iter().fold(String::new(), |mut digits, byte| {
            // Writing to memory cannot fail.
            _ = write!(digits, "{byte:02x}");
            digits
        })
    }

    /// Whether a token is the one of this link. Takes as long for a nearly right one.
    pub fn knows(&self, link: &Link, token: &str) -> bool {
        let pair = |at: usize| u8::from_str_radix(token.get(at..at + 2)?, 16).ok();
        let tag: Option<Vec<u8>> = (0..token.len()).step_by(2).map(pair).collect();
        tag.is_some_and(|tag| hmac::verify(&self.0, &link.signed(), &tag).is_ok())
    }
}

impl Link {
    /// The link for a channel to a question.
    pub fn to(question: &Question, channel: &str) -> Self {
        let Question { incident, asked_at, .. } = *question;
        Self { incident, asked_at, channel: channel.to_owned() }
    }

    fn signed(&self) -> Vec<u8> {
        let Self { incident, asked_at, channel } = self;
        format!("zelador answer/{incident}/{}/{channel}", asked_at.as_micros()).into_bytes()
    }

    /// Its path, with the token at the end. A channel's name may have letters of any language.
    pub fn path(&self, token: &str) -> String {
        let channel = percent_encoding::utf8_percent_encode(
            &self.channel,
            percent_encoding::NON_ALPHANUMERIC,
        );
        format!("{PATH}{}/{}/{channel}/{token}", self.incident, self.asked_at.as_micros())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn link(incident: u64, asked_at: u64, channel: &str) -> Link {
        let (incident, asked_at) = (IncidentId::new(incident), Moment::from_micros(asked_at));
        Link { incident, asked_at, channel: channel.to_owned() }
    }

    #[test]
    fn a_token_is_for_one_question_of_one_incident_to_one_channel_of_one_home() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        let answers = Answers::of(&home).unwrap();
        let mode = fs::metadata(home.answers_key()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let own = link(7, 1000, "ops");
        let token = answers.token(&own);
        assert_eq!(token.len(), 64);
        assert!(answers.knows(&own, &token));
        assert!(Answers::of(&home).unwrap().knows(&own, &token), "another engine knows it too");
        for other in [link(8, 1000, "ops"), link(7, 1001, "ops"), link(7, 1000, "op")] {
            assert!(!answers.knows(&other, &token), "{other:?}");
        }
        for wrong in ["", "zz", "é", &token[1..], &token[2..], &format!("{token}00")] {
            assert!(!answers.knows(&own, wrong), "{wrong}");
        }
        let elsewhere = tempfile::tempdir().unwrap();
        assert!(!Answers::of(&Home::new(elsewhere.path())).unwrap().knows(&own, &token));
    }

    #[test]
    fn a_key_that_is_too_short_is_no_key() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        fs::write(home.answers_key(), "short").unwrap();
        let error = Answers::of(&home).err().unwrap().to_string();
        assert!(error.contains("has 5 bytes; 32 are needed"), "{error}");
    }
}
