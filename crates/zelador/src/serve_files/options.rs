//! What is served, as the environment says it.

use std::path::PathBuf;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// The variables, by the names that PM2 gave them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Variable {}

impl Variable {
    /// The folder.
    pub const PATH: &str = "PM2_SERVE_PATH";
    /// The port.
    pub const PORT: &str = "PM2_SERVE_PORT";
    /// The address to listen on.
    pub const HOST: &str = "PM2_SERVE_HOST";
    /// Whether unknown paths are answered with the first page.
    pub const SPA: &str = "PM2_SERVE_SPA";
    /// That page.
    pub const HOMEPAGE: &str = "PM2_SERVE_HOMEPAGE";
    /// Whether folders without a page are listed.
    pub const LISTING: &str = "PM2_SERVE_FTP";
    /// Whether a login is needed.
    pub const LOGIN: &str = "PM2_SERVE_BASIC_AUTH";
    /// Its name.
    pub const USERNAME: &str = "PM2_SERVE_BASIC_AUTH_USERNAME";
    /// Its password.
    pub const PASSWORD: &str = "PM2_SERVE_BASIC_AUTH_PASSWORD";
}

/// What is served, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The folder.
    pub path: PathBuf,
    /// The port.
    pub port: u16,
    /// The address to listen on.
    pub host: String,
    /// Whether a path that is not there is answered with `homepage`.
    pub spa: bool,
    /// The first page.
    pub homepage: String,
    /// Whether a folder without `index.html` is listed.
    pub listing: bool,
    /// Who may see it; `None`: everybody.
    pub login: Option<Login>,
}

/// A name and a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Login {
    username: String,
    password: String,
}

impl std::fmt::Debug for Login {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({})", self.username)
    }
}

impl Login {
    /// The header by which a browser logs in.
    pub fn header(&self) -> String {
        let Self { username, password } = self;
        format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))
    }
}

/// PM2's port.
const PORT: u16 = 8080;

impl Options {
    /// Returns what the variables ask for.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let given = |name| variable(name).filter(|value| !value.is_empty());
        let flag = |name| given(name).is_some_and(|value| value == "true" || value == "1");
        let port = match given(Variable::PORT) {
            None => PORT,
            Some(text) => text.trim().parse().map_err(|_| {
                format!("{} is `{text}`, allowed is a port from 1 to 65535", Variable::PORT)
            })?,
        };
        let (username, password) = (given(Variable::USERNAME), given(Variable::PASSWORD));
        let login = match (username, password) {
            (Some(username), Some(password)) => Some(Login { username, password }),
            (None, None) if !flag(Variable::LOGIN) => None,
            // Half of it must not mean that everybody may see everything.
            _ => {
                return Err(format!(
                    "a login needs both {} and {}",
                    Variable::USERNAME,
                    Variable::PASSWORD
                ));
            }
        };
        let homepage = given(Variable::HOMEPAGE).unwrap_or_else(|| "index.html".to_owned());
        Ok(Self {
            path: given(Variable::PATH).map_or_else(|| PathBuf::from("."), PathBuf::from),
            port,
            host: given(Variable::HOST).unwrap_or_else(|| "0.0.0.0".to_owned()),
            spa: flag(Variable::SPA),
            homepage: homepage.trim_start_matches('/').to_owned(),
            listing: flag(Variable::LISTING),
            login,
        })
    }
}
