//! What must not be shown: passwords, tokens, keys.

use std::ops::Range;

/// Put where a secret stood.
pub const MASK: &str = "********";

/// Words in a variable's name that make its value a secret.
const SECRET_WORDS: [&str; 13] = [
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
    "CONNECTION_STRING",
];

/// The same where they stand alone, between underlines.
const SECRET_PARTS: [&str; 5] = ["DSN", "JWT", "KEY", "PASS", "PAT"];

/// A shorter value is no secret that is looked for elsewhere: too many words would be taken for it.
const SHORTEST: usize = 6;

/// Last words of names whose values stand in lines for good reason, such as `AUTH_HOST`.
const NAMES_OF_OTHERS: [&str; 10] =
    ["ADDR", "ADDRESS", "HOST", "ID", "MODE", "NAME", "PORT", "TYPE", "URL", "USER"];

/// Returns the value of an environment variable as it may be shown.
pub fn variable(name: &str, value: &str) -> String {
    if is_secret(name) && !value.is_empty() { MASK.to_owned() } else { text(value) }
}

fn is_secret(name: &str) -> bool {
    let upper = name.to_ascii_uppercase();
    let secret = SECRET_WORDS.iter().any(|word| upper.contains(word))
        || upper.split('_').any(|part| SECRET_PARTS.contains(&part))
        || upper.ends_with("_PWD");
    // SSH_AUTH_SOCK and the like name a place, not a secret.
    let place = upper.ends_with("_SOCK") || upper.ends_with("_FILE") || upper.ends_with("_PATH");
    secret && !place
}

/// The secret in an environment variable that would be known again elsewhere: the password of the URL that it is, or
/// all of it, unless it may be a word or a place.
pub fn secret<'a>(name: &str, value: &'a str) -> Option<&'a str> {
    let whole = || {
        let last = name.rsplit('_').next().unwrap_or_default().to_ascii_uppercase();
        let is_mixed = value.contains(|c: char| c.is_ascii_digit())
            && value.contains(|c: char| c.is_alphabetic());
        let may_be_said = NAMES_OF_OTHERS.contains(&last.as_str()) || !is_mixed;
        (is_secret(name) && !may_be_said).then_some(value)
    };
    let secret = of_url(value).map(|at| &value[at]).or_else(whole);
    secret.filter(|secret| secret.len() >= SHORTEST)
}

/// Masks secrets that are known wherever they stand in a line.
pub fn known(line: &mut String, secrets: &[String]) {
    for secret in secrets {
        if line.contains(secret) {
            *line = line.replace(secret, MASK);
        }
    }
}

/// Returns the URL with its password masked; text that is no URL with a password is unchanged.
pub fn url(text: &str) -> String {
    match of_url(text) {
        Some(Range { start, end }) => format!("{}{MASK}{}", &text[..start], &text[end..]),
        None => text.to_owned(),
    }
}

/// Where the password of a URL stands. Over HTTP a user without one is a token.
fn of_url(text: &str) -> Option<Range<usize>> {
    let scheme_end = text.find("://")?;
    let authority = scheme_end + 3;
    let end = text[authority..]
        .find(['/', '?', '#', ' ', '"', '\''])
        .map_or(text.len(), |at| authority + at);
    let at = authority + text[authority..end].rfind('@')?;
    let (user, password) = match text[authority..at].split_once(':') {
        Some((user, password)) => (user, password),
        None => (&text[authority..at], ""),
    };
    let is_http = ["http", "https"].iter().any(|scheme| text[..scheme_end].ends_with(scheme));
    match password {
        "" | "x-oauth-basic" if is_http && !user.is_empty() => {
            Some(authority..authority + user.len())
        }
        "" => None,
        _ => Some(at - password.len()..at),
    }
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
    fn a_user_alone_is_a_token_over_http() {
        for (shown, masked) in [
            ("https://ghp_abc@github.com/a", "https://********@github.com/a"),
            (
                "https://ghp_abc:x-oauth-basic@github.com",
                "https://********:x-oauth-basic@github.com",
            ),
            ("http://sk_live:@api/x", "http://********:@api/x"),
            ("https://********@github.com", "https://********@github.com"),
            ("ssh://git@github.com", "ssh://git@github.com"),
            ("postgres://ana@db/x", "postgres://ana@db/x"),
            ("https://@host", "https://@host"),
        ] {
            assert_eq!(text(shown), masked);
        }
    }

    #[test]
    fn a_secret_is_all_of_a_value_or_the_password_in_it_unless_it_is_short() {
        assert_eq!(secret("DB_PASSWORD", "hunter2hunter2"), Some("hunter2hunter2"));
        assert_eq!(secret("DATABASE_URL", "postgres://u:s3cr3ts@h/d"), Some("s3cr3ts"));
        assert_eq!(secret("SENTRY_DSN", "https://abc123@o1.ingest.example/1"), Some("abc123"));
        assert_eq!(secret("DB_PASSWORD", "a1b2"), None);
        for (name, value) in
            [("AUTH", "disabled"), ("AUTH_HOST", "db-1.internal"), ("AUTH_ADDR", "127.0.0.1:80")]
        {
            assert_eq!(secret(name, value), None, "{name}");
        }
        assert_eq!(secret("HOME", "/home/ana"), None);
    }

    #[test]
    fn a_known_secret_is_masked_wherever_it_stands() {
        let mut line = "a hunter2, b'hunter2'".to_owned();
        known(&mut line, &["hunter2".to_owned()]);
        assert_eq!(line, "a ********, b'********'");
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
        for name in ["STRIPE_KEY_LIVE", "key", "DB_PASS_RO", "SENTRY_DSN", "AZURE_PAT", "MY_JWT"] {
            assert_eq!(variable(name, "x"), MASK, "{name}");
        }
        for name in ["PWD", "OLDPWD", "PATH", "KEYBOARD", "PASSENGER_ENV", "SSL_KEY_FILE"] {
            assert_eq!(variable(name, "x"), "x", "{name}");
        }
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
