//! How well a `MySQL` or `MariaDB` server follows the one whose changes it takes in.
//!
//! Always holds: what a user may not see is left out.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Row};
use zelador_core::probe::{Measure, Unit};
use zelador_core::words;
use zelador_core::words::Words;

use super::mysql::value;
use super::query::tidy;

/// How it follows.
#[derive(Debug, PartialEq)]
pub(super) enum Replication {
    /// It follows nobody, or this user may not see whom.
    None,
    /// It is so many seconds behind, by its own word.
    Behind(f64),
    /// It takes in nothing any more.
    Stopped(Words),
}

impl Replication {
    pub(super) fn lag(&self) -> Option<Measure> {
        match self {
            Self::Behind(seconds) => Some(Measure::new("lag", *seconds, Unit::Seconds)),
            Self::None | Self::Stopped(_) => None,
        }
    }
}

/// All that it follows: `MariaDB`, `MySQL` from 8.0.22 on, and before.
const QUESTIONS: [&str; 3] = ["SHOW ALL SLAVES STATUS", "SHOW REPLICA STATUS", "SHOW SLAVE STATUS"];

/// Asks how it follows; of several that it follows, the worst counts.
pub(super) async fn replication(connection: &mut Conn) -> Replication {
    for question in QUESTIONS {
        if let Ok(rows) = connection.query::<Row, _>(question).await {
            return worst(rows.iter().map(|row| of_row(|name| column(row, name))));
        }
    }
    Replication::None
}

fn worst(all: impl Iterator<Item = Replication>) -> Replication {
    all.reduce(|worst, other| match (&worst, &other) {
        (Replication::Stopped(_), _) => worst,
        (Replication::Behind(one), Replication::Behind(another)) if one >= another => worst,
        _ => other,
    })
    .unwrap_or(Replication::None)
}

/// The server says NULL for how far it is behind where one of its two threads does not work.
fn of_row(column: impl Fn(&str) -> Option<String>) -> Replication {
    let either = |new: &str, old: &str| column(new).or_else(|| column(old));
    let behind = either("Seconds_Behind_Source", "Seconds_Behind_Master");
    if let Some(seconds) = behind.and_then(|seconds| seconds.parse().ok()) {
        return Replication::Behind(seconds);
    }
    let (what, error) = match either("Replica_SQL_Running", "Slave_SQL_Running").as_deref() {
        Some("Yes") => {
            let what = words!("it does not reach its primary", "não alcança o seu primário");
            (what, "Last_IO_Error")
        }
        _ => {
            let what = words!("its replication has stopped", "a replicação dele parou");
            (what, "Last_SQL_Error")
        }
    };
    Replication::Stopped(match column(error).filter(|error| !error.is_empty()) {
        Some(error) => {
            let error = tidy(&error, None);
            words!("{what}: {error}", "{what}: {error}", what = what)
        }
        None => what,
    })
}

fn column(row: &Row, name: &str) -> Option<String> {
    let place = row.columns_ref().iter().position(|it| it.name_str() == name)?;
    value(row, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_words_of_every_version_are_understood() {
        let seen = |columns: &[(&str, &str)]| {
            let columns: Vec<(String, String)> =
                columns.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
            of_row(|name| Some(columns.iter().find(|(known, _)| known == name)?.1.clone()))
        };
        assert_eq!(seen(&[("Seconds_Behind_Source", "4")]), Replication::Behind(4.0));
        assert_eq!(seen(&[("Seconds_Behind_Master", "0")]), Replication::Behind(0.0));
        let stopped = |columns: &[(&str, &str)]| match seen(columns) {
            Replication::Stopped(why) => why.english().to_owned(),
            other => panic!("{other:?}"),
        };
        let columns = [("Replica_SQL_Running", "No"), ("Last_SQL_Error", "it cannot")];
        assert_eq!(stopped(&columns), "its replication has stopped: it cannot");
        let columns = [("Slave_SQL_Running", "Yes"), ("Last_IO_Error", "")];
        assert_eq!(stopped(&columns), "it does not reach its primary");
    }

    #[test]
    fn of_several_the_worst_counts() {
        let stopped = || Replication::Stopped(words::quoted("gone"));
        let behind = Replication::Behind;
        assert_eq!(worst([behind(2.0), behind(7.0), behind(3.0)].into_iter()), behind(7.0));
        assert_eq!(worst([behind(9.0), stopped(), behind(3.0)].into_iter()), stopped());
        assert_eq!(worst([].into_iter()), Replication::None);
    }
}
