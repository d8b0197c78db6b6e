//! JSON as Node's `util.inspect` shows an object: without colours, as deep as it goes, broken at 80
//! columns.
//!
//! Pure: a value goes in, text comes out, equal to what node prints (held to it by a test that asks
//! node). Programs grep the output of `prettylist`, so that every blank counts.

use std::fmt::Write;

use serde_json::{Map, Number, Value};

/// `breakLength`.
const BREAK: usize = 80;
/// `compact`: so many innermost levels may share a line.
const COMPACT: usize = 3;
/// `maxArrayLength`.
const MOST_ITEMS: usize = 100;
/// `maxStringLength`.
const LONGEST_TEXT: usize = 10_000;
/// A list of more items than this is put into columns.
const UNGROUPED: usize = 6;

/// Returns the value as node shows it.
pub fn inspect(value: &Value) -> String {
    inspect_with(value, &[])
}

/// Returns the same, with the fields of these names first in every object: JSON does not keep their
/// order, and JavaScript does.
pub fn inspect_with(value: &Value, first: &[&str]) -> String {
    Inspector { indent: 0, deepest: 0, first }.value(value, 0)
}

/// Node's context of one inspection.
struct Inspector<'a> {
    /// `indentationLvl`.
    indent: usize,
    /// `currentDepth`: the level of the object that was begun last.
    deepest: usize,
    /// The names of the fields that stand first.
    first: &'a [&'a str],
}

impl Inspector<'_> {
    fn value(&mut self, value: &Value, level: usize) -> String {
        match value {
            Value::Null => "null".to_owned(),
            Value::Bool(flag) => flag.to_string(),
            Value::Number(number) => shown_number(number),
            Value::String(text) => self.text(text),
            Value::Array(items) => self.list(items, level),
            Value::Object(fields) => self.object(fields, level),
        }
    }

    /// A text of several lines that is too long for one is shown line by line.
    fn text(&self, text: &str) -> String {
        let cut: String = text.chars().take(LONGEST_TEXT).collect();
        let more = text.chars().count().saturating_sub(LONGEST_TEXT);
        let shown = if width(&cut) > 16 && width(&cut) + self.indent + 4 > BREAK {
            let lines: Vec<String> = cut.split_inclusive('\n').map(quoted).collect();
            lines.join(&format!(" +\n{}", " ".repeat(self.indent + 2)))
        } else {
            quoted(&cut)
        };
        match more {
            0 => shown,
            1 => format!("{shown}... 1 more character"),
            more => format!("{shown}... {more} more characters"),
        }
    }

    fn list(&mut self, items: &[Value], level: usize) -> String {
        if items.is_empty() {
            return "[]".to_owned();
        }
        self.deepest = level;
        self.indent += 2;
        let mut output: Vec<String> =
            items.iter().take(MOST_ITEMS).map(|item| self.value(item, level + 1)).collect();
        self.indent -= 2;
        let more = items.len().saturating_sub(MOST_ITEMS);
        if more > 0 {
            let plural = if more > 1 { "s" } else { "" };
            output.push(format!("... {more} more item{plural}"));
        }
        let entries = output.len();
        if entries > UNGROUPED {
            output = self.grouped(output, items, more > 0);
        }
        let whole = entries == output.len();
        self.joined(&output, level, ("[", "]"), whole)
    }

    fn object(&mut self, fields: &Map<String, Value>, level: usize) -> String {
        if fields.is_empty() {
            return "{}".to_owned();
        }
        self.deepest = level;
        self.indent += 2;
        let mut output = Vec::with_capacity(fields.len());
        let first = self.first.iter().filter_map(|name| fields.get_key_value(*name));
        let rest = fields.iter().filter(|(name, _)| !self.first.contains(&name.as_str()));
        for (name, value) in first.chain(rest).collect::<Vec<_>>() {
            let value = self.value(value, level + 1);
            output.push(format!("{}: {value}", key(name)));
        }
        self.indent -= 2;
        self.joined(&output, level, ("{", "}"), true)
    }

    /// `reduceToSingleString`. `whole`: the entries were not put into columns.
    fn joined(
        &self,
        output: &[String],
        level: usize,
        (open, close): (&str, &str),
        whole: bool,
    ) -> String {
        if whole && self.deepest - level < COMPACT {
            let start = output.len() + self.indent + open.len() + 10;
            let length = output.iter().map(|entry| width(entry)).sum::<usize>() + output.len();
            let fits = length + start <= BREAK && output.len() * 2 + start <= BREAK;
            if fits && !output.iter().any(|entry| entry.contains('\n')) {
                return format!("{open} {} {close}", output.join(", "));
            }
        }
        let indent = " ".repeat(self.indent);
        format!("{open}\n{indent}  {}\n{indent}{close}", output.join(&format!(",\n{indent}  ")))
    }

    /// `groupArrayElements`: short items stand in columns. `more`: the last entry tells how many
    /// items are not shown.
    fn grouped(&self, output: Vec<String>, items: &[Value], more: bool) -> Vec<String> {
        const SEPARATOR: usize = 2;
        let length = output.len() - usize::from(more);
        let widths: Vec<usize> = output[..length].iter().map(|entry| width(entry)).collect();
        let total: usize = widths.iter().map(|width| width + SEPARATOR).sum();
        let longest = widths.iter().max().copied().unwrap_or(0);
        let actual = longest + SEPARATOR;
        let even = total as f64 / actual as f64 > 5.0 || longest <= 6;
        if actual * 3 + self.indent >= BREAK || !even {
            return output;
        }
        let bias = (actual as f64 - total as f64 / output.len() as f64).sqrt();
        let biased = (actual as f64 - 3.0 - bias).max(1.0);
        let square = ((2.5 * biased * length as f64).sqrt() / biased).round() as usize;
        let columns = square.min((BREAK - self.indent) / actual).min(COMPACT * 4).min(15);
        if columns <= 1 {
            return output;
        }
        let widest: Vec<usize> = (0..columns)
            .map(|column| {
                let of_column = widths.iter().skip(column).step_by(columns);
                of_column.max().copied().unwrap_or(0) + SEPARATOR
            })
            .collect();
        let numbers = items.iter().take(output.len()).all(Value::is_number);
        let mut rows = Vec::new();
        for row in (0..length).step_by(columns) {
            let end = (row + columns).min(length);
            let mut line = String::new();
            for at in row..end {
                let last = at + 1 == end;
                let entry = if last { output[at].clone() } else { format!("{}, ", output[at]) };
                let room = widest[at - row] - if last { SEPARATOR } else { 0 };
                let blanks = " ".repeat(room.saturating_sub(width(&entry)));
                match (numbers, last) {
                    (true, _) => line.push_str(&format!("{blanks}{entry}")),
                    (false, false) => line.push_str(&format!("{entry}{blanks}")),
                    (false, true) => line.push_str(&entry),
                }
            }
            rows.push(line);
        }
        if more {
            rows.extend(output.into_iter().next_back());
        }
        rows
    }
}

/// How many of JavaScript's characters a text has.
fn width(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// As JavaScript prints a number.
fn shown_number(number: &Number) -> String {
    match number.as_f64() {
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e21 => {
            if float == 0.0 && float.is_sign_negative() {
                "-0".to_owned()
            } else {
                format!("{float:.0}")
            }
        }
        _ => number.to_string(),
    }
}

/// The name of a field: bare where it is an identifier.
fn key(name: &str) -> String {
    let starts = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if starts && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return name.to_owned();
    }
    quoted(name)
}

/// Text in the quotes that it does not hold itself: single, then double ones, then backticks.
fn quoted(text: &str) -> String {
    let quote = match () {
        () if !text.contains('\'') => '\'',
        () if !text.contains('"') => '"',
        () if !text.contains('`') && !text.contains("${") => '`',
        () => '\'',
    };
    let mut shown = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            '\u{8}' => shown.push_str("\\b"),
            '\u{b}' => shown.push_str("\\x0B"),
            '\u{c}' => shown.push_str("\\f"),
            '\\' => shown.push_str("\\\\"),
            c if c == quote => shown.extend(['\\', c]),
            '\0'..='\u{1f}' | '\u{7f}'..='\u{9f}' => {
                _ = write!(shown, "\\x{:02X}", u32::from(c));
            }
            // Node shows these as they are; a terminal would turn what follows around.
            c if super::text::is_harmful(c) => {
                _ = write!(shown, "\\u{{{:X}}}", u32::from(c));
            }
            c => shown.push(c),
        }
    }
    shown.push(quote);
    shown
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::process::{Command, Stdio};

    use proptest::prelude::*;
    use proptest::strategy::ValueTree;
    use proptest::test_runner::TestRunner;
    use serde_json::json;

    use super::*;
    use crate::render::{jlist, sample};

    fn values() -> impl Strategy<Value = Value> {
        let texts = prop_oneof![
            4 => "[a-z_/.-]{0,24}",
            1 => "[ -~]{0,90}",
            1 => "[a-z'\"`\\\\\n\t\u{1b}]{0,30}",
            1 => "[a-zé🌴 ]{0,12}",
        ];
        let leaves = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (0_u32..100_000).prop_map(Value::from),
            (0_u32..1000).prop_map(|tenths| json!(f64::from(tenths) / 10.0)),
            texts.prop_map(Value::from),
        ];
        leaves.prop_recursive(5, 120, 12, |inner| {
            let name = prop_oneof![3 => "[a-z_]{1,12}", 1 => "[a-z. '-]{1,9}"];
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..12).prop_map(Value::from),
                prop::collection::vec(0_u32..2000, 0..140).prop_map(|it| json!(it)),
                prop::collection::btree_map(name, inner, 0..9)
                    .prop_map(|fields| Value::Object(fields.into_iter().collect())),
            ]
        })
    }

    /// What node prints of each value.
    fn by_node(values: &[Value]) -> Vec<String> {
        let script = "const all = JSON.parse(require('fs').readFileSync(0, 'utf8'));
            const shown = all.map((it) => require('util').inspect(it, { depth: null }));
            process.stdout.write(JSON.stringify(shown));";
        let mut node = Command::new("node")
            .args(["-e", script])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node is in PATH");
        let input = serde_json::to_vec(values).unwrap();
        node.stdin.take().unwrap().write_all(&input).unwrap();
        serde_json::from_slice(&node.wait_with_output().unwrap().stdout).unwrap()
    }

    #[test]
    fn it_prints_what_node_prints() {
        let mut runner = TestRunner::deterministic();
        let mut all: Vec<Value> =
            (0..600).map(|_| values().new_tree(&mut runner).unwrap().current()).collect();
        // Integer keys come first in JavaScript, whatever the order: there are none in the list.
        all.push(jlist::values(&[sample::app(), sample::app()]));
        all.push(json!([[[[[1]]]], { "a": { "b": { "c": { "d": {} } } } }, []]));
        all.push(json!(vec![Value::from("x"); 101]));
        all.push(json!("long ".repeat(2100)));
        for (value, expected) in all.iter().zip(by_node(&all)) {
            assert_eq!(inspect(value), expected, "{value}");
        }
    }
}
