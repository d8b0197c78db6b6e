//! Tables whose rows become cards on a narrow screen, where each cell says its column's name.

use maud::{Markup, html};

/// What is in a column.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// What the row is about.
    Row,
    Text,
    Number,
    /// Sentences, which need the whole width of a card.
    Long,
}

/// A column.
#[derive(Clone, Copy)]
pub struct Column {
    name: &'static str,
    kind: Kind,
}

impl Column {
    /// What the row is about; one of each table.
    pub fn row(name: &'static str) -> Self {
        Self { name, kind: Kind::Row }
    }

    /// Words.
    pub fn text(name: &'static str) -> Self {
        Self { name, kind: Kind::Text }
    }

    /// Numbers.
    pub fn number(name: &'static str) -> Self {
        Self { name, kind: Kind::Number }
    }

    /// Sentences.
    pub fn long(name: &'static str) -> Self {
        Self { name, kind: Kind::Long }
    }

    fn class(self) -> Option<&'static str> {
        match self.kind {
            Kind::Row | Kind::Text => None,
            Kind::Number => Some("num"),
            Kind::Long => Some("long"),
        }
    }
}

/// Returns a table of these rows.
pub fn table<const N: usize>(
    columns: [Column; N],
    rows: impl IntoIterator<Item = [Markup; N]>,
) -> Markup {
    html! {
        table.cards {
            thead { tr { @for column in columns { th class=[column.class()] scope="col" { (column.name) } } } }
            tbody { @for row in rows { tr { @for (column, cell) in columns.iter().zip(row) {
                @if column.kind == Kind::Row { th scope="row" { (cell) } }
                @else { td class=[column.class()] data-label=(column.name) { (cell) } }
            } } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_says_its_column() {
        let columns = [Column::row("App"), Column::number("Deaths"), Column::long("Why")];
        let row = [html! { "api" }, html! { (3) }, html! { "it hangs" }];
        let expected = "<table class=\"cards\"><thead><tr><th scope=\"col\">App</th>\
            <th class=\"num\" scope=\"col\">Deaths</th><th class=\"long\" scope=\"col\">Why</th></tr></thead>\
            <tbody><tr><th scope=\"row\">api</th><td class=\"num\" data-label=\"Deaths\">3</td>\
            <td class=\"long\" data-label=\"Why\">it hangs</td></tr></tbody></table>";
        assert_eq!(table(columns, [row]).into_string(), expected);
    }
}
