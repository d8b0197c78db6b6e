//! Portuguese and English, by what the browser asks for.

use axum::http::HeaderMap;
use axum::http::header::ACCEPT_LANGUAGE;
use std::time::Duration;
use zelador_core::check::Status;
use zelador_core::history::Kind;
use zelador_core::instance::Cause as StartCause;
use zelador_core::notify::Language;
use zelador_core::unit::ByteSize;
use zelador_core::words::{Tell, Words};

use super::parts;

/// A language of the dashboard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lang {
    /// English.
    #[default]
    En,
    /// Portuguese of Brazil.
    Pt,
}

impl Lang {
    /// Returns the language that a browser likes best of those there are.
    pub fn of(headers: &HeaderMap) -> Self {
        let wish = headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
        Self::preferred(wish.unwrap_or_default())
    }

    fn preferred(wish: &str) -> Self {
        let entry = |entry: &str| {
            let mut parts = entry.split(';').map(str::trim);
            let name = parts.next()?.to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse().ok());
            let lang = match name.split('-').next()? {
                "pt" => Self::Pt,
                "en" | "*" => Self::En,
                _ => return None,
            };
            Some((weight.unwrap_or(1.0_f32), lang))
        };
        // Of equals the first one wins.
        let best = wish.split(',').filter_map(entry).fold(None, |best: Option<(f32, Self)>, it| {
            if best.is_none_or(|best| it.0 > best.0) { Some(it) } else { best }
        });
        best.filter(|(weight, _)| *weight > 0.0).map_or(Self::En, |(_, lang)| lang)
    }

    /// The same, as the core calls it.
    pub fn language(self) -> Language {
        match self {
            Self::En => Language::En,
            Self::Pt => Language::Pt,
        }
    }

    /// A sentence in this language.
    pub fn say(self, words: &Words) -> String {
        parts::plain(words.told(self.language()))
    }

    /// Why something was started; fits after "started because".
    pub fn start(self, cause: &StartCause) -> String {
        self.say(&cause.words())
    }

    /// Its name for browsers.
    pub fn tag(self) -> &'static str {
        match self {
            Self::En => "en",
            Self::Pt => "pt-BR",
        }
    }

    /// The one of the two that is in this language.
    pub fn t(self, en: &'static str, pt: &'static str) -> &'static str {
        match self {
            Self::En => en,
            Self::Pt => pt,
        }
    }

    /// A number with so many decimals.
    pub fn number(self, value: f64, decimals: usize) -> String {
        let text = format!("{value:.decimals$}");
        if self == Self::Pt { text.replace('.', ",") } else { text }
    }

    /// An amount of memory: `52.4 MB`.
    pub fn bytes(self, size: ByteSize) -> String {
        size.tell(self.language())
    }

    /// A share of 100.
    pub fn percent(self, value: f64) -> String {
        let decimals = usize::from(value < 10.0 && value > 0.0);
        format!("{} %", self.number(value, decimals))
    }

    /// A span of time, with its two largest units.
    pub fn span(self, span: Duration) -> String {
        // A number and its unit stay on one line.
        let text = zelador_core::unit::spoken(span).replace(' ', "\u{a0}");
        if self == Self::Pt { text.replace('.', ",") } else { text }
    }

    /// How long a look took; a dash where none was needed.
    pub fn took(self, span: Duration) -> String {
        match span {
            Duration::ZERO => "–".to_owned(),
            span if span < Duration::from_millis(1) => "<\u{a0}1\u{a0}ms".to_owned(),
            span => self.span(span),
        }
    }

    /// How something is.
    pub fn status(self, status: Status) -> &'static str {
        status.told(self.language())
    }

    /// Counts something: `1 app`, `12 apps`.
    pub fn count(self, count: usize, one: (&str, &str), many: (&str, &str)) -> String {
        let (en, pt) = if count == 1 { one } else { many };
        format!("{count} {}", if self == Self::Pt { pt } else { en })
    }

    /// What kind of thing happened.
    pub fn kind(self, kind: Kind) -> &'static str {
        match kind {
            Kind::Declared => self.t("declared", "declarado"),
            Kind::Changed => self.t("deployed", "implantado"),
            Kind::Removed => self.t("removed", "removido"),
            Kind::Begun => self.t("started", "iniciado"),
            Kind::Up => self.t("up", "no ar"),
            Kind::Ready => self.t("ready", "pronto"),
            Kind::Stopped => self.t("stopped", "parado"),
            Kind::Died => self.t("died", "morreu"),
            Kind::Waiting => self.t("waiting", "aguardando"),
            Kind::Held => self.t("waiting for a dependency", "aguardando dependência"),
            Kind::Finished => self.t("finished", "terminou"),
            Kind::Tripped => self.t("gave up", "desistiu"),
            Kind::Remedy => self.t("remedy", "remédio"),
            Kind::Opened => self.t("incident", "incidente"),
            Kind::Escalated => self.t("escalated", "escalado"),
            Kind::Closed => self.t("resolved", "resolvido"),
            Kind::Verdict => self.t("check", "verificação"),
            Kind::Notice => self.t("notice", "aviso"),
            Kind::Engine => self.t("zelador", "zelador"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browsers_best_liked_language_wins() {
        for (wish, lang) in [
            ("", Lang::En),
            ("pt-BR,pt;q=0.9,en;q=0.8", Lang::Pt),
            ("en-US,en;q=0.9,pt;q=0.8", Lang::En),
            ("fr-FR,fr;q=0.9,pt;q=0.8,en;q=0.7", Lang::Pt),
            ("de", Lang::En),
            ("en;q=0.2, PT", Lang::Pt),
            ("pt;q=0", Lang::En),
            (";;,=,q=x", Lang::En),
        ] {
            assert_eq!(Lang::preferred(wish), lang, "{wish}");
        }
    }

    #[test]
    fn numbers_have_the_comma_of_the_language() {
        let size = ByteSize::new(54_945_382);
        assert_eq!(
            (Lang::En.bytes(size), Lang::Pt.bytes(size)),
            ("52.4 MB".into(), "52,4 MB".into())
        );
        assert_eq!(Lang::En.bytes(ByteSize::new(0)), "0 B");
        assert_eq!((Lang::En.percent(0.0), Lang::Pt.percent(3.25)), ("0 %".into(), "3,2 %".into()));
    }
}
