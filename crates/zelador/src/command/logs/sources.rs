//! Which files are shown, and whose they are.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use zelador_api::AppView;
use zelador_api::client::ClientError;
use zelador_api::date::{DateFormat, DatePattern};
use zelador_api::id::{AppName, InstanceId};
use zelador_api::select::{Candidate, nearest, select as select_from};
use zelador_api::spec::LogFormat;

use super::super::{Context, select, unknown, unselected};
use crate::cli::Logs;
use crate::failure::Failure;
use crate::{output, voice};

/// Which stream of an app a file holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// One file, and whose it is.
#[derive(Clone, Debug)]
pub struct Source {
    /// The app; empty for zelador's own log.
    pub app: String,
    /// The number of the instance, where it is known.
    pub id: Option<u32>,
    /// Which stream.
    pub stream: Stream,
    /// The file.
    pub path: PathBuf,
    /// The dates that stand before its lines.
    pub date: Option<DatePattern>,
    /// How its lines are written.
    pub format: LogFormat,
}

impl Source {
    /// `0|api`; empty for zelador's own log.
    pub fn owner(&self) -> String {
        self.id.map_or_else(|| self.app.clone(), |id| format!("{id}|{}", self.app))
    }
}

/// Returns the files that are asked for, what was written last standing last, as PM2.
pub fn sources(context: &Context, asked: &Logs) -> Result<Vec<Source>, Failure> {
    let mut sources = if asked.own {
        own(context)?
    } else {
        let selector = selector(asked);
        let mut sources = match context.engine.apps() {
            Ok(apps) => of_apps(&apps, selector)?,
            Err(ClientError::NotRunning(_)) => of_folder(&context.home.logs(), selector)?,
            Err(error) => return Err(error.into()),
        };
        sources.retain(|source| is_wanted(source, asked));
        if is_whole(asked) && voice::is_pm2() {
            let own = context.home.own_log();
            let there = own.exists().then(|| plain(PM2.to_owned(), None, Stream::Out, own));
            sources.extend(there);
        }
        sources
    };
    if sources.is_empty() {
        return Err(Failure::new("there is no log to show"));
    }
    sources.sort_by_cached_key(|source| modified(&source.path));
    Ok(sources)
}

/// Returns the files of the apps that are in the list now and are asked for.
///
/// # Errors
/// Nobody answers, or nothing in the list is asked for.
pub fn sources_of_list(context: &Context, asked: &Logs) -> Result<Vec<Source>, Failure> {
    let mut sources = of_apps(&context.engine.apps()?, selector(asked))?;
    sources.retain(|source| is_wanted(source, asked));
    Ok(sources)
}

fn selector(asked: &Logs) -> &str {
    asked.selector.as_deref().unwrap_or("all")
}

fn is_wanted(source: &Source, asked: &Logs) -> bool {
    match source.stream {
        Stream::Out => !asked.err,
        Stream::Err => !asked.out,
    }
}

/// Whose lines those of the own log are, where they stand between those of apps.
const PM2: &str = "PM2";

/// Whether everything is asked for, and for a person: PM2 shows its own log then, too.
fn is_whole(asked: &Logs) -> bool {
    let everything = asked.selector.as_deref().is_none_or(|selector| selector == "all");
    everything && !asked.err && !asked.out && !asked.raw && !asked.json && !asked.format
}

fn own(context: &Context) -> Result<Vec<Source>, Failure> {
    let path = context.home.own_log();
    if !path.exists() {
        return Err(Failure::new(format!(
            "zelador has no log yet: there is no {}",
            path.display()
        )));
    }
    Ok(vec![plain(String::new(), None, Stream::Out, path)])
}

fn plain(app: String, id: Option<u32>, stream: Stream, path: PathBuf) -> Source {
    Source { app, id, stream, path, date: None, format: LogFormat::Raw }
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).ok()?.modified().ok()
}

/// The files of the apps that a selector names; each once.
fn of_apps(apps: &[AppView], selector: &str) -> Result<Vec<Source>, Failure> {
    let chosen = select(apps, selector)?;
    let mut sources: Vec<Source> = Vec::new();
    for app in chosen {
        let logs = &app.spec.logs;
        for (path, stream) in [(&app.out_log, Stream::Out), (&app.err_log, Stream::Err)] {
            let Some(path) = path else { continue };
            // Replicas that share their files, or both streams in one file.
            if sources.iter().any(|source| source.path == *path) {
                continue;
            }
            let date = logs.date_format.as_deref().map(|it| DateFormat::parse(it).pattern());
            sources.push(Source {
                app: app.instance.app.clone(),
                id: Some(app.instance.id.number()),
                stream,
                path: path.clone(),
                date,
                format: logs.format,
            });
        }
    }
    Ok(sources)
}

/// The files in the folder of logs, for when nobody tells which app has which.
fn of_folder(folder: &Path, selector: &str) -> Result<Vec<Source>, Failure> {
    let not_running = || Failure::from(ClientError::NotRunning(PathBuf::new()));
    let entries = fs::read_dir(folder).map_err(|_| not_running())?;
    let names = entries.flatten().map(|entry| entry.file_name());
    let found: Vec<Source> = names
        .filter_map(|name| {
            let name = name.to_str()?;
            let (app, stream, id) = parse(name)?;
            Some(plain(app, id, stream, folder.join(name)))
        })
        .collect();
    if found.is_empty() {
        return Err(not_running());
    }
    let sources = chosen(&found, selector)?;
    output::note(&format!("zelador is not running; these are the files in {}", folder.display()));
    Ok(sources)
}

/// Those of the files that a selector names: an app as its name stands in file names, a number, a
/// pattern, or all.
fn chosen(found: &[Source], selector: &str) -> Result<Vec<Source>, Failure> {
    let by_number = selector.parse().ok().filter(|id| found.iter().any(|it| it.id == Some(*id)));
    if let Some(id) = by_number {
        return Ok(found.iter().filter(|source| source.id == Some(id)).cloned().collect());
    }
    let stem = AppName::new(selector).map(|name| name.file_stem());
    let word = stem.filter(|stem| found.iter().any(|it| it.app == *stem));
    let word = word.unwrap_or_else(|| selector.to_owned());
    let candidate = |(place, source): (usize, &'_ Source)| (place as u32, source.app.clone());
    let names: Vec<(u32, String)> = found.iter().enumerate().map(candidate).collect();
    let candidates: Vec<Candidate<'_>> = names
        .iter()
        .map(|(place, app)| Candidate {
            id: InstanceId::new(*place),
            app,
            index: u32::MAX,
            namespace: "",
            script: "",
        })
        .collect();
    let is_number = word.parse::<u32>().is_ok() && found.iter().all(|it| it.app != word);
    let places = select_from(&word, &candidates);
    match places {
        Ok(places) if !is_number => {
            let places = places.into_iter().filter_map(|it| found.get(it.number() as usize));
            Ok(places.cloned().collect())
        }
        Ok(_) => Err(unknown(selector, nearest(selector, found.iter().map(|it| it.app.as_str())))),
        Err(why) => Err(unselected(selector, &why)),
    }
}

/// Returns whose log a file is by its name: `api-out.log`, `api-error-3.log`. Rotated ones, whose
/// names end with a date, are none.
fn parse(name: &str) -> Option<(String, Stream, Option<u32>)> {
    let stem = name.strip_suffix(".log")?;
    let (stem, id) = match stem.rsplit_once('-') {
        Some((before, number)) if number.bytes().all(|byte| byte.is_ascii_digit()) => {
            (before, Some(number.parse().ok()?))
        }
        _ => (stem, None),
    };
    let (app, kind) = stem.rsplit_once('-')?;
    let stream = match kind {
        "out" => Stream::Out,
        "error" => Stream::Err,
        _ => return None,
    };
    Some((app.to_owned(), stream, id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_of_a_file_is_told_by_its_name() {
        let api = |stream, id| Some(("api".to_owned(), stream, id));
        assert_eq!(parse("api-out.log"), api(Stream::Out, None));
        assert_eq!(parse("api-error-3.log"), api(Stream::Err, Some(3)));
        assert_eq!(parse("my-api-out-0.log").unwrap().0, "my-api");
        assert_eq!(parse("api-out__2023-11-14_22-13-20.log"), None);
        assert_eq!(parse("zelador.log"), None);
        assert_eq!(parse("api-out.log.gz"), None);
    }

    #[test]
    fn files_are_found_while_zelador_is_down() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["api-out-0.log", "api-error-0.log", "web-out.log", "api-out__x.log"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let count = |selector| of_folder(folder.path(), selector).map(|sources| sources.len());
        for (selector, files) in [("all", 3), ("api", 2), ("0", 2), ("/^(a|w)/", 3), ("/eb$/", 1)] {
            assert_eq!(count(selector).unwrap(), files, "{selector}");
        }
        for wrong in ["wbe", "1", "/(/"] {
            assert!(count(wrong).is_err(), "{wrong}");
        }
        assert!(of_folder(&folder.path().join("none"), "all").is_err());
    }
}
