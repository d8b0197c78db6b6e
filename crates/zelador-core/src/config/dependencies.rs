//! What apps depend on, checked over a whole file: a name that nothing has, and circles.
//!
//! Pure: the apps of the file, its databases and the names known besides go in; mistakes come out.

use std::collections::{BTreeMap, BTreeSet};

use super::names::nearest_of;
use super::place::Place;
use crate::spec::{AppSpec, Condition};

/// An app, and where its `depends_on` stands.
pub(super) type Dependant<'a, 'p> = (&'a AppSpec, Option<&'a Place<'p>>);

/// Reports every name in a `depends_on` that is neither an app of the file nor among `databases` and
/// `known` (`None`: any name may be known elsewhere), and every circle of apps.
pub(super) fn check(
    apps: &[Dependant<'_, '_>],
    databases: &BTreeSet<&str>,
    known: Option<&BTreeSet<String>>,
) {
    let names: BTreeSet<&str> = apps.iter().map(|(app, _)| app.name.as_str()).collect();
    if let Some(known) = known {
        let all: BTreeSet<&str> = names
            .iter()
            .copied()
            .chain(databases.iter().copied())
            .chain(known.iter().map(String::as_str))
            .collect();
        for (app, place) in apps {
            let Some(place) = place else { continue };
            for wanted in app.depends_on.iter().filter(|name| !all.contains(name.as_str())) {
                unknown(place, wanted, &all);
            }
        }
    }
    for (app, place) in apps {
        let Some(place) = place else { continue };
        for (name, condition) in &app.conditions {
            let needed = apps.iter().find(|(other, _)| other.name.as_str() == name);
            let is_database = databases.contains(name.as_str());
            impossible(place, (name, *condition), needed.map(|(app, _)| *app), is_database);
        }
    }
    for circle in circles(apps) {
        let place = apps.iter().find(|(app, _)| app.name.as_str() == circle[0]);
        if let Some((_, Some(place))) = place {
            let way = circle.iter().chain(circle.first()).copied().collect::<Vec<_>>();
            let found = format!("a circle: {}", way.join(" needs "));
            place.refuse_found::<()>(found, "dependencies that do not lead back to the app");
        }
    }
}

/// Reports a condition that will never hold.
fn impossible(
    place: &Place<'_>,
    (name, condition): (&str, Condition),
    needed: Option<&AppSpec>,
    is_database: bool,
) {
    let (why, allowed) = match (condition, needed) {
        (Condition::Completed, None) if is_database => {
            ("a database, which does not end", "`started`, `ready` or `healthy`")
        }
        (Condition::Completed, Some(app))
            if app.restart.autorestart && app.restart.stop_exit_codes.is_empty() =>
        {
            (
                "which is started again whenever it ends",
                "an app with `autorestart: false` or `stop_exit_codes`",
            )
        }
        (Condition::Healthy, Some(app)) if app.health.is_none() => {
            ("which has no `health`", "`started` or `ready`, or an app with `health`")
        }
        _ => return,
    };
    place.refuse_found::<()>(format!("`{}` for {name:?}, {why}", condition.word()), allowed);
}

fn unknown(place: &Place<'_>, wanted: &str, all: &BTreeSet<&str>) {
    let found = format!("{wanted:?}, which is no app and no database");
    let mut allowed = "names of apps and of databases (`zelador.databases`)".to_owned();
    if let Some(near) = nearest_of(wanted, all.iter().copied()) {
        allowed.push_str(&format!("; did you mean `{near}`?"));
    }
    place.refuse_found::<()>(found, allowed);
}

/// The circles among the apps, each once and beginning with its app that comes first in the file.
fn circles<'a>(apps: &[Dependant<'a, '_>]) -> Vec<Vec<&'a str>> {
    let needs: BTreeMap<&str, Vec<&'a str>> = apps
        .iter()
        .map(|(app, _)| {
            let own = app.name.as_str();
            // An app that needs itself is reported where its own fields are.
            let others = app.depends_on.iter().map(String::as_str).filter(|it| *it != own);
            (own, others.collect())
        })
        .collect();
    let mut found = Vec::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for (app, _) in apps {
        follow(app.name.as_str(), &needs, &mut Vec::new(), &mut done, &mut found);
    }
    found
}

fn follow<'a>(
    name: &'a str,
    needs: &BTreeMap<&str, Vec<&'a str>>,
    way: &mut Vec<&'a str>,
    done: &mut BTreeSet<&'a str>,
    found: &mut Vec<Vec<&'a str>>,
) {
    if let Some(at) = way.iter().position(|before| *before == name) {
        found.push(way[at..].to_vec());
        return;
    }
    if done.contains(name) {
        return;
    }
    way.push(name);
    for next in needs.get(name).into_iter().flatten() {
        follow(next, needs, way, done, found);
    }
    way.pop();
    done.insert(name);
}
