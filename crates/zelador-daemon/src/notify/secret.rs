//! Where secrets are found: when they are needed, and never earlier.

use std::fs;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use zelador_api::home::Home;
use zelador_api::module_conf;
use zelador_core::config::SettingName;
use zelador_core::notify::Secret;
use zelador_core::redact;
use zelador_core::words;
use zelador_core::words::{Words, quoted};

use super::Failed;
use crate::errno;

/// Reads secrets, and masks those that it has read.
pub struct Secrets<'a> {
    home: &'a Home,
    read: Mutex<Vec<String>>,
}

impl<'a> Secrets<'a> {
    pub fn new(home: &'a Home) -> Self {
        Self { home, read: Mutex::new(Vec::new()) }
    }

    /// The secret itself.
    pub fn reveal(&self, secret: &Secret) -> Result<String, Failed> {
        let found = match secret {
            Secret::Env(name) => self.variable(name),
            Secret::File(path) => fs::read_to_string(path)
                .map(|text| text.lines().next().unwrap_or_default().to_owned())
                .map_err(|error| unreadable(path, &errno::said(&error))),
            Secret::Module { module, option } => self.setting(module, option),
        };
        let found = found.map_err(Failed::new)?.trim().to_owned();
        if found.is_empty() {
            return Err(Failed::new(words!("{secret} is empty", "{secret} está vazio")));
        }
        self.hide(found.clone());
        Ok(found)
    }

    /// Has something masked that was made here.
    pub(super) fn hide(&self, secret: String) {
        self.read.lock().unwrap_or_else(PoisonError::into_inner).push(secret);
    }

    /// A variable of zelador's own environment, or of `secrets.env` in its home.
    fn variable(&self, name: &str) -> Result<String, Words> {
        if let Ok(value) = std::env::var(name) {
            return Ok(value);
        }
        let path = self.home.path().join("secrets.env");
        let missing = || {
            let path = path.display();
            words!(
                "${name} is neither in zelador's environment nor in {path}",
                "${name} não está no ambiente do zelador nem em {path}",
            )
        };
        let text = fs::read_to_string(&path).map_err(|_| missing())?;
        let variables = zelador_core::dotenv::parse(&text)
            .map_err(|error| unreadable(&path, &quoted(error)))?;
        variables.get(name).cloned().ok_or_else(missing)
    }

    fn setting(&self, module: &str, option: &str) -> Result<String, Words> {
        let conf = module_conf::read(self.home).map_err(quoted)?;
        let name = SettingName::parse(&format!("\"{module}\":\"{option}\""));
        let found = name.ok().and_then(|name| conf.get(&name));
        let unset =
            || words!("{module}:{option} is not set", "{module}:{option} não está definido");
        found.ok_or_else(unset)
    }

    /// The text without any secret that was read.
    pub(super) fn mask(&self, text: &str) -> String {
        let mut masked = text.to_owned();
        let read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        for secret in read.iter().filter(|secret| secret.len() > 3) {
            masked = masked.replace(secret.as_str(), redact::MASK);
        }
        masked
    }
}

fn unreadable(path: &Path, why: &Words) -> Words {
    let path = path.display();
    words!("{path} cannot be read: {why}", "{path} não pode ser lido: {why}", why = why)
}
