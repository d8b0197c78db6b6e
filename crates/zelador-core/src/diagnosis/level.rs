//! How grave a line is, as its record says it in one of many spellings.

use super::text::says;

/// How grave a line says that it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Debug, information, notice.
    Calm,
    /// A warning.
    Warning,
    /// Nothing is said: output of the runtime, traces.
    Unsaid,
    /// An error or worse.
    Error,
}

pub(super) fn word_level(word: &str) -> Option<Level> {
    Some(match word {
        "trace" | "debug" | "info" | "information" | "notice" | "note" | "log" | "verbose"
        | "dbg" | "inf" | "informação" | "hinweis" | "status" => Level::Calm,
        "warn"
        | "warning"
        | "wrn"
        | "aviso"
        | "warnung"
        | "advertencia"
        | "avertissement"
        | "avviso"
        | "ostrzeżenie"
        | "предупреждение"
        | "警告" => Level::Warning,
        "error" | "err" | "fatal" | "critical" | "crit" | "emerg" | "alert" | "panic"
        | "severe" | "fata" | "erro" | "fehler" | "fatl" | "ftl" | "panik" | "erreur"
        | "emergency" | "grave" | "schwerwiegend" | "errore" | "fatale" | "błąd" | "ошибка"
        | "важно" | "паника" | "エラー" | "错误" | "致命错误" => Level::Error,
        _ => return None,
    })
}

/// The level of a plain record, a word of its first part, and whether the record says it.
pub(super) fn level(line: &str) -> (Level, bool) {
    let head: String = line.chars().take(90).collect::<String>().to_lowercase();
    // A trace is no record, whatever words are in it; nor is what the kernel says of a task that hangs, and
    // Apache of a child that crashed.
    if head.starts_with([' ', '\t'])
        || head.starts_with("traceback")
        || head.starts_with("caused by")
        || says(&head, &["info: task ", "info: rcu", " exit signal "])
    {
        return (Level::Unsaid, false);
    }
    let first = head
        .split(|c: char| !c.is_alphanumeric())
        .find(|word| !word.is_empty())
        .unwrap_or_default();
    let is_record = head.starts_with(|c: char| c.is_ascii_digit() || c == '[' || c == '<')
        || word_level(first).is_some()
        || MONTHS.contains(&first)
        || DAYS.contains(&first)
        || starts_with_key(&head)
        || PACKAGERS.contains(&first);
    if !is_record {
        return net(&head).or_else(|| glog(line)).map_or((Level::Unsaid, false), |it| (it, true));
    }
    if let Some(word) = marked(&head) {
        return (word_level(word).unwrap_or(Level::Unsaid), true);
    }
    if let Some(level) = redis(line).or_else(|| after_stamp(line)) {
        return (level, true);
    }
    let mut words = head.split(|c: char| !c.is_alphabetic()).filter(|word| !word.is_empty());
    let found = words.by_ref().take(12).find_map(|word| Some((word, word_level(word)?)));
    let is_bad = || is_bad(&line.to_lowercase());
    match found {
        // `PostgreSQL` tells of its own troubles at this level too.
        Some((word, level)) if word != "log" || !is_bad() => (level, true),
        // An access log, or a date with a sentence behind it, is calm unless it says otherwise.
        None if !is_bad() => (Level::Calm, false),
        _ => (Level::Unsaid, false),
    }
}

/// Whether a line begins as a record of keys and values does: `time=`, `ts=`, `level=`, `msg=`.
fn starts_with_key(head: &str) -> bool {
    let Some((key, _)) = head.split_once('=') else { return false };
    !key.is_empty()
        && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.@-".contains(&byte))
        && marked(head).is_some()
}

/// The word behind `level=`, `lvl=`, `severity=`.
fn marked(head: &str) -> Option<&str> {
    ["level=", "lvl=", "severity="].iter().find_map(|mark| {
        let (before, rest) = head.split_once(mark)?;
        // Not `log_level=debug`, which is a setting.
        let is_key = before.chars().next_back().is_none_or(|c| !c.is_alphanumeric() && c != '_');
        let word = rest.trim_start_matches('"').split(|c: char| !c.is_alphabetic()).next()?;
        is_key.then_some(word)
    })
}

/// The console of .NET: `fail: Microsoft.Hosting.Lifetime[6]`.
fn net(head: &str) -> Option<Level> {
    let (word, rest) = head.split_once(": ")?;
    if !rest.ends_with(']') || rest.contains(' ') {
        return None;
    }
    match word {
        "trce" | "dbug" => Some(Level::Calm),
        "fail" => Some(Level::Error),
        _ => None,
    }
}

/// Whether a line (in lower case) speaks of trouble.
pub(super) fn is_bad(text: &str) -> bool {
    says(text, BAD)
}

/// Tools that put their name before the level: `npm warn`.
const PACKAGERS: [&str; 4] = ["npm", "pnpm", "yarn", "composer"];

/// Words of trouble in a record that does not say how grave it is.
const BAD: &[&str] = &[
    "error",
    "exception",
    "fail",
    "panic",
    "panik",
    "abort",
    "cannot",
    "can't",
    "unable",
    "denied",
    "terminating",
    "could not",
    "couldn't",
    "terminated by",
    "invalid",
    "refused",
    "killed",
    "out of memory",
    "oom-kill",
    "no such",
    "does not",
    "missing",
    "mismatch",
    "not found",
    "required",
    "too many",
    "unknown",
    "corrupt",
    "fatal",
    "timed out",
    "timeout",
    "unreachable",
    "locked",
    "fehler",
    "erro ",
    "falha",
    "não ",
    "fallo",
    "nicht ",
    "échec",
    "sigterm",
    "signal",
    "shutdown",
    "exhaust",
    "expired",
    "rejected",
    "<full>",
    "limit reached",
    "limit of ",
    "over limit",
    "the limit",
    "assert",
    "detected",
    "free()",
    "malloc",
    "conflict",
    "deadlock",
    "overflow",
    "in use",
    "already",
    "undefined",
    "unexpected",
    "segfault",
    "no route",
    "deadline exceeded",
    "exceeded",
    "no space",
    "not permitted",
    "not allowed",
    "not supported",
    "unsupported",
    "unrecognized",
    "unrecognised",
    "did not ",
    "didn't",
    "doesn't",
    "is not ",
    "has no ",
    "there is no ",
    "reset by",
    "broken",
    "closed",
    "<lost",
    "<eof",
    "<bad ",
    "illegal",
    "malformed",
    "insufficient",
    "unauthorized",
    "forbidden",
    "incompatible",
    "unavailable",
    "is down",
    "misbehaving",
    "violat",
    "wrong",
    "nil pointer",
    "crash",
    "damaged",
    "stuck",
    "blocked",
    "revoked",
    "untrusted",
    "must be",
    "must not",
    "read-only",
    "overload",
    "throttl",
    "quota",
    "erreur",
    "imposs",
    "inválid",
    "rechazad",
    "recusad",
    "verweigert",
    "ungültig",
    "no existe",
    "no se ",
    "no queda ",
    "no hay ",
    "espacio",
    "kein ",
    "keine ",
    "gescheitert",
    "abgelaufen",
    "zu viele",
    "bereits",
    "fehlt",
    "caducad",
    "expirad",
    "agotad",
    "esgotad",
    "demasiad",
    "trop de",
    "muitos ",
    "muitas ",
    "cheio",
    "lleno",
    "falta ",
    "unbekannt",
    "inconnu",
    "desligamento",
    "herunterfahren",
    "desconhecid",
    "desconocid",
    "no reconocid",
    "nicht erkannt",
    "contém erros",
    "contiene errores",
    // Of Haskell, Rust, Go.
    "callstack (from",
    "prelude.",
    "on an `err` value",
    "data race",
];

/// Redis and its kin mark a line with `#` for a warning, and with `*`, `-` or `.` for less.
fn redis(line: &str) -> Option<Level> {
    let mut words = line.split(' ');
    let (pid, role) = words.next()?.split_once(':')?;
    let is_redis =
        pid.bytes().all(|byte| byte.is_ascii_digit()) && ["M", "S", "C", "X"].contains(&role);
    // `12:M 23 Nov 2026 21:46:59.121 # Failed listening`.
    match words.nth(4).filter(|_| is_redis)? {
        "#" => Some(Level::Unsaid),
        "*" | "-" | "." => Some(Level::Calm),
        _ => None,
    }
}

/// glog and klog: `E0423 12:00:00.000000`, and logs that begin with one letter.
fn glog(line: &str) -> Option<Level> {
    let mut chars = line.chars();
    let (first, second) = (chars.next()?, chars.next()?);
    // Ruby's: `E, [2026-11-02T10:00:00.1 #7] ERROR -- : `.
    let is_ruby = line[first.len_utf8()..].starts_with(", [");
    if !(second.is_ascii_digit()
        || second == ' ' && chars.next().is_some_and(|c| c.is_ascii_digit())
        || is_ruby)
    {
        return None;
    }
    letter(first)
}

/// TensorFlow's and others': `2026-05-01 10:00:00.000: W tensorflow/…`.
fn after_stamp(line: &str) -> Option<Level> {
    let (stamp, rest) = line.split_once(": ")?;
    let mut chars = rest.chars();
    let (first, second) = (chars.next()?, chars.next()?);
    let is_stamp = stamp.bytes().all(|c| c.is_ascii_digit() || b"-: .T,Z/".contains(&c));
    if is_stamp && second == ' ' { letter(first) } else { None }
}

fn letter(letter: char) -> Option<Level> {
    match letter {
        'I' | 'D' => Some(Level::Calm),
        'W' => Some(Level::Warning),
        'E' | 'F' => Some(Level::Error),
        _ => None,
    }
}

/// Months in short.
pub(super) const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
