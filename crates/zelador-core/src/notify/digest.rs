//! Several messages become one.

use super::matter::About;
use super::message::{DigestLine, Message, News, together};
use super::words::Language;
use crate::effect::Severity;
use crate::unit::Moment;

/// A digest has so many lines; of more the oldest are counted only.
const LINES: usize = 40;

/// Returns one message for two of the same matter, the later one second: a beginning that nobody has
/// heard of stays one, and an end is an end.
pub(super) fn merge(before: Message, after: Message) -> Message {
    let news = match (before.news, after.news) {
        (News::Event | News::Digest, News::Event | News::Digest) => {
            if before.news == after.news && before.text == after.text {
                return Message { repeats: before.repeats + after.repeats + 1, ..after };
            }
            let (title, language) = (after.title.clone(), after.language);
            let key = after.key.clone();
            let about = after.about.clone();
            let whole = digest([&before, &after], "", after.at, language);
            return Message { key, about, title, ..whole };
        }
        (News::Opened, News::Changed | News::Reminder) => News::Opened,
        (_, news) => news,
    };
    let story = if after.story.is_empty() { before.story } else { after.story };
    let (severity, repeats) = (before.severity.max(after.severity), before.repeats + after.repeats);
    Message { news, severity, story, repeats, ..after }
}

/// Returns one message that has a line for each of these.
pub(super) fn digest<'a>(
    messages: impl IntoIterator<Item = &'a Message>,
    channel: &str,
    now: Moment,
    language: Language,
) -> Message {
    let (mut lines, mut questions) = (Vec::new(), Vec::new());
    for message in messages {
        questions.extend(message.questions.iter().cloned());
        if message.news == News::Digest {
            lines.extend(message.lines.iter().cloned());
            continue;
        }
        let text = match message.news {
            News::Event => message.text.clone(),
            _ => together(&message.title, &message.text),
        };
        let (at, severity) = (message.at, message.severity);
        lines.push(DigestLine { at, severity, text, resolved: message.news == News::Resolved });
    }
    lines.sort_by_key(|line| line.at);
    let all = lines.len();
    // What is over is as bad as nothing.
    let rest = || lines.iter().filter(|line| !line.resolved);
    let severity = rest().map(|line| line.severity).max().unwrap_or(Severity::Info);
    let worst = rest().rfind(|line| line.severity == severity).map(|line| line.text.clone());
    let over = all - rest().count();
    let opened_at = lines.first().map_or(now, |line| line.at);
    lines.drain(..all.saturating_sub(LINES));
    let title = language.pick(format!("{all} messages"), format!("{all} mensagens"));
    let over = match over {
        0 => None,
        over if over == all => Some(language.pick("all resolved", "todas resolvidas").to_owned()),
        1 => Some(language.pick("one of them resolved", "uma delas resolvida").to_owned()),
        over => Some(
            language.pick(format!("{over} of them resolved"), format!("{over} delas resolvidas")),
        ),
    };
    let left_out = Some(all - lines.len()).filter(|left_out| *left_out > 0).map(|left_out| {
        language.pick(
            format!("the oldest {left_out} are not shown"),
            format!("as {left_out} mais antigas não são mostradas"),
        )
    });
    let text: Vec<String> = [worst, over, left_out].into_iter().flatten().collect();
    let text = text.join("; ");
    Message {
        key: format!("digest/{channel}/{}", now.as_micros()),
        news: News::Digest,
        about: About { kind: "digest".to_owned(), app: None, incident: None },
        severity,
        title,
        text,
        story: Vec::new(),
        lines,
        opened_at,
        at: now,
        repeats: 0,
        links: Vec::new(),
        questions,
        language,
    }
}
