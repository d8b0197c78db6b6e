//! What is set aside, in a line each under the list: nobody would think of it otherwise.

use zelador_api::View;

use super::terminal::{Colour, Terminal};
use super::{text, words};

/// So many names are told.
const NAMED: usize = 4;

/// Returns what was set aside by a person, by a window, or because it could not be read: a line each,
/// with what to do about it. `damaged`: the names of histories that were set aside.
pub fn lines(view: &View, damaged: &[String], terminal: Terminal) -> String {
    let mut lines = Vec::new();
    if view.health.set_aside.is_some() {
        lines.push(
            "everything is in maintenance: `zelador maintenance` tells until when".to_owned(),
        );
    } else {
        let apps = view.instances.iter().filter(|it| it.set_aside.is_some()).map(|it| &it.name);
        let checks = view.health.checks.iter().filter(|it| it.set_aside.is_some());
        let checks = checks.map(|it| &it.component).filter(|it| !it.starts_with("app:"));
        let names: Vec<&str> = apps.chain(checks).map(String::as_str).collect();
        if !names.is_empty() {
            let named = named(&names);
            lines.push(format!(
                "in maintenance or muted: {named}: `zelador maintenance` tells until when and by whom"
            ));
        }
    }
    if !view.left_out.is_empty() {
        let records = words::counted(view.left_out.len(), "record");
        let names: Vec<&str> = view.left_out.iter().map(String::as_str).collect();
        lines.push(format!(
            "{records} of the history not understood: {}: `zelador start FILE` declares an app again",
            named(&names)
        ));
    }
    if !damaged.is_empty() {
        let names: Vec<&str> = damaged.iter().map(String::as_str).collect();
        lines.push(format!(
            "a damaged history was set aside, and what it knew is lost: {}: move it away when you \
             have looked at it",
            named(&names)
        ));
    }
    let painted = |line: &String| terminal.paint(&text::plain(line), Colour::Yellow) + "\n";
    lines.iter().map(painted).collect()
}

fn named(names: &[&str]) -> String {
    let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    #[test]
    fn what_is_set_aside_is_told_with_what_to_do() {
        let terminal = Terminal { width: 120, colours: false };
        let mut view = sample::view();
        assert_eq!(lines(&view, &[], terminal), "");
        let aside = serde_json::json!({ "how": "maintenance", "until": null, "by": "root" });
        let aside = || serde_json::from_value(aside.clone()).unwrap();
        view.instances.iter_mut().for_each(|it| it.set_aside = aside());
        view.health.checks[0].set_aside = aside();
        view.left_out = vec!["app/api".to_owned()];
        let damaged = ["history.db.damaged-7".to_owned()];
        let some = lines(&view, &damaged, terminal);
        view.health.set_aside = aside();
        insta::assert_snapshot!(format!("{some}\n{}", lines(&view, &[], terminal)));
    }
}
