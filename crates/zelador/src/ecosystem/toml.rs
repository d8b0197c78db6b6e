//! TOML.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use zelador_api::config::{Key, Node, Value};

use super::error::ReadError;
use super::lines::Lines;

pub(super) fn read(path: &Path, text: &str) -> Result<Node, ReadError> {
    let lines = Lines::of(text);
    match DeTable::parse(text) {
        Ok(table) => {
            let position = Some(lines.position(table.span().start));
            Ok(Node { value: entries(table.get_ref(), &lines), position })
        }
        Err(error) => Err(ReadError::Syntax {
            file: path.to_owned(),
            position: error.span().map(|span| lines.position(span.start)),
            message: error.message().lines().collect::<Vec<_>>().join(", "),
        }),
    }
}

fn entries(table: &DeTable<'_>, lines: &Lines<'_>) -> Value {
    let entry = |(name, value): (&Spanned<_>, &Spanned<DeValue<'_>>)| {
        let position = Some(lines.position(name.span().start));
        let name: &std::borrow::Cow<'_, str> = name.get_ref();
        (Key { name: name.clone().into_owned(), position }, node(value, lines))
    };
    Value::Table(table.iter().map(entry).collect())
}

fn node(value: &Spanned<DeValue<'_>>, lines: &Lines<'_>) -> Node {
    let position = Some(lines.position(value.span().start));
    let value = match value.get_ref() {
        DeValue::String(text) => Value::from(text.as_ref()),
        DeValue::Boolean(flag) => Value::Bool(*flag),
        DeValue::Datetime(moment) => Value::Text(moment.to_string()),
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(whole) => Value::whole(whole),
            Err(_) => Value::from(number.as_str()),
        },
        DeValue::Float(number) => {
            number.as_str().parse().map_or_else(|_| Value::from(number.as_str()), Value::Number)
        }
        DeValue::Array(array) => {
            Value::List(array.iter().map(|value| node(value, lines)).collect())
        }
        DeValue::Table(table) => entries(table, lines),
    };
    Node { value, position }
}
