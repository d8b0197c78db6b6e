//! What is wrong with a file, all of it at once, and what is worth saying about it though it is
//! right.

use std::cell::RefCell;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::node::Position;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mistake {
    /// The file as the user named it.
    pub file: PathBuf,
    /// Where in it, when the format has lines.
    pub position: Option<Position>,
    /// The field, as `apps[0].max_restarts`; empty for the document itself.
    pub field: String,
    /// What stands there.
    pub found: String,
    /// What may stand there.
    pub allowed: String,
    /// The next thing to try.
    pub help: Option<String>,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_place(f, &self.file, self.position, &self.field)?;
        write!(f, "found {}, allowed: {}", self.found, self.allowed)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "; {help}"))
    }
}

/// Everything that is wrong with a file, in the order of the file where it has lines; never
/// empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mistakes(Vec<Mistake>);

impl Mistakes {
    /// The mistakes.
    pub fn all(&self) -> &[Mistake] {
        &self.0
    }
}

impl fmt::Display for Mistakes {
    /// One a line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { "\n" })?;
            mistake.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

/// Something that is right and yet may not do what the user expects.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// The file as the user named it.
    pub file: PathBuf,
    /// Where in it, when the format has lines.
    pub position: Option<Position>,
    /// The field.
    pub field: String,
    /// What to know.
    pub text: String,
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_place(f, &self.file, self.position, &self.field)?;
        f.write_str(&self.text)
    }
}

fn write_place(
    f: &mut fmt::Formatter<'_>,
    file: &Path,
    position: Option<Position>,
    field: &str,
) -> fmt::Result {
    write!(f, "{}:", file.display())?;
    if let Some(Position { line, column }) = position {
        write!(f, "{line}:{column}:")?;
    }
    f.write_str(" ")?;
    if field.is_empty() { Ok(()) } else { write!(f, "{field}: ") }
}

/// Collects what is said about one file while it is checked.
pub(super) struct Report {
    file: PathBuf,
    mistakes: RefCell<Vec<Mistake>>,
    notes: RefCell<Vec<Note>>,
}

impl Report {
    pub(super) fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), mistakes: RefCell::default(), notes: RefCell::default() }
    }

    pub(super) fn mistake(
        &self,
        position: Option<Position>,
        field: &str,
        found: String,
        allowed: String,
        help: Option<String>,
    ) {
        let (file, field) = (self.file.clone(), field.to_owned());
        self.mistakes.borrow_mut().push(Mistake { file, position, field, found, allowed, help });
    }

    pub(super) fn note(&self, position: Option<Position>, field: &str, text: String) {
        let (file, field) = (self.file.clone(), field.to_owned());
        self.notes.borrow_mut().push(Note { file, position, field, text });
    }

    /// Returns the notes, or the mistakes if there is one; both in the order of the file where
    /// it has lines.
    pub(super) fn conclude(self) -> Result<Vec<Note>, Mistakes> {
        let (mut mistakes, mut notes) = (self.mistakes.into_inner(), self.notes.into_inner());
        mistakes.sort_by_key(|mistake| mistake.position);
        notes.sort_by_key(|note| note.position);
        if mistakes.is_empty() { Ok(notes) } else { Err(Mistakes(mistakes)) }
    }
}
