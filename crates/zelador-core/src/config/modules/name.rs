//! The names of settings: module, option, and what lies deeper.

use super::INSTALLED;

/// More parts than this are a slip of the finger.
pub(super) const DEEPEST: usize = 8;

/// The name of a setting, taken apart: module, option, and what lies deeper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingName(pub(super) Vec<String>);

/// Why a setting is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// The name is none.
    #[error("{0:?} is not the name of a setting; allowed: `MODULE:OPTION` or `MODULE.OPTION`")]
    Name(String),
    /// The value is not what a known setting can have.
    #[error("{name} is {found}; allowed: {allowed}")]
    Value {
        /// The setting.
        name: String,
        /// What was given.
        found: String,
        /// What may be given.
        allowed: String,
    },
}

impl SettingName {
    /// Takes a name apart: at colons, or at dots where there is no colon; quotes protect both.
    ///
    /// # Errors
    /// A part is empty, or there are too many.
    pub fn parse(text: &str) -> Result<Self, SettingError> {
        let refused = || SettingError::Name(text.to_owned());
        let at_colons = split(text, ':').ok_or_else(refused)?;
        let parts =
            if at_colons.len() > 1 { at_colons } else { split(text, '.').ok_or_else(refused)? };
        let fits = |part: &String| {
            !part.is_empty() && part.trim() == part && !part.chars().any(char::is_control)
        };
        if !parts.iter().all(fits) || parts.len() > DEEPEST || parts[0] == INSTALLED {
            return Err(refused());
        }
        Ok(Self(parts))
    }

    /// The module.
    pub fn module(&self) -> &str {
        &self.0[0]
    }

    /// Whether it stands for a whole module.
    pub fn is_module(&self) -> bool {
        self.0.len() == 1
    }
}

impl std::fmt::Display for SettingName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&joined(&self.0))
    }
}

fn joined(parts: &[String]) -> String {
    let protected = |part: &String| {
        if part.contains([':', '.']) { format!("\"{part}\"") } else { part.clone() }
    };
    // The first part may have dots: a colon follows it.
    let mut text = match parts {
        [only] => return protected(only),
        [first, ..] if !first.contains(':') => first.clone(),
        [first, ..] => protected(first),
        [] => return String::new(),
    };
    for part in &parts[1..] {
        text.push(':');
        text.push_str(&if part.contains(':') { format!("\"{part}\"") } else { part.clone() });
    }
    text
}

/// Splits at `between` outside quotes, which go; `None` for a quote that is not closed.
fn split(text: &str, between: char) -> Option<Vec<String>> {
    let (mut parts, mut quote) = (vec![String::new()], None);
    for c in text.chars() {
        match quote {
            Some(open) if c == open => quote = None,
            None if c == '"' || c == '\'' => quote = Some(c),
            None if c == between => parts.push(String::new()),
            _ => parts.last_mut()?.push(c),
        }
    }
    quote.is_none().then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> SettingName {
        SettingName::parse(text).unwrap()
    }

    #[test]
    fn a_name_is_split_at_colons_or_dots_and_quotes_protect_them() {
        for (text, parts) in [
            ("pm2-logrotate:max_size", vec!["pm2-logrotate", "max_size"]),
            ("pm2-logrotate.max_size", vec!["pm2-logrotate", "max_size"]),
            ("socket.io:a:b", vec!["socket.io", "a", "b"]),
            ("\"socket.io\".port", vec!["socket.io", "port"]),
            ("mod:'a:b'", vec!["mod", "a:b"]),
            ("mod:slack_url-my.app", vec!["mod", "slack_url-my.app"]),
            ("mod", vec!["mod"]),
        ] {
            let parsed = name(text);
            assert_eq!(parsed.0, parts, "{text}");
            assert_eq!(name(&parsed.to_string()), parsed, "{parsed} is read as what it says");
        }
        for wrong in ["", ":", "mod:", ":x", "a..b", "mod:'x", "module-db-v2:x", "a:b\u{7}"] {
            assert!(SettingName::parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
