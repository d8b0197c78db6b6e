//! What a diagnosis rests on, as it is kept: the sentences in English as a list of text, which is what
//! programs read, and beside it those of other languages.

use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};

use crate::notify::Language;
use crate::words::{Words, quoted};

/// What a diagnosis rests on, one sentence each.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(into = "Kept", from = "Kept")]
pub struct Reasons(pub Vec<Words>);

#[derive(Serialize, Deserialize)]
struct Kept {
    because: Vec<String>,
    /// Empty where all of them are quotations, and in a file from before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    because_pt: Vec<String>,
}

impl From<Reasons> for Kept {
    fn from(Reasons(all): Reasons) -> Self {
        let of = |language| all.iter().map(|it| it.told(language).to_owned()).collect();
        let is_quoted = all.iter().all(Words::is_quoted);
        let because_pt = if is_quoted { Vec::new() } else { of(Language::Pt) };
        Self { because: of(Language::En), because_pt }
    }
}

impl From<Kept> for Reasons {
    fn from(kept: Kept) -> Self {
        let Kept { because, because_pt } = kept;
        if because.len() != because_pt.len() {
            return Self(because.into_iter().map(quoted).collect());
        }
        Self(because.into_iter().zip(because_pt).map(|(en, pt)| Words::new(en, pt)).collect())
    }
}

impl Deref for Reasons {
    type Target = Vec<Words>;

    fn deref(&self) -> &Vec<Words> {
        &self.0
    }
}

impl<'a> IntoIterator for &'a Reasons {
    type Item = &'a Words;
    type IntoIter = std::slice::Iter<'a, Words>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

impl DerefMut for Reasons {
    fn deref_mut(&mut self) -> &mut Vec<Words> {
        &mut self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words;

    #[test]
    fn programs_read_a_list_of_text_and_a_file_from_before_is_read_too() {
        let said = Reasons(vec![
            quoted("line 3: EACCES"),
            words!("it was asked to stop", "pediram que parasse"),
        ]);
        let kept = serde_json::to_value(&said).expect("it can be written");
        assert_eq!(kept["because"], serde_json::json!(["line 3: EACCES", "it was asked to stop"]));
        let read: Reasons = serde_json::from_value(kept).expect("it can be read");
        assert_eq!(read[1].told(Language::Pt), "pediram que parasse");
        let old: Reasons = serde_json::from_str(r#"{"because":["it hangs"]}"#).expect("as before");
        assert_eq!(old[0].told(Language::Pt), "it hangs");
    }
}
