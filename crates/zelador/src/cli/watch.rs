//! Restarts because files changed, as options.

use clap::Args;
use zelador_api::config::Value;

/// Which changes of files restart an app.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
pub struct Watch {
    /// Restart it when files change: below its folder, or this folder, file or pattern (repeatable);
    /// `false`: not any more
    #[arg(long = "watch", value_name = "PATH", num_args = 0..=1, default_missing_value = "")]
    pub paths: Vec<String>,
    /// What is not watched, besides dotfiles, `node_modules` and logs: names, paths or patterns
    #[arg(long = "ignore-watch", value_name = "PATTERNS")]
    pub ignore: Vec<String>,
    /// How long nothing more must change before the restart: seconds, or `400ms`
    #[arg(long = "watch-delay", value_name = "TIME")]
    pub delay: Option<String>,
}

impl Watch {
    /// Returns the options as the fields that an ecosystem file has for them.
    pub fn fields(&self) -> Vec<(&'static str, Value)> {
        let mut fields = Vec::new();
        let paths: Vec<String> = self.paths.iter().filter(|it| !it.is_empty()).cloned().collect();
        match paths.as_slice() {
            [] if self.paths.is_empty() => {}
            [] => fields.push(("watch", Value::from(true))),
            [word] if word == "false" => fields.push(("watch", Value::from(false))),
            _ => fields.push(("watch", Value::from(paths))),
        }
        if !self.ignore.is_empty() {
            fields.push(("ignore_watch", Value::from(self.ignore.join(" "))));
        }
        if let Some(delay) = &self.delay {
            // PM2 takes a bare number here, and only here, for seconds.
            let is_number = delay.parse::<f64>().is_ok();
            let delay = if is_number { format!("{delay}s") } else { delay.clone() };
            fields.push(("watch_delay", Value::from(delay)));
        }
        fields
    }

    /// Watches only files with these extensions, where anything is watched.
    pub fn only(&mut self, extensions: &[String]) {
        let wanted: Vec<&str> = extensions
            .iter()
            .map(|it| it.trim_start_matches('.'))
            .filter(|it| !it.is_empty())
            .collect();
        if wanted.is_empty() || self.paths == ["false"] {
            return;
        }
        for path in &mut self.paths {
            let folder = path.trim_end_matches('/');
            let below = if folder.is_empty() { String::new() } else { format!("{folder}/") };
            *path = format!("{below}**/*.{{{}}}", wanted.join(","));
        }
    }

    /// Takes the word that was meant to be started: `start --watch app.js`.
    pub fn take_target(&mut self) -> Option<String> {
        match self.paths.as_mut_slice() {
            [word] if !word.is_empty() => Some(std::mem::take(word)),
            _ => None,
        }
    }
}
