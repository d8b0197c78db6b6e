//! Which field is meant by a name, and by a wrong one.

/// A field's first name and its others. Every name may also be written in camelCase.
pub(super) type Names = (&'static str, &'static [&'static str]);

/// Returns the first name of the field that is written as `name`.
pub(super) fn canonical(name: &str, known: &'static [Names]) -> Option<&'static str> {
    let find =
        |name: &str| known.iter().find(|(first, others)| *first == name || others.contains(&name));
    find(name).or_else(|| find(&snake_case(name))).map(|(first, _)| *first)
}

/// How alike two names must be to be named as meant; 1 is equal.
const ALIKE: f64 = 0.55;

/// Returns the known name that is most like `name`, if one is like it at all.
pub(super) fn nearest(name: &str, known: &[Names]) -> Option<&'static str> {
    let name = snake_case(&name.replace('-', "_"));
    let names =
        known.iter().flat_map(|(first, others)| [*first].into_iter().chain(others.iter().copied()));
    nearest_of(&name, names)
}

/// The same among any names.
pub(super) fn nearest_of<'a>(name: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    // An endless name is like nothing, and comparing it costs its square.
    let short = name.len() <= 64;
    let alike = |known: &'a str| (strsim::normalized_damerau_levenshtein(name, known), known);
    let best = names.filter(|_| short).map(alike).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness >= ALIKE).map(|(_, known)| known)
}

fn snake_case(name: &str) -> String {
    let mut snake = String::with_capacity(name.len() + 4);
    let mut after_lower = false;
    for c in name.chars() {
        if c.is_ascii_uppercase() && after_lower {
            snake.push('_');
        }
        after_lower = c.is_ascii_lowercase() || c.is_ascii_digit();
        snake.push(c.to_ascii_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::super::fields::APP;
    use super::*;

    #[test]
    fn a_field_is_known_by_alias_and_in_camel_case() {
        for (written, expected) in [
            ("cmd", Some("script")),
            ("interpreterArgs", Some("node_args")),
            ("maxMemoryRestart", Some("max_memory_restart")),
            ("windowsHide", Some("windows_hide")),
            ("v8", Some("v8")),
            ("maxrestart", None),
        ] {
            assert_eq!(canonical(written, APP), expected, "{written}");
        }
    }

    #[test]
    fn the_nearest_name_is_named_and_a_far_one_is_not() {
        assert_eq!(nearest("max_restart", APP), Some("max_restarts"));
        assert_eq!(nearest("max-restarts", APP), Some("max_restarts"));
        assert_eq!(nearest("scirpt", APP), Some("script"));
        assert_eq!(nearest("zzzzzzzzz", APP), None);
        assert_eq!(nearest(&"a".repeat(100_000), APP), None);
    }
}
