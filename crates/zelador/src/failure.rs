//! What a verb says on stderr before it ends with a failure.

use std::error::Error;
use std::io;

use zelador_api::client::ClientError;
use zelador_api::home::HomeError;

use crate::bring_up::BringUpError;
use crate::declare::DeclareError;
use crate::output;

/// Why a verb did not do what it was asked for.
#[derive(Debug)]
pub enum Failure {
    /// Whoever read stdout went away: that is the end, and not worth a word.
    NobodyReads,
    /// Something that a person reads.
    Said {
        /// What is wrong: lower case, no full stop.
        error: String,
        /// What to do next.
        help: Option<String>,
    },
    /// It was said already, beside the thing that it is about.
    SaidAlready,
}

impl Failure {
    /// Returns a failure without advice.
    pub fn new(error: impl Into<String>) -> Self {
        Self::Said { error: error.into(), help: None }
    }

    /// Returns a failure with the next thing to try.
    pub fn with_help(error: impl Into<String>, help: impl Into<String>) -> Self {
        Self::Said { error: error.into(), help: Some(help.into()) }
    }

    /// Says it on stderr. Returns whether it counts as one: a closed pipe does not.
    pub fn report(&self) -> bool {
        match self {
            Self::NobodyReads => return false,
            Self::SaidAlready => {}
            Self::Said { error, help } => {
                output::error(error);
                if let Some(help) = help {
                    output::help(help);
                }
            }
        }
        true
    }

    /// What is wrong, for somebody who does not read stderr.
    pub fn in_words(&self) -> String {
        match self {
            Self::Said { error, help: None } => error.clone(),
            Self::Said { error, help: Some(help) } => format!("{error} ({help})"),
            Self::NobodyReads | Self::SaidAlready => "zelador's log says what is wrong".to_owned(),
        }
    }

    /// Returns the failure that an error with its causes is.
    pub fn of(error: &(dyn Error + 'static), help: Option<String>) -> Self {
        let mut said = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            // Some libraries repeat the cause in their own text.
            if !said.ends_with(&text) {
                said.push_str(": ");
                said.push_str(&text);
            }
            cause = error.source();
        }
        Self::Said { error: said, help }
    }
}

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        // The path is for whoever debugs; `zelador is not running` is what people look for.
        match &error {
            ClientError::NotRunning(_) => {
                Self::Said { error: "zelador is not running".to_owned(), help: error.help() }
            }
            _ => Self::of(&error, error.help()),
        }
    }
}

impl From<HomeError> for Failure {
    fn from(error: HomeError) -> Self {
        Self::of(&error, Some("set ZELADOR_HOME to an absolute path".to_owned()))
    }
}

impl From<BringUpError> for Failure {
    fn from(error: BringUpError) -> Self {
        let help = error.help();
        Self::of(&error, Some(help))
    }
}

impl From<DeclareError> for Failure {
    fn from(error: DeclareError) -> Self {
        match error {
            DeclareError::Mistakes(mistakes) => {
                output::mistakes(&mistakes);
                Self::SaidAlready
            }
            other => {
                let help = other.help();
                Self::of(&other, help)
            }
        }
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::NobodyReads;
        }
        Self::new(format!("stdout cannot be written: {error}"))
    }
}
