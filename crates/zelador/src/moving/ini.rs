//! Files of sections and `key=value` lines, with the number of every line: the libraries for such
//! files do not tell it, and what cannot be translated must be named by its line.

/// One `key=value`, in its section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The number of its first line, from 1 on.
    pub line: usize,
    /// `program:api`; empty before the first one.
    pub section: String,
    /// As written.
    pub key: String,
    /// Without blanks around it; the lines that continue it are joined by a blank.
    pub value: String,
}

/// How a value goes on, and where a comment begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// Indented lines continue; `;` after a blank begins a comment.
    Supervisord,
    /// A backslash at the end continues; comments have lines of their own.
    Systemd,
}

/// What a line is that is neither a section, an entry nor a comment.
pub type Odd = (usize, String);

/// Returns the entries, the sections with their lines, and what is none of them.
pub fn read(text: &str, dialect: Dialect) -> (Vec<Entry>, Vec<(usize, String)>, Vec<Odd>) {
    let (mut entries, mut sections, mut odd) = (Vec::<Entry>::new(), Vec::new(), Vec::new());
    let mut section = String::new();
    let mut goes_on = false;
    for (index, raw) in text.lines().enumerate() {
        let line = index + 1;
        let is_comment = raw.trim_start().starts_with(['#', ';']);
        let indented = dialect == Dialect::Supervisord && raw.starts_with([' ', '\t']);
        let text = match dialect {
            Dialect::Supervisord => without_comment(raw).trim(),
            Dialect::Systemd => raw.trim(),
        };
        if is_comment || (text.is_empty() && !goes_on) {
            continue;
        }
        if (goes_on || indented)
            && let Some(entry) = entries.last_mut()
        {
            goes_on = dialect == Dialect::Systemd && text.ends_with('\\');
            let more = text.strip_suffix('\\').filter(|_| goes_on).unwrap_or(text).trim();
            if !entry.value.is_empty() && !more.is_empty() {
                entry.value.push(' ');
            }
            entry.value.push_str(more);
            continue;
        }
        if let Some(name) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            name.trim().clone_into(&mut section);
            sections.push((line, section.clone()));
            continue;
        }
        let separator = match dialect {
            Dialect::Supervisord => text.find(['=', ':']),
            Dialect::Systemd => text.find('='),
        };
        let Some(at) = separator else {
            odd.push((line, text.to_owned()));
            continue;
        };
        let (key, value) = (text[..at].trim(), text[at + 1..].trim());
        goes_on = dialect == Dialect::Systemd && value.ends_with('\\');
        let value = value.strip_suffix('\\').filter(|_| goes_on).unwrap_or(value).trim();
        let (key, value) = (key.to_owned(), value.to_owned());
        entries.push(Entry { line, section: section.clone(), key, value });
    }
    (entries, sections, odd)
}

fn without_comment(line: &str) -> &str {
    let begins = line.match_indices(';').map(|(at, _)| at);
    let comment = begins.into_iter().find(|at| line[..*at].ends_with([' ', '\t']));
    comment.map_or(line, |at| &line[..at])
}
