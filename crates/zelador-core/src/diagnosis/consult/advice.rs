//! What a model answered, checked again: whatever the provider promised about its shape.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::mask::mask;
use crate::diagnosis::Cause;
use crate::diagnosis::snapshot::Snapshot;
use crate::words;
use crate::words::Words;

/// An answer that fits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Advice {
    /// The cause that it chose.
    pub cause: Cause,
    /// How sure it says that it is, from 0 to 1.
    pub confidence: f64,
    /// Lines that it points to, from 1; they exist.
    pub lines: Vec<usize>,
    /// Why, in its words, masked and short.
    pub reason: String,
}

/// Why an answer does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// No object of JSON is in it.
    NoObject,
    /// A cause that there is not.
    Cause(String),
    /// No number from 0 to 1.
    Confidence,
    /// It rests on nothing.
    Lines,
}

impl Wrong {
    /// What is wrong, in every language.
    pub fn words(&self) -> Words {
        match self {
            Self::NoObject => words!(
                "the model's answer has no JSON object",
                "a resposta do modelo não tem um objeto JSON",
            ),
            Self::Cause(named) => words!(
                "the model's answer names no cause of the list, but {named}",
                "a resposta do modelo não cita uma causa da lista, mas {named}",
            ),
            Self::Confidence => words!(
                "the model's answer has no confidence from 0 to 1",
                "a resposta do modelo não tem uma confiança de 0 a 1",
            ),
            Self::Lines => words!(
                "the model's answer points to no line of the evidence",
                "a resposta do modelo não aponta para nenhuma linha das evidências",
            ),
        }
    }
}

/// The longest reason, in characters.
const LONGEST_REASON: usize = 240;

/// Reads an answer about this evidence.
///
/// # Errors
/// It does not fit.
pub fn parse(text: &str, snapshot: &Snapshot) -> Result<Advice, Wrong> {
    let value = object(text).ok_or(Wrong::NoObject)?;
    let named = value.get("cause").and_then(Value::as_str).unwrap_or_default();
    let cause: Cause = serde_json::from_value(Value::String(named.trim().to_owned()))
        .map_err(|_| Wrong::Cause(format!("{:?}", mask(&short(named, 40)))))?;
    let confidence = value.get("confidence").and_then(Value::as_f64);
    let confidence = confidence.filter(|it| (0.0..=1.0).contains(it)).ok_or(Wrong::Confidence)?;
    let count = snapshot.log_tail.len();
    let numbers =
        value.get("lines").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let mut lines: Vec<usize> = numbers
        .iter()
        .filter_map(Value::as_u64)
        .filter_map(|number| usize::try_from(number).ok())
        .filter(|number| (1..=count).contains(number))
        .filter(|number| !snapshot.log_tail[number - 1].trim().is_empty())
        .collect();
    lines.sort_unstable();
    lines.dedup();
    lines.truncate(5);
    if lines.is_empty() && count > 0 && cause != Cause::Unknown {
        return Err(Wrong::Lines);
    }
    let reason = value.get("reason").and_then(Value::as_str).unwrap_or_default();
    let reason = mask(&short(reason, LONGEST_REASON));
    Ok(Advice { cause, confidence, lines, reason })
}

fn short(text: &str, most: usize) -> String {
    let visible = |c: &char| {
        !c.is_control()
            && !('\u{202a}'..='\u{202e}').contains(c)
            && !('\u{2066}'..='\u{2069}').contains(c)
    };
    text.chars().filter(visible).take(most).collect()
}

/// The first balanced object in the text: some servers fence it, and some talk around it.
fn object(text: &str) -> Option<Value> {
    let begin = text.find('{')?;
    let (mut depth, mut in_text, mut escaped) = (0_u32, false, false);
    for (at, c) in text[begin..].char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if in_text => escaped = true,
            '"' => in_text = !in_text,
            '{' if !in_text => depth += 1,
            '}' if !in_text => {
                depth -= 1;
                if depth == 0 {
                    return serde_json::from_str(&text[begin..=begin + at]).ok();
                }
            }
            _ => {}
        }
    }
    None
}
