//! What is not watched.
//!
//! Never: names that begin with a dot, `node_modules`, `__pycache__`, logs, pid files, what editors
//! leave beside a file, and zelador's own home; except for what `watch` names itself. Besides these,
//! what `ignore_watch` says: a word without a slash is a name anywhere (`tmp`, `*.css`), anything else
//! a path relative to the app's folder (`public/uploads`, `**/*.test.js`).

use std::path::Path;

use globset::{GlobBuilder, GlobMatcher, GlobSet, GlobSetBuilder};
use zelador_core::watch::{WatchPlan, absolute};
use zelador_core::words;
use zelador_core::words::Words;

/// Names that are never watched besides those that begin with a dot.
const NEVER: [&str; 2] = ["node_modules", "__pycache__"];

/// Ends of names that are never watched.
const NEVER_ENDS: [&str; 4] = [".log", ".pid", ".swp", "~"];

/// What is not watched for one app.
pub struct Rules {
    never: Vec<std::path::PathBuf>,
    cwd: std::path::PathBuf,
    names: GlobSet,
    relative: GlobSet,
    absolute: GlobSet,
}

impl Rules {
    /// Returns the rules of a plan, and what is wrong with its patterns.
    pub fn of(plan: &WatchPlan) -> (Self, Vec<Words>) {
        let mut complaints = Vec::new();
        let [mut names, mut relative, mut whole] = [(); 3].map(|()| GlobSetBuilder::new());
        for written in &plan.ignore {
            // What is below a folder goes with it, so that it is not even listed.
            let trimmed = written.trim_end_matches("/**").trim_end_matches('/');
            let (set, pattern) = if trimmed.starts_with('/') || trimmed.starts_with("../") {
                let base = globset::escape(&plan.cwd.to_string_lossy());
                let path = absolute(Path::new(&base), trimmed);
                (&mut whole, path.to_string_lossy().into_owned())
            } else if let Some(anchored) = trimmed.strip_prefix("./") {
                (&mut relative, anchored.to_owned())
            } else if trimmed.contains('/') {
                (&mut relative, trimmed.to_owned())
            } else {
                (&mut names, trimmed.to_owned())
            };
            if pattern.is_empty() {
                continue;
            }
            match GlobBuilder::new(&pattern).literal_separator(true).build() {
                Ok(glob) => _ = set.add(glob),
                Err(error) => {
                    let why = error.kind();
                    complaints.push(words!(
                        "`{written}` in ignore_watch is no pattern, so it ignores nothing: {why}",
                        "`{written}` em ignore_watch não é um padrão, então não ignora nada: {why}",
                    ));
                }
            }
        }
        let built = |set: GlobSetBuilder, complaints: &mut Vec<Words>| {
            set.build().unwrap_or_else(|error| {
                complaints.push(words!(
                    "ignore_watch has no effect: {error}",
                    "ignore_watch não tem efeito: {error}",
                ));
                GlobSet::empty()
            })
        };
        let rules = Self {
            never: plan.never.clone(),
            cwd: plan.cwd.clone(),
            names: built(names, &mut complaints),
            relative: built(relative, &mut complaints),
            absolute: built(whole, &mut complaints),
        };
        (rules, complaints)
    }

    /// Returns whether an entry of a watched folder is not watched.
    pub fn ignore(&self, path: &Path) -> bool {
        let Some(name) = path.file_name() else { return false };
        let text = name.to_string_lossy();
        text.starts_with('.')
            || NEVER.contains(&&*text)
            || NEVER_ENDS.iter().any(|end| text.ends_with(end))
            || self.ignore_named(path)
    }

    /// The same for what `watch` names itself.
    pub fn ignore_named(&self, path: &Path) -> bool {
        self.never.iter().any(|folder| path.starts_with(folder))
            || path.file_name().is_some_and(|name| self.names.is_match(name))
            || self.absolute.is_match(path)
            || path.strip_prefix(&self.cwd).is_ok_and(|path| self.relative.is_match(path))
    }
}

/// One of the places that `watch` names.
pub struct Root {
    /// The folder that is watched.
    pub base: std::path::PathBuf,
    only: Only,
}

enum Only {
    Everything,
    /// A path and what is below it: a file, or what may come to be there.
    Below(std::path::PathBuf),
    Matching(Box<GlobMatcher>),
}

impl Root {
    /// Returns the place, or what is wrong with it.
    pub fn of(path: &Path) -> Result<Self, Words> {
        let is_pattern = |part: &str| part.contains(['*', '?', '[', '{']);
        let text = path.to_string_lossy();
        if is_pattern(&text) && !path.exists() {
            let base = path
                .components()
                .take_while(|part| !is_pattern(&part.as_os_str().to_string_lossy()));
            let glob = GlobBuilder::new(&text).literal_separator(true).build();
            let glob = glob.map_err(|error| {
                let why = error.kind();
                words!(
                    "`{text}` in watch is no pattern, so it is not watched: {why}",
                    "`{text}` em watch não é um padrão, então não é vigiado: {why}",
                )
            })?;
            let only = Only::Matching(Box::new(glob.compile_matcher()));
            return Ok(Self { base: base.collect(), only }).and_then(Self::existing);
        }
        if path.is_dir() {
            return Ok(Self { base: path.to_owned(), only: Only::Everything });
        }
        let base = path.parent().unwrap_or(path).to_owned();
        Self { base, only: Only::Below(path.to_owned()) }.existing()
    }

    fn existing(self) -> Result<Self, Words> {
        if self.base.is_dir() {
            return Ok(self);
        }
        let base = self.base.display();
        Err(words!(
            "{base} does not exist, so it is not watched",
            "{base} não existe, então não é vigiado",
        ))
    }

    /// Returns whether a change of this file counts.
    pub fn covers(&self, path: &Path) -> bool {
        match &self.only {
            Only::Everything => path.starts_with(&self.base),
            Only::Below(named) => path.starts_with(named),
            Only::Matching(glob) => glob.is_match(path),
        }
    }

    /// Returns whether a folder may have something that counts.
    pub fn descends(&self, folder: &Path) -> bool {
        match &self.only {
            Only::Everything | Only::Matching(_) => folder.starts_with(&self.base),
            Only::Below(named) => folder.starts_with(named),
        }
    }

    /// Returns whether an entry of a watched folder is not watched.
    pub fn ignores(&self, path: &Path, rules: &Rules) -> bool {
        match &self.only {
            Only::Below(named) if path == named => rules.ignore_named(path),
            _ => rules.ignore(path),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(ignore: &[&str]) -> WatchPlan {
        WatchPlan {
            paths: vec!["/srv/app".into()],
            cwd: "/srv/app".into(),
            ignore: ignore.iter().map(|&pattern| pattern.to_owned()).collect(),
            never: vec!["/srv/app/zelador-home".into()],
            follow_symlinks: true,
            polling: None,
        }
    }

    #[test]
    fn names_paths_and_patterns_are_understood() {
        let patterns = [
            "tmp",
            "*.css",
            "./logs",
            "public/uploads/**",
            "build/",
            "**/*.test.js",
            "a/*/c",
            "/etc/x/*",
            "../shared",
            "docs/*.md",
        ];
        let (rules, complaints) = Rules::of(&plan(&patterns));
        assert_eq!(complaints, Vec::<Words>::new());
        for (path, expected) in [
            ("/srv/app/a.js", false),
            ("/srv/app/tmp", true),
            ("/srv/app/x/tmp", true),
            ("/srv/app/x/tmpl", false),
            ("/srv/app/x/y.css", true),
            ("/srv/app/logs", true),
            ("/srv/app/x/logs", false),
            ("/srv/app/public/uploads", true),
            ("/srv/app/public/x", false),
            ("/srv/app/build", true),
            ("/srv/app/x/y.test.js", true),
            ("/srv/app/y.test.js", true),
            ("/srv/app/a/b/c", true),
            ("/srv/app/a/b/d/c", false),
            ("/srv/app/docs/x.md", true),
            ("/srv/app/docs/x/y.md", false),
            ("/etc/x/y", true),
            ("/srv/shared", true),
            // Never, whatever is said.
            ("/srv/app/.env", true),
            ("/srv/app/x/.git", true),
            ("/srv/app/node_modules", true),
            ("/srv/app/x/node_modules", true),
            ("/srv/app/app.log", true),
            ("/srv/app/a.js~", true),
            ("/srv/app/zelador-home/x", true),
        ] {
            assert_eq!(rules.ignore(Path::new(path)), expected, "{path}");
        }
    }

    #[test]
    fn a_folder_with_special_characters_is_a_folder() {
        let mut odd = plan(&["../other"]);
        odd.cwd = "/srv/[app]".into();
        let (rules, _) = Rules::of(&odd);
        assert!(rules.ignore(Path::new("/srv/other")));
        assert!(!rules.ignore(Path::new("/srv/[app]/other")));
    }

    #[test]
    fn a_pattern_that_is_none_is_said_and_the_others_count() {
        let (rules, complaints) = Rules::of(&plan(&["[a", "tmp"]));
        assert!(
            complaints.len() == 1 && complaints[0].english().contains("`[a`"),
            "{complaints:?}"
        );
        assert!(rules.ignore(Path::new("/srv/app/tmp")));
    }
}
