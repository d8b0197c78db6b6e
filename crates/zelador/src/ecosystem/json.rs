//! JSON as people write it: with comments, trailing commas, single quotes and bare field names.

use std::path::Path;

use jsonc_parser::ast::{ObjectPropName, Value as Ast};
use jsonc_parser::common::Ranged;
use jsonc_parser::{CollectOptions, ParseOptions, parse_to_ast};
use zelador_api::config::{Key, Node, Value};
use zelador_api::spec::Environment;

use super::error::ReadError;
use super::javascript;
use super::lines::Lines;

/// Returns what the text says. What is no JSON may be a JavaScript expression, as PM2 takes it:
/// `{ name: process.env.NAME || 'api' }`. Where it is neither, the mistake is told as one in JSON.
pub(super) fn read(path: &Path, text: &str, env: &Environment) -> Result<Node, ReadError> {
    match read_json(path, text) {
        Err(ReadError::Empty(path)) => Err(ReadError::Empty(path)),
        Err(in_json) => match javascript::read_expression(path, text, env) {
            Ok(node) => Ok(node),
            // It is JavaScript, and something in it went wrong; a bare word is just wrong JSON.
            Err(thrown) if is_thrown(&thrown) => Err(thrown),
            Err(_) => Err(in_json),
        },
        json => json,
    }
}

fn is_thrown(error: &ReadError) -> bool {
    matches!(error, ReadError::Threw { message, .. } if !message.starts_with("ReferenceError"))
}

pub(super) fn read_json(path: &Path, text: &str) -> Result<Node, ReadError> {
    let lines = Lines::of(text);
    let options = ParseOptions { allow_missing_commas: false, ..ParseOptions::default() };
    match parse_to_ast(text, &CollectOptions::default(), &options) {
        Ok(parsed) => match parsed.value {
            Some(value) => Ok(node(&value, &lines)),
            None => Err(ReadError::Empty(path.to_owned())),
        },
        Err(error) => Err(ReadError::Syntax {
            file: path.to_owned(),
            position: Some(lines.position(error.range().start)),
            message: error.kind().to_string(),
        }),
    }
}

fn node(ast: &Ast<'_>, lines: &Lines<'_>) -> Node {
    let value = match ast {
        Ast::NullKeyword(_) => Value::Null,
        Ast::BooleanLit(lit) => Value::Bool(lit.value),
        Ast::StringLit(lit) => Value::Text(lit.value.clone().into_owned()),
        Ast::NumberLit(lit) => number(lit.value),
        Ast::Array(array) => {
            Value::List(array.elements.iter().map(|element| node(element, lines)).collect())
        }
        Ast::Object(object) => {
            let entry = |property: &jsonc_parser::ast::ObjectProp<'_>| {
                let (name, start) = match &property.name {
                    ObjectPropName::String(lit) => {
                        (lit.value.clone().into_owned(), lit.range.start)
                    }
                    ObjectPropName::Word(lit) => (lit.value.to_owned(), lit.range.start),
                };
                let key = Key { name, position: Some(lines.position(start)) };
                (key, node(&property.value, lines))
            };
            Value::Table(object.properties.iter().map(entry).collect())
        }
    };
    Node { value, position: Some(lines.position(ast.range().start)) }
}

fn number(text: &str) -> Value {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let hexadecimal = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X"));
    let whole = match hexadecimal {
        Some(digits) => i128::from_str_radix(digits, 16),
        None => digits.parse::<i128>(),
    };
    if let Ok(whole) = whole {
        return Value::whole(sign * whole);
    }
    text.parse().map_or_else(|_| Value::from(text), Value::Number)
}
