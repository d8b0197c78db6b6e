//! Numbers and codes in a line: they mean the same in every language.
//!
//! errno of the operating system, SQLSTATE, the numbers of `MySQL` and `MariaDB`, of SQL Server, of Oracle, of Prisma,
//! HTTP statuses.
//! A number counts only where what stands before it says what it is.

use super::Cause;
use super::Cause::{
    BadConfig, DataCorruption, DbLock, DbSchema, DbTooManyConnections, DependencyAuthFailed,
    DependencyUnreachable, DiskFull, DnsFailure, MissingFile, OutOfMemoryHeap, PermissionDenied,
    PortInUse, RateLimited, ThreadExhaustion, TlsCertificate, TooManyOpenFiles, WrongArchitecture,
};

/// What a code is worth: more than any words.
const SURE: f64 = 1.15;
/// What one is worth that may stand for several causes.
const VAGUE: f64 = 0.9;

/// Returns what the codes in a line (in lower case) point to.
pub fn codes(text: &str) -> Vec<(Cause, f64)> {
    let mut found = Vec::new();
    let mut at = 0;
    for token in text.split(|c: char| !c.is_ascii_alphanumeric()) {
        let start = at;
        at += token.len() + 1;
        // A separator of more than one byte moves the place on.
        let start = text[start.min(floor(text, start))..]
            .find(token)
            .map_or(start, |more| floor(text, start) + more);
        at = at.max(start + token.len() + 1);
        if token.is_empty() || token.len() > 6 {
            continue;
        }
        let before = &text[..start.min(text.len())];
        let after = text.get(start + token.len()..).unwrap_or_default();
        found.extend(one(token, before, after, text));
    }
    found
}

fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at)
}

fn one(token: &str, before: &str, after: &str, text: &str) -> Option<(Cause, f64)> {
    let has_digit = token.bytes().any(|byte| byte.is_ascii_digit());
    if !has_digit {
        return None;
    }
    // What names the number, without what stands between.
    let named = before.trim_end_matches([' ', ':', '=', '-', '"', '\'', '[', '(', '#', ',']);
    let bracketed = before.ends_with('(') && after.starts_with([')', ':', ','])
        || before.ends_with('[') && after.starts_with([']', ':']);
    let is_number = token.bytes().all(|byte| byte.is_ascii_digit());
    if token.len() == 5
        && (!is_number || text.contains("sqlstate") || bracketed || ends(named, SQL_BEFORE))
        && let Some(cause) = sqlstate(token)
    {
        let is_plain = is_number && !ends(named, SQL_BEFORE) && !text.contains("sqlstate");
        return Some((cause, if is_plain { VAGUE } else { SURE }));
    }
    if let Some(number) = token.strip_prefix('p').filter(|rest| rest.len() == 4) {
        return prisma(number.parse().ok()?);
    }
    let number: u32 = if is_number { token.parse().ok()? } else { return None };
    if named.ends_with("ora") && before.ends_with('-') {
        return oracle(number);
    }
    if ends(named, HTTP_BEFORE) && token.len() == 3 {
        return http(number);
    }
    let is_sql_server = text.contains("[sql server]") && bracketed
        || named.ends_with("error number") && text.contains("class:")
        || named.ends_with("msg") && after.starts_with(", level");
    if is_sql_server {
        return sql_server(number);
    }
    let is_errno = ends(named, ERRNO_BEFORE)
        || bracketed && before.len() <= 1
        || bracketed && before.ends_with('(') && (after.starts_with(": ") || after == ")")
        || bracketed && named.ends_with("socketexception");
    // .NET tells EAI_AGAIN by the number of EAGAIN.
    if number == 11 && bracketed && named.ends_with("socketexception") {
        return Some((DnsFailure, SURE));
    }
    if number < 200 && is_errno {
        return errno(number, text);
    }
    let is_vendor =
        number >= 1000 && (bracketed || ends(named, ERRNO_BEFORE) || ends(named, SQL_BEFORE));
    if is_vendor { vendor(number) } else { None }
}

const ERRNO_BEFORE: &[&str] = &[
    "errno",
    "os error",
    "errcode",
    "error number",
    "os { code",
    "system error",
    "got error",
    "winerror",
    "posix error",
];
const SQL_BEFORE: &[&str] = &[
    "sqlstate",
    "code",
    "error",
    "sql state",
    "state",
    "fehler",
    "erro",
    "errno",
    "erreur",
    "fatal",
    "mysql",
    "errorcode",
];
const HTTP_BEFORE: &[&str] = &[
    "http",
    "status code",
    "statuscode",
    "status",
    "http/1.1",
    "http/2",
    "error code",
    "httperror",
    "http status",
    "response code",
    "server returned",
    "answered with",
];

fn ends(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| text.ends_with(word))
}

/// `errno(3)` of Linux.
fn errno(number: u32, text: &str) -> Option<(Cause, f64)> {
    let says = |words: &[&str]| words.iter().any(|word| text.contains(word));
    Some(match number {
        98 => (PortInUse, SURE),
        13 | 30 => (PermissionDenied, SURE),
        // npm's own `errno 1` is none.
        1 if says(&["[errno 1]", "os error 1)"]) => (PermissionDenied, SURE),
        2 => (MissingFile, 0.7),
        8 if says(&["exec", "errno 8", "os error 8"]) => (WrongArchitecture, VAGUE),
        // The name of the thread that says so means nothing.
        11 if says(&["new thread", "pthread", "create", "fork", "spawn", "process"])
            && !says(&[" lock", "flock", "_lock"]) =>
        {
            (ThreadExhaustion, SURE)
        }
        12 => (OutOfMemoryHeap, SURE),
        23 | 24 if !says(&["inotify", "watch"]) => (TooManyOpenFiles, SURE),
        28 | 122 if !says(&["inotify", "watch"]) => (DiskFull, SURE),
        // A field of that name has a number of SQLite, where 5 is a lock; Node's own are negative.
        5 if text.trim_start().starts_with("errno: 5") => return None,
        5 | 74 | 117 => (DataCorruption, VAGUE),
        99 => (BadConfig, VAGUE),
        101 | 104 | 110 | 111 | 112 | 113 if !says(&["password", "too many", "certificate"]) => {
            (DependencyUnreachable, VAGUE)
        }
        _ => return None,
    })
}

/// SQLSTATE, in lower case: appendix A of `PostgreSQL`, and what `MySQL` and ODBC add.
fn sqlstate(code: &str) -> Option<Cause> {
    Some(match code {
        "28p01" | "28000" | "42501" => DependencyAuthFailed,
        "3d000" | "3f000" | "42p01" | "42703" | "42883" | "42s02" | "42s22" | "42p07" | "42701"
        | "42s01" | "42s21" | "42704" => DbSchema,
        "53300" => DbTooManyConnections,
        "53100" => DiskFull,
        "53200" => OutOfMemoryHeap,
        "40p01" | "40001" | "55p03" => DbLock,
        "57p01" | "57p02" | "57p03" | "08000" | "08001" | "08003" | "08004" | "08006" | "08s01" => {
            DependencyUnreachable
        }
        "xx001" | "xx002" => DataCorruption,
        _ => return None,
    })
}

/// The numbers of `MySQL` and `MariaDB`, from their `errmsg-utf8.txt`, and the one of SQL Server for a login.
fn vendor(number: u32) -> Option<(Cause, f64)> {
    let cause = match number {
        1040 | 1203 | 1226 => DbTooManyConnections,
        1044 | 1045 | 1130 | 1142 | 1227 | 1251 | 1698 | 18456 => DependencyAuthFailed,
        1049 | 1050 | 1051 | 1054 | 1060 | 1091 | 1146 => DbSchema,
        1205 | 1213 => DbLock,
        1129 | 2002 | 2003 | 2006 | 2013 => DependencyUnreachable,
        2005 => DnsFailure,
        2026 => TlsCertificate,
        1021 | 1114 => DiskFull,
        1194 | 1195 | 1034 | 1035 => DataCorruption,
        _ => return None,
    };
    Some((cause, SURE))
}

/// The numbers of SQL Server, from its `sys.messages`, and those of Azure that begin at 40000.
fn sql_server(number: u32) -> Option<(Cause, f64)> {
    let cause = match number {
        229 | 230 | 262 | 4060 | 18452 | 18456 | 18470 | 18486..=18488 => DependencyAuthFailed,
        207 | 208 | 2812 => DbSchema,
        1205 | 1222 | 3960 => DbLock,
        10928 | 10929 => DbTooManyConnections,
        983 | 40197 | 40613 => DependencyUnreachable,
        40501 => RateLimited,
        701 => OutOfMemoryHeap,
        1101 | 1105 | 9002 => DiskFull,
        605 | 823..=825 => DataCorruption,
        _ => return None,
    };
    Some((cause, SURE))
}

/// Oracle's `ORA-` numbers.
fn oracle(number: u32) -> Option<(Cause, f64)> {
    let cause = match number {
        1017 | 28000 | 28001 | 1031 => DependencyAuthFailed,
        12541 | 12514 | 12170 | 12543 | 12537 | 3113 | 3114 | 1034 | 1033 => DependencyUnreachable,
        942 | 904 => DbSchema,
        54 | 60 => DbLock,
        18 | 20 | 12516 | 12519 | 12520 => DbTooManyConnections,
        1652 | 1653 | 1654 | 257 => DiskFull,
        1578 => DataCorruption,
        12154 | 12545 => DnsFailure,
        _ => return None,
    };
    Some((cause, SURE))
}

/// Prisma's `P` numbers.
fn prisma(number: u32) -> Option<(Cause, f64)> {
    let cause = match number {
        1000 | 1010 => DependencyAuthFailed,
        1001 | 1002 | 1008 | 1017 => DependencyUnreachable,
        1011 => TlsCertificate,
        1012 | 1013 => BadConfig,
        1003 | 2021 | 2022 | 3005 | 3006 | 3009 | 3018 => DbSchema,
        2024 => DbTooManyConnections,
        2034 => DbLock,
        _ => return None,
    };
    Some((cause, SURE))
}

/// What a service that was asked over HTTP said.
fn http(number: u32) -> Option<(Cause, f64)> {
    Some(match number {
        429 => (RateLimited, SURE),
        401 => (DependencyAuthFailed, VAGUE),
        502..=504 => (DependencyUnreachable, VAGUE),
        507 => (DiskFull, 0.6),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_means_what_stands_before_it_says() {
        for (text, cause) in [
            ("oserror: [errno 98] endereço já em uso", Some(PortInUse)),
            ("bind() to 0.0.0.0:80 failed (98: adresse déjà utilisée)", Some(PortInUse)),
            ("(98)address already in use: ah00072", Some(PortInUse)),
            ("os { code: 111, kind: connectionrefused }", Some(DependencyUnreachable)),
            ("  errno: -24,", Some(TooManyOpenFiles)),
            ("  errno: -5,", Some(DataCorruption)),
            ("  errno: 5,", None),
            ("error 1045 (28000): acesso negado", Some(DependencyAuthFailed)),
            ("(1205, 'tempo de espera')", Some(DbLock)),
            ("sqlstate[hy000] [2002] verbindung", Some(DependencyUnreachable)),
            ("fehler:  42703: spalte »rabatt«", Some(DbSchema)),
            ("  code: '53300',", Some(DbTooManyConnections)),
            ("ora-01017: usuário inválido", Some(DependencyAuthFailed)),
            ("error number:208,state:1,class:16", Some(DbSchema)),
            ("msg 823, level 24, state 2, line 1", Some(DataCorruption)),
            (
                "[sql server]anmeldung nicht möglich. (18456) (sqldriverconnect)",
                Some(DependencyAuthFailed),
            ),
            ("msg 208 of 900 sent", None),
            ("errorcode: 'p1001'", Some(DependencyUnreachable)),
            ("request failed with status code 429", Some(RateLimited)),
            ("npm err! errno 1", None),
            ("listening on port 98", None),
            ("worker 111 started (4 of 13)", None),
            ("order 28000 stored, 40001 left", None),
            ("ação à 98 – ü 13", None),
        ] {
            assert_eq!(codes(text).first().map(|(cause, _)| *cause), cause, "{text}");
        }
    }
}
