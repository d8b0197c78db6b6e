//! A sentence of zelador's own, in every language that there is, and words of others, which are told
//! as they are.
//!
//! Pure. [`words!`](crate::words!) takes the sentence in every language side by side, with the values that stand in it;
//! [`quoted`] takes what a server, a program or the system said. There is no third way to make one, so
//! whoever adds a sentence says at once which of both it is. Always holds: the English one is what is
//! logged and sent to programs; a file from before sentences were kept in every language is read as quoted.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::check::Status;
use crate::death::{Death, SpawnFailure};
use crate::healing::Remedy;
use crate::incident::Outcome;
use crate::notify::Language;
use crate::probe::Unit;
use crate::said::{amount, comma, span};
use crate::unit::{ByteSize, Percent};

/// A sentence, or part of one, without a capital and a full stop.
#[derive(Clone, Debug, Default)]
pub struct Words {
    en: String,
    /// `None`: the same.
    pt: Option<String>,
}

/// Words of somebody else: a name, a line of a log, what a server or the system said.
pub fn quoted(text: impl fmt::Display) -> Words {
    Words { en: text.to_string(), pt: None }
}

/// So many of something: the number, and in each language the noun for one and for more.
pub fn counted(count: usize, en: (&str, &str), pt: (&str, &str)) -> Words {
    let of = |(one, more)| if count == 1 { one } else { more };
    Words::new(format!("{count} {}", of(en)), format!("{count} {}", of(pt)))
}

/// How often: `once`, `3 times`.
pub fn times(count: usize) -> Words {
    match count {
        1 => Words::new("once".to_owned(), "uma vez".to_owned()),
        count => Words::new(format!("{count} times"), format!("{count} vezes")),
    }
}

impl Words {
    /// A sentence in both languages; [`words!`](crate::words!) is how it is written.
    pub fn new(en: String, pt: String) -> Self {
        let pt = Some(pt).filter(|pt| *pt != en);
        Self { en, pt }
    }

    /// The sentence in English.
    pub fn english(&self) -> &str {
        &self.en
    }

    /// The sentence in a language.
    pub fn told(&self, language: Language) -> &str {
        match language {
            Language::En => &self.en,
            Language::Pt => self.pt.as_deref().unwrap_or(&self.en),
        }
    }

    /// Whether it is the same in every language.
    pub fn is_quoted(&self) -> bool {
        self.pt.is_none()
    }

    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        self.en.is_empty()
    }

    /// The same after something was done to the text of each language: masked, cut.
    #[must_use]
    pub fn map(&self, change: impl Fn(&str) -> String) -> Self {
        Self { en: change(&self.en), pt: self.pt.as_deref().map(change) }
    }

    /// Several, with something between them.
    pub fn joined(all: &[Self], between: &str) -> Self {
        let of =
            |language| all.iter().map(|it| it.told(language)).collect::<Vec<_>>().join(between);
        Self::new(of(Language::En), of(Language::Pt))
    }
}

impl fmt::Display for Words {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.en)
    }
}

/// Two are the same when they say the same; the English one decides.
impl PartialEq for Words {
    fn eq(&self, other: &Self) -> bool {
        self.en == other.en
    }
}

impl Eq for Words {}

impl PartialEq<str> for Words {
    fn eq(&self, other: &str) -> bool {
        self.en == other
    }
}

impl PartialEq<&str> for Words {
    fn eq(&self, other: &&str) -> bool {
        self.en == *other
    }
}

impl PartialEq<String> for Words {
    fn eq(&self, other: &String) -> bool {
        self.en == *other
    }
}

/// Writes a sentence for programs: in English.
///
/// # Errors
/// What the serializer says.
pub fn in_english<S: Serializer>(words: &Words, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&words.en)
}

/// A sentence as it is kept: text where it is the same in every language.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Kept {
    Text(String),
    Both { en: String, pt: String },
}

impl Serialize for Words {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let en = self.en.clone();
        let kept = match self.pt.clone() {
            Some(pt) => Kept::Both { en, pt },
            None => Kept::Text(en),
        };
        kept.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(match Kept::deserialize(from)? {
            Kept::Text(text) => quoted(text),
            Kept::Both { en, pt } => Self::new(en, pt),
        })
    }
}

/// What can stand in a sentence.
pub trait Tell {
    /// How it is written in a language.
    fn tell(&self, language: Language) -> String;
}

impl<T: Tell + ?Sized> Tell for &T {
    fn tell(&self, language: Language) -> String {
        (**self).tell(language)
    }
}

/// Nothing is nothing in every language.
impl<T: Tell> Tell for Option<T> {
    fn tell(&self, language: Language) -> String {
        self.as_ref().map(|it| it.tell(language)).unwrap_or_default()
    }
}

impl Tell for str {
    fn tell(&self, _: Language) -> String {
        self.to_owned()
    }
}

impl Tell for Words {
    fn tell(&self, language: Language) -> String {
        self.told(language).to_owned()
    }
}

impl Tell for Duration {
    fn tell(&self, language: Language) -> String {
        span(language, *self)
    }
}

impl Tell for ByteSize {
    fn tell(&self, language: Language) -> String {
        comma(language, self.to_string())
    }
}

impl Tell for Percent {
    fn tell(&self, language: Language) -> String {
        comma(language, self.to_string())
    }
}

impl Tell for Death {
    fn tell(&self, language: Language) -> String {
        self.told(language)
    }
}

impl Tell for SpawnFailure {
    fn tell(&self, language: Language) -> String {
        self.told(language)
    }
}

impl Tell for Status {
    fn tell(&self, language: Language) -> String {
        Self::told(*self, language).to_owned()
    }
}

impl Tell for Outcome {
    fn tell(&self, language: Language) -> String {
        self.words().told(language).to_owned()
    }
}

impl Tell for Remedy {
    fn tell(&self, language: Language) -> String {
        self.told(language)
    }
}

/// A number with so many decimals, with the decimal sign of the language.
pub struct Decimal(pub f64, pub usize);

impl Tell for Decimal {
    fn tell(&self, language: Language) -> String {
        comma(language, format!("{:.*}", self.1, self.0))
    }
}

/// So much of a unit.
pub struct Amount(pub Unit, pub f64);

impl Tell for Amount {
    fn tell(&self, language: Language) -> String {
        amount(language, self.0, self.1)
    }
}

/// Writes a sentence in every language: English, Portuguese, and the values that are told in the
/// language (spans, amounts, other sentences). What is the same everywhere is captured by its name.
///
/// ```
/// use zelador_core::{notify::Language, words};
/// let (place, within) = ("db:5432", std::time::Duration::from_millis(2500));
/// let said = words!("no answer from {place} within {t}", "sem resposta de {place} em {t}", t = within);
/// assert_eq!(said.told(Language::Pt), "sem resposta de db:5432 em 2,5 s");
/// ```
#[macro_export]
macro_rules! words {
    ($en:literal, $pt:literal $(, $name:ident = $value:expr)* $(,)?) => {
        $crate::words::Words::new(
            format!($en $(, $name = $crate::words::Tell::tell(&$value, $crate::notify::Language::En))*),
            format!($pt $(, $name = $crate::words::Tell::tell(&$value, $crate::notify::Language::Pt))*),
        )
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_is_kept_in_every_language_and_old_text_is_told_as_it_is() {
        let said = words!("3 of {used}", "3 de {used}", used = ByteSize::new(1_500));
        let kept = serde_json::to_string(&said).expect("it can be written");
        let read: Words = serde_json::from_str(&kept).expect(&kept);
        assert_eq!((read.english(), read.told(Language::Pt)), ("3 of 1.5 KB", "3 de 1,5 KB"));
        let told = |count| counted(count, ("death", "deaths"), ("morte", "mortes"));
        assert_eq!(
            [told(0), told(1), told(2)].map(|it| it.en),
            ["0 deaths", "1 death", "2 deaths"]
        );
        assert_eq!((times(1).told(Language::Pt), times(3).english()), ("uma vez", "3 times"));
        let old: Words = serde_json::from_str("\"no answer\"").expect("text");
        assert_eq!(old.told(Language::Pt), "no answer");
        assert_eq!(serde_json::to_string(&old).expect("text"), "\"no answer\"");
    }
}
