//! What must not be shown: passwords, tokens, keys.

/// Put where a secret stood.
pub const MASK: &str = "********";

/// Words in a variable's name that make its value a secret.
const SECRET_WORDS: [&str; 12] = [
    "PASSWORD",
    "PASSWD",
    "PASSPHRASE",
    "SECRET",
    "TOKEN",
    "APIKEY",
    "API_KEY",
    "ACCESS_KEY",
    "PRIVATE",
    "CREDENTIAL",
    "AUTH",
    "SESSION_KEY",
];

/// Returns the value of an environment variable as it may be shown.
pub fn variable(name: &str, value: &str) -> String {
    let upper = name.to_ascii_uppercase();
    let secret = SECRET_WORDS.iter().any(|word| upper.contains(word))
        || upper == "PASS"
        || upper.ends_with("_PASS")
        || upper.ends_with("_PWD")
        || upper.ends_with("_KEY");
    // SSH_AUTH_SOCK and the like name a place, not a secret.
    let place = upper.ends_with("_SOCK") || upper.ends_with("_FILE") || upper.ends_with("_PATH");
    if secret && !place && !value.is_empty() { MASK.to_owned() } else { text(value) }
}

/// Returns the URL with its password masked; text that is no URL with a password is unchanged.
pub fn url(text: &str) -> String {
    let Some(scheme_end) = text.find("://") else { return text.to_owned() };
    let authority = scheme_end + 3;
    let end = text[authority..]
        .find(['/', '?', '#', ' ', '"', '\''])
        .map_or(text.len(), |at| authority + at);
    let Some(at) = text[authority..end].rfind('@') else { return text.to_owned() };
    let user = &text[authority..authority + at];
    let Some(colon) = user.find(':') else { return text.to_owned() };
    if user[colon + 1..].is_empty() {
        return text.to_owned();
    }
    format!("{}{MASK}{}", &text[..=authority + colon], &text[authority + at..])
}

/// Returns a line of text with what looks like a secret masked: passwords in URLs, values after
/// `password=`, `token:` and the like, and bearer tokens.
pub fn text(line: &str) -> String {
    let mut masked = String::with_capacity(line.len());
    let mut rest = line;
    while let Some(at) = rest.find("://") {
        let authority = at + 3;
        let ends = |c: char| c.is_whitespace() || "\"'>)/".contains(c);
        let mut end = rest[authority..].find(ends).map_or(rest.len(), |end| authority + end);
        // Another one may begin in the same word: it is the end of this one.
        if let Some(next) = rest[authority..].find("://").map(|next| authority + next) {
            end = end.min(scheme_of(rest, next).max(authority));
        }
        let begin = scheme_of(rest, at);
        masked.push_str(&rest[..begin]);
        masked.push_str(&url(&rest[begin..end]));
        rest = &rest[end..];
    }
    masked.push_str(rest);
    assignments(&masked)
}

/// Where the scheme begins that ends at `end`.
fn scheme_of(text: &str, end: usize) -> usize {
    let before = text[..end].rfind(|c: char| !c.is_ascii_alphanumeric() && c != '+');
    before.map_or(0, |at| at + text[at..].chars().next().map_or(1, char::len_utf8))
}

/// Words that are followed by a secret, in lower case.
const ASSIGNED: [&str; 8] =
    ["password", "passwd", "secret", "token", "api_key", "apikey", "authorization", "private_key"];

fn assignments(line: &str) -> String {
    let lower = line.to_ascii_lowercase();
    let mut masked = String::with_capacity(line.len());
    let mut done = 0;
    while let Some((start, word)) = ASSIGNED
        .iter()
        .filter_map(|word| lower[done..].find(word).map(|at| (done + at, *word)))
        .min()
    {
        let after = start + word.len();
        let value = secret_value(&line[after..]);
        masked.push_str(&line[done..after]);
        done = after;
        if let Some((from, to)) = value {
            masked.push_str(&line[after..after + from]);
            masked.push_str(MASK);
            done = after + to;
        }
    }
    masked.push_str(&line[done..]);
    masked
}

/// Where in the text after a tell-tale word its value lies: after `=` or `:` and quotes, up to
/// the next blank, quote, comma or bracket.
fn secret_value(after: &str) -> Option<(usize, usize)> {
    let separator = after.find(|c: char| !" \"'".contains(c))?;
    if !after[separator..].starts_with(['=', ':']) {
        return None;
    }
    let begin = separator + 1;
    let from = begin + after[begin..].find(|c: char| !" \"'".contains(c))?;
    let mut from = from;
    for scheme in ["Bearer ", "bearer ", "Basic ", "basic "] {
        if after[from..].starts_with(scheme) {
            from += scheme.len();
        }
    }
    let ends = |c: char| c.is_whitespace() || "\"',;}])&".contains(c);
    let to = after[from..].find(ends).map_or(after.len(), |at| from + at);
    (to > from && &after[from..to] != MASK).then_some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_a_url_is_masked_and_the_rest_kept() {
        assert_eq!(url("mysql://ana:s3cr3t@db:3306/x"), "mysql://ana:********@db:3306/x");
        assert_eq!(url("mysql://ana:p@ss@db/x"), "mysql://ana:********@db/x");
        assert_eq!(url("http://db:3306/a:b@c"), "http://db:3306/a:b@c");
        assert_eq!(text("dial redis://:abc@h:1 failed"), "dial redis://:********@h:1 failed");
        assert_eq!(text("x://redis://:abc@h:1"), "x://redis://:********@h:1");
        assert_eq!(text("a://b/c,d://e:f@g"), "a://b/c,d://e:********@g");
        assert_eq!(
            text("no mysql://ana:s3cr3t@db:3306 by http://proxy:3128"),
            "no mysql://ana:********@db:3306 by http://proxy:3128",
        );
        assert_eq!(
            text("redis://:a@h:1,redis://:b@h:2"),
            "redis://:********@h:1,redis://:********@h:2"
        );
        assert_eq!(text("mysql://a:b@h\tx://y"), "mysql://a:********@h\tx://y");
    }

    #[test]
    fn what_follows_a_tell_tale_word_is_masked() {
        assert_eq!(text("password=hunter2 user=x"), "password=******** user=x");
        assert_eq!(text("{\"token\": \"abc\", \"a\": 1}"), "{\"token\": \"********\", \"a\": 1}");
        assert_eq!(text("Authorization: Bearer abc.def"), "Authorization: Bearer ********");
        assert_eq!(text("the token was refused"), "the token was refused");
    }

    #[test]
    fn variables_are_masked_by_name() {
        assert_eq!(variable("DB_PASSWORD", "x"), MASK);
        assert_eq!(variable("STRIPE_KEY", "x"), MASK);
        assert_eq!(variable("SSH_AUTH_SOCK", "/run/x"), "/run/x");
        assert_eq!(variable("PORT", "3000"), "3000");
        assert_eq!(variable("DATABASE_URL", "postgres://u:p@h/d"), "postgres://u:********@h/d");
    }

    #[test]
    fn text_in_any_script_survives() {
        for line in ["ação → senha://é", "", "://", "пароль: token", "token:", "password = "]
        {
            let _ = text(line);
        }
    }
}
