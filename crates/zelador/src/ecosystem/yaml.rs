//! YAML, with anchors and merge keys.

use std::fmt;
use std::path::Path;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::{Location, Spanned};
use zelador_api::config::{Key, Node, Position, Value};

use super::error::ReadError;

/// Deeper than any ecosystem file; each level takes tens of kilobytes of stack in a build without
/// optimization.
const DEEPEST: usize = 24;

pub(super) fn read(path: &Path, text: &str) -> Result<Node, ReadError> {
    let budget = serde_saphyr::budget! { max_depth: DEEPEST };
    // As YAML 1.2 has it, and the parser of PM2: `no`, `yes`, `on` and their like are texts.
    let options =
        serde_saphyr::options! { with_snippet: false, budget: budget, strict_booleans: true };
    let read: Result<Yaml, _> = serde_saphyr::from_str_with_options(text, options);
    read.map(|Yaml(node)| node).map_err(|error| ReadError::Syntax {
        file: path.to_owned(),
        position: error.location().and_then(position),
        message: message(&error.to_string()),
    })
}

/// The parser's message on one line, without the place, which stands before it.
fn message(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or("not YAML");
    let line = line.strip_prefix("error: ").unwrap_or(line);
    // Neither the place nor the advice to whoever programs the parser.
    let ends = [" at line ", ", set DuplicateKeyPolicy"].map(|end| line.find(end));
    line[..ends.into_iter().flatten().min().unwrap_or(line.len())].to_owned()
}

fn position(location: Location) -> Option<Position> {
    let (line, column) = (location.line() as usize, location.column() as usize);
    (line > 0).then_some(Position { line, column })
}

struct Yaml(Node);

impl<'de> Deserialize<'de> for Yaml {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value: Bare(value), referenced, .. } = Spanned::deserialize(deserializer)?;
        Ok(Self(Node { value, position: position(referenced) }))
    }
}

struct Bare(Value);

impl<'de> Deserialize<'de> for Bare {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reading).map(Bare)
    }
}

struct Reading;

impl<'de> Visitor<'de> for Reading {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any value")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
        Ok(Value::Bool(flag))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(Value::whole(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(Value::whole(number.into()))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(Value::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut nodes = Vec::new();
        while let Some(Yaml(node)) = list.next_element()? {
            nodes.push(node);
        }
        Ok(Value::List(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some((name, Yaml(node))) = map.next_entry::<Spanned<String>, Yaml>()? {
            entries.push((Key { position: position(name.referenced), name: name.value }, node));
        }
        Ok(Value::Table(entries))
    }
}
