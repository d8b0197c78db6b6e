//! One value in the tree with its field name: converted to a typed value, or reported.
//!
//! Always holds: a conversion that returns `None` has reported a mistake, so the caller may put
//! any default in its place.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use super::mistake::Report;
use super::names::{Names, canonical, nearest};
use super::node::{Key, Node, Value};
use super::{amount, shell};
use crate::redact;
use crate::unit::ByteSize;

/// How many characters of a value a mistake shows.
const SHOWN: usize = 60;

/// A value, the name of its field, and where mistakes about it go.
#[derive(Clone)]
pub(super) struct Place<'a> {
    pub(super) report: &'a Report,
    pub(super) field: String,
    pub(super) node: &'a Node,
}

impl<'a> Place<'a> {
    /// Reports the value as it stands, and returns `None`.
    pub(super) fn refuse<T>(&self, allowed: impl Into<String>) -> Option<T> {
        self.refuse_found(self.shown(), allowed)
    }

    /// The same for a value that must not be shown as it stands.
    pub(super) fn refuse_found<T>(
        &self,
        found: impl Into<String>,
        allowed: impl Into<String>,
    ) -> Option<T> {
        self.report.mistake(self.node.position, &self.field, found.into(), allowed.into(), None);
        None
    }

    /// The same with the next thing to try.
    pub(super) fn refuse_with_help<T>(
        &self,
        allowed: impl Into<String>,
        help: impl Into<String>,
    ) -> Option<T> {
        let help = Some(help.into());
        self.report.mistake(self.node.position, &self.field, self.shown(), allowed.into(), help);
        None
    }

    pub(super) fn note(&self, text: impl Into<String>) {
        self.report.note(self.node.position, &self.field, text.into());
    }

    /// The value as a mistake shows it: short, on one line, without secrets.
    pub(super) fn shown(&self) -> String {
        match &self.node.value {
            Value::Text(text) => shown_text(&redact::text(text)),
            Value::List(nodes) => format!("a list of {}", nodes.len()),
            Value::Table(_) => "an object".to_owned(),
            plain => plain.to_string(),
        }
    }

    pub(super) fn is_null(&self) -> bool {
        matches!(self.node.value, Value::Null)
    }

    /// True for `false`: how a feature is switched off.
    pub(super) fn is_false(&self) -> bool {
        matches!(self.node.value, Value::Bool(false))
    }

    /// Text that is not empty.
    pub(super) fn text(&self) -> Option<String> {
        match &self.node.value {
            Value::Text(text) if !text.trim().is_empty() => self.without_nul(text),
            _ => self.refuse("text"),
        }
    }

    /// Text, or a number as text.
    pub(super) fn text_or_number(&self) -> Option<String> {
        match &self.node.value {
            Value::Number(number) => Some(number.to_string()),
            Value::Text(text) if !text.trim().is_empty() => self.without_nul(text),
            _ => self.refuse("text"),
        }
    }

    /// What an argument list carries: it may be empty.
    fn word(&self) -> Option<String> {
        match &self.node.value {
            Value::Number(number) => Some(number.to_string()),
            Value::Bool(flag) => Some(flag.to_string()),
            Value::Text(text) => self.without_nul(text),
            _ => self.refuse("text"),
        }
    }

    /// The operating system ends paths, arguments and variables at a NUL.
    pub(super) fn without_nul(&self, text: &str) -> Option<String> {
        if text.contains('\0') {
            return self.refuse("text without NUL characters");
        }
        Some(text.to_owned())
    }

    /// True, false, or one of them as text.
    pub(super) fn flag(&self) -> Option<bool> {
        match &self.node.value {
            Value::Bool(flag) => Some(*flag),
            Value::Text(text) if text == "true" => Some(true),
            Value::Text(text) if text == "false" => Some(false),
            _ => self.refuse("true or false"),
        }
    }

    /// A whole number, or text with one.
    pub(super) fn whole(&self, range: RangeInclusive<i64>) -> Option<i64> {
        let number = self.number().filter(|number| number.fract() == 0.0);
        let found = number.map(|number| number as i64).filter(|number| range.contains(number));
        if found.is_none() {
            let (from, to) = range.into_inner();
            let is_above = number.is_some_and(|number| number > to as f64);
            return self.refuse(if to >= i64::from(u32::MAX) && !is_above {
                format!("a whole number from {from} on")
            } else {
                format!("a whole number from {from} to {to}")
            });
        }
        found
    }

    /// A number, or text with one; reports nothing.
    pub(super) fn number(&self) -> Option<f64> {
        match &self.node.value {
            Value::Number(number) if number.is_finite() => Some(*number),
            Value::Text(text) => amount::number(text),
            _ => None,
        }
    }

    /// A time span of at least `least`.
    pub(super) fn span(&self, least: Duration) -> Option<Duration> {
        let found = match &self.node.value {
            Value::Number(millis) => amount::span_of_millis(*millis),
            Value::Text(text) => amount::span(text),
            _ => None,
        };
        let found = found.filter(|span| *span >= least);
        if found.is_none() {
            let from = if least.is_zero() {
                String::new()
            } else {
                format!(", at least {}", crate::unit::spoken(least))
            };
            return self.refuse(format!("milliseconds, or text like `10s`, `5m`, `1h`{from}"));
        }
        found
    }

    /// An amount of memory above nothing.
    pub(super) fn size(&self) -> Option<ByteSize> {
        let found = match &self.node.value {
            Value::Number(bytes) => amount::size_of_bytes(*bytes),
            Value::Text(text) => amount::size(text),
            _ => None,
        };
        match found.filter(|size| size.bytes() > 0) {
            Some(size) => Some(size),
            None => self.refuse("bytes, or text like `500M`, `1G`, `200K`"),
        }
    }

    /// A list of texts, or one text that is split as a shell does.
    pub(super) fn words(&self) -> Option<Vec<String>> {
        match &self.node.value {
            Value::List(_) => {
                let words: Vec<_> = self.items().iter().map(Place::word).collect();
                words.into_iter().collect()
            }
            Value::Text(text) => match shell::words(&self.without_nul(text)?) {
                Some(words) => Some(words),
                None => self.refuse("text in which every quote is closed, or a list"),
            },
            Value::Number(number) => Some(vec![number.to_string()]),
            _ => self.refuse("a list of texts, or text that is split at blanks"),
        }
    }

    /// The items of a list with their places; nothing if it is no list.
    pub(super) fn items(&self) -> Vec<Self> {
        let Value::List(nodes) = &self.node.value else { return Vec::new() };
        let item = |(index, node)| Place {
            report: self.report,
            field: format!("{}[{index}]", self.field),
            node,
        };
        nodes.iter().enumerate().map(item).collect()
    }

    /// The entries of a table with their places; `None` if it is no table (not reported).
    pub(super) fn entries(&self) -> Option<Vec<(&'a Key, Self)>> {
        let Value::Table(entries) = &self.node.value else { return None };
        let entry = |(key, node): &'a (Key, Node)| {
            (key, Place { report: self.report, field: self.field_of(&key.name), node })
        };
        Some(entries.iter().map(entry).collect())
    }

    fn field_of(&self, name: &str) -> String {
        let plain = !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$');
        match (plain, self.field.is_empty()) {
            (true, true) => name.to_owned(),
            (true, false) => format!("{}.{name}", self.field),
            (false, _) => format!("{}[{}]", self.field, shown_text(name)),
        }
    }

    /// A table of which only `known` fields may be given; `whose` completes "the fields of …".
    pub(super) fn block(&self, whose: &str, known: &'static [Names]) -> Option<Block<'a>> {
        self.block_with(whose, known, |_, _| false)
    }

    /// The same; `other` says true for a field that is no mistake though it is not `known`.
    pub(super) fn block_with(
        &self,
        whose: &str,
        known: &'static [Names],
        mut other: impl FnMut(&Key, &Place<'a>) -> bool,
    ) -> Option<Block<'a>> {
        let Some(entries) = self.entries() else {
            return self.refuse(format!("an object with the fields of {whose}"));
        };
        let mut block = Block { place: self.clone(), known: BTreeMap::new() };
        for (key, place) in entries {
            match canonical(&key.name, known) {
                Some(name) if !place.is_null() => block.take(name, key, place),
                Some(_) => {}
                None if other(key, &place) => {}
                None => unknown(key, &place, whose, known),
            }
        }
        Some(block)
    }
}

/// Reports a field that nobody knows, and names the nearest one.
fn unknown(key: &Key, place: &Place<'_>, whose: &str, known: &[Names]) {
    let help = nearest(&key.name, known).map(|near| format!("did you mean `{near}`?"));
    let allowed = format!("the fields of {whose}");
    let position = key.position.or(place.node.position);
    place.report.mistake(position, &place.field, "an unknown field".to_owned(), allowed, help);
}

fn shown_text(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    format!("{short:?}")
}

/// A table whose fields are all known.
pub(super) struct Block<'a> {
    /// Of the table itself.
    pub(super) place: Place<'a>,
    known: BTreeMap<&'static str, (&'a Key, Place<'a>)>,
}

impl<'a> Block<'a> {
    /// The field, unless it is absent or null.
    pub(super) fn get(&self, name: &str) -> Option<&Place<'a>> {
        self.known.get(name).map(|(_, place)| place)
    }

    /// Of two spellings of one field PM2 takes the first name of it; of two equal ones JavaScript
    /// takes the last.
    fn take(&mut self, name: &'static str, key: &'a Key, place: Place<'a>) {
        let Some((earlier, _)) = self.known.get(name) else {
            self.known.insert(name, (key, place));
            return;
        };
        let earlier_counts = earlier.name != key.name && key.name != name;
        if earlier_counts {
            place.note(format!("has no effect: `{}` is given too", earlier.name));
        } else if earlier.name == key.name {
            place.note("is given twice; the last one counts");
        } else {
            place.note(format!("is given as `{}` too, which has no effect", earlier.name));
        }
        if !earlier_counts {
            self.known.insert(name, (key, place));
        }
    }
}
