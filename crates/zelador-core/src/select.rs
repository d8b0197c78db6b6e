//! Which instances a person means by a word.
//!
//! Pure: the word and what there is go in, ids come out; the supervisor and the command line ask
//! the same function, so that they never understand a word differently. The order is PM2's, the
//! first rule that finds something wins: `all`; `/regex/` on the names; the exact name, or for an
//! absolute path the script; `name/index`; the namespace; the id. A name or a namespace that looks
//! like a number beats the id.

use regex_lite::Regex;

use crate::id::InstanceId;

/// What a word is held against: one instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Candidate<'a> {
    /// Its number.
    pub id: InstanceId,
    /// Its app's name.
    pub app: &'a str,
    /// Which replica.
    pub index: u32,
    /// Its app's namespace.
    pub namespace: &'a str,
    /// The script, as it is executed; a relative one is no path and is never meant by one.
    pub script: &'a str,
}

/// Why a word names nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unselected {
    /// `all` of nothing.
    #[error("there is no app")]
    Nothing,
    /// Nothing is called that.
    #[error("nothing is called that")]
    Unknown {
        /// The nearest name there is.
        nearest: Option<String>,
    },
    /// What stands between the slashes is no regular expression.
    #[error("{0}")]
    Pattern(String),
}

/// Returns the instances that one word names, in the order of `candidates`.
///
/// # Errors
/// There is none.
pub fn select(word: &str, candidates: &[Candidate<'_>]) -> Result<Vec<InstanceId>, Unselected> {
    let all_that = |holds: &dyn Fn(&Candidate<'_>) -> bool| -> Vec<InstanceId> {
        candidates.iter().filter(|it| holds(it)).map(|it| it.id).collect()
    };
    let found = match rule(word, candidates)? {
        Rule::All => return some(all_that(&|_| true), || Unselected::Nothing),
        Rule::Pattern(pattern) => all_that(&|it| pattern.is_match(it.app)),
        Rule::Name => all_that(&|it| it.app == word),
        Rule::Script => all_that(&|it| it.script == word),
        Rule::Replica(app, index) => all_that(&|it| it.app == app && it.index == index),
        Rule::Namespace => all_that(&|it| it.namespace == word),
        Rule::Id(id) => all_that(&|it| it.id == id),
        Rule::None => Vec::new(),
    };
    some(found, || Unselected::Unknown {
        nearest: nearest(word, candidates.iter().map(|it| it.app)).map(str::to_owned),
    })
}

fn some(
    found: Vec<InstanceId>,
    error: impl FnOnce() -> Unselected,
) -> Result<Vec<InstanceId>, Unselected> {
    if found.is_empty() { Err(error()) } else { Ok(found) }
}

/// The rule by which a word names something.
enum Rule<'a> {
    All,
    Pattern(Regex),
    Name,
    Script,
    Replica(&'a str, u32),
    Namespace,
    Id(InstanceId),
    None,
}

fn rule<'a>(word: &'a str, candidates: &[Candidate<'_>]) -> Result<Rule<'a>, Unselected> {
    if word == "all" {
        return Ok(Rule::All);
    }
    if let Some(pattern) = pattern(word) {
        return Regex::new(pattern)
            .map(Rule::Pattern)
            .map_err(|error| Unselected::Pattern(error.to_string()));
    }
    let any = |holds: &dyn Fn(&Candidate<'_>) -> bool| candidates.iter().any(holds);
    if any(&|it| it.app == word) {
        return Ok(Rule::Name);
    }
    if word.starts_with('/') && any(&|it| it.script == word) {
        return Ok(Rule::Script);
    }
    if let Some((app, index)) = word.rsplit_once('/')
        && let Ok(index) = index.parse()
        && any(&|it| it.app == app && it.index == index)
    {
        return Ok(Rule::Replica(app, index));
    }
    if any(&|it| it.namespace == word) {
        return Ok(Rule::Namespace);
    }
    Ok(word.parse().map_or(Rule::None, |id| Rule::Id(InstanceId::new(id))))
}

/// What stands between the slashes of `/regex/`; an absolute path does not end with one.
pub fn pattern(word: &str) -> Option<&str> {
    word.strip_prefix('/')?.strip_suffix('/').filter(|pattern| !pattern.is_empty())
}

/// How alike two names must be to be named as meant; 1 is equal.
const ALIKE: f64 = 0.8;

/// How alike a name is that is one slip away, at least: less than one that begins in the same way.
const SLIP: f64 = 0.85;

/// Returns the name that is most like the word, if one is like it at all. One slip of the finger (a letter
/// too many, missing, wrong, or two swapped) is like it, however short the name is.
pub fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |name: &str| {
        let is_slip = name.len() > 2 && strsim::osa_distance(name, word) == 1;
        strsim::jaro_winkler(name, word).max(if is_slip { SLIP } else { 0.0 })
    };
    let alike = names.map(|name| (likeness(name), name));
    let best = alike.filter(|(likeness, _)| *likeness > ALIKE);
    best.max_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of<'a>(id: u32, app: &'a str, index: u32, namespace: &'a str) -> Candidate<'a> {
        Candidate { id: InstanceId::new(id), app, index, namespace, script: "/srv/a.js" }
    }

    fn found(word: &str, candidates: &[Candidate<'_>]) -> Vec<u32> {
        let ids = select(word, candidates).unwrap_or_default();
        ids.into_iter().map(InstanceId::number).collect()
    }

    #[test]
    fn a_slip_of_the_finger_is_understood_in_short_names_too() {
        let names = ["web", "db", "payments"];
        let near = |word| nearest(word, names.into_iter());
        assert_eq!(near("wbe"), Some("web"), "swapped");
        assert_eq!(
            (near("we"), near("webb"), near("wrb")),
            (Some("web"), Some("web"), Some("web"))
        );
        assert_eq!(near("paymnets"), Some("payments"));
        assert_eq!((near("dx"), near("cache")), (None, None), "of two letters one is too much");
    }

    #[test]
    fn the_order_of_the_rules_is_pm2s() {
        let list = [
            of(0, "api", 0, "shop"),
            of(1, "api", 1, "shop"),
            of(2, "shop", 0, "default"),
            of(3, "7", 0, "back"),
            of(7, "api/1", 0, "9"),
            of(9, "worker.js", 0, "back"),
        ];
        for (word, ids) in [
            ("all", vec![0, 1, 2, 3, 7, 9]),
            ("api", vec![0, 1]),
            ("shop", vec![2]),
            ("back", vec![3, 9]),
            ("7", vec![3]),
            ("9", vec![7]),
            ("2", vec![2]),
            ("api/0", vec![0]),
            ("api/1", vec![7]),
            ("/^a|k/", vec![0, 1, 7, 9]),
            ("/API/", vec![]),
            ("/srv/a.js", vec![0, 1, 2, 3, 7, 9]),
            ("/srv/b.js", vec![]),
            ("nope", vec![]),
            ("", vec![]),
            ("//", vec![]),
        ] {
            assert_eq!(found(word, &list), ids, "{word:?}");
        }
        assert_eq!(select("all", &[]), Err(Unselected::Nothing));
        let near = Unselected::Unknown { nearest: Some("worker.js".to_owned()) };
        assert_eq!(select("worker", &list), Err(near));
        assert!(matches!(select("/(/", &list), Err(Unselected::Pattern(_))));
    }

    #[test]
    fn no_pattern_takes_long() {
        let name = "a".repeat(128);
        let list = [of(0, &name, 0, "default")];
        assert_eq!(found("/(a*)*b/", &list), [0_u32; 0]);
        assert!(select("/(a{900}){900}/", &list).is_err(), "one that would be huge is refused");
    }

    const NAMES: [&str; 5] = ["a", "b", "1", "a/1", "2"];

    proptest! {
        /// The model: the first rule with an instance that it fits decides alone.
        #[test]
        fn a_word_is_understood_as_by_the_plain_model(
            apps in prop::collection::vec((0_usize..5, 0_u32..3, 0_usize..5), 0..8),
            word in prop::sample::select(vec!["all", "a", "b", "1", "2", "a/1", "1/0", "0", "5", "x"]),
        ) {
            let list: Vec<Candidate<'_>> = apps
                .iter()
                .enumerate()
                .map(|(id, (app, index, space))| of(id as u32, NAMES[*app], *index, NAMES[*space]))
                .collect();
            let rules: [&dyn Fn(&Candidate<'_>) -> bool; 5] = [
                &|_| word == "all",
                &|it| it.app == word,
                &|it| format!("{}/{}", it.app, it.index) == word,
                &|it| it.namespace == word,
                &|it| it.id.to_string() == word,
            ];
            let model = rules.iter().find_map(|rule| {
                let ids: Vec<u32> =
                    list.iter().filter(|it| rule(it)).map(|it| it.id.number()).collect();
                (!ids.is_empty()).then_some(ids)
            });
            prop_assert_eq!(found(word, &list), model.unwrap_or_default());
        }

        #[test]
        fn any_word_is_answered(word in ".{0,40}") {
            let list = [of(0, "api", 0, "default")];
            _ = select(&word, &list);
            _ = select(&format!("/{word}/"), &list);
        }
    }
}
