//! What a command did, one line an instance.

use zelador_api::{Affected, Done};

use super::terminal::{Colour, Terminal};
use super::text;

/// Returns the line of an instance, without a line end.
pub fn line(affected: &Affected, terminal: Terminal) -> String {
    let (mark, colour) = if affected.ok { ("✓", Colour::Green) } else { ("✗", Colour::Red) };
    format!("{} {}", terminal.paint(mark, colour), text::plain(&affected.to_string()))
}

/// Whether every instance became what was asked for.
pub fn is_success(done: &Done) -> bool {
    done.instances.iter().all(|affected| affected.ok)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_line_names_the_instance_and_what_became_of_it() {
        let done: Done = serde_json::from_value(json!({ "notes": [], "instances": [
            { "id": 0, "app": "api", "what": "started (pid 7)", "ok": true, "help": null },
            { "id": 1, "app": "\u{1b}[2Jweb", "what": "the process exited with code 1",
                "ok": false, "help": null } ] }))
        .unwrap();
        let terminal = Terminal { width: 80, colours: false };
        let lines: Vec<String> = done.instances.iter().map(|of| line(of, terminal)).collect();
        assert_eq!(
            lines,
            ["✓ api (id 0): started (pid 7)", "✗ web (id 1): the process exited with code 1"]
        );
        assert!(!is_success(&done));
    }
}
