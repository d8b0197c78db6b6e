//! What kind of failure a text tells of: the codes that servers put into their words.
//!
//! Always holds: a text without a code that is known says nothing; nothing is guessed from prose.

use super::ErrorClass;

/// `MySQL`'s and `MariaDB`'s error numbers (`mysqld_error.h`): too many connections, shutting down,
/// access denied (four ways), unknown database.
const MYSQL: [(u16, ErrorClass); 8] = [
    (1040, ErrorClass::Overloaded),
    (1203, ErrorClass::Overloaded),
    (1053, ErrorClass::ConnectionLost),
    (1044, ErrorClass::Denied),
    (1045, ErrorClass::Denied),
    (1698, ErrorClass::Denied),
    (1227, ErrorClass::Denied),
    (1049, ErrorClass::NotFound),
];

/// `PostgreSQL`'s SQLSTATE codes (errcodes.txt); those that begin with 57P are a server that comes
/// up, goes down or was told to end the connection.
const POSTGRES: [(&str, ErrorClass); 7] = [
    ("53300", ErrorClass::Overloaded),
    ("57P03", ErrorClass::Overloaded),
    ("57P01", ErrorClass::ConnectionLost),
    ("57P02", ErrorClass::ConnectionLost),
    ("28P01", ErrorClass::Denied),
    ("28000", ErrorClass::Denied),
    ("3D000", ErrorClass::NotFound),
];

/// The first word of an error of Redis.
const REDIS: [(&str, ErrorClass); 5] = [
    ("WRONGPASS", ErrorClass::Denied),
    ("NOAUTH", ErrorClass::Denied),
    ("NOPERM", ErrorClass::Denied),
    ("LOADING", ErrorClass::Overloaded),
    ("BUSY", ErrorClass::Overloaded),
];

impl ErrorClass {
    /// Returns the class that a server's own code in a text tells of: `ERROR 1045 (28000): …`,
    /// `FATAL 53300: …`, `HTTP 503: …`, `WRONGPASS …`; `None`: there is none that is known.
    pub fn of_text(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let first = words.next()?.trim_end_matches(':');
        let second = words.next().unwrap_or_default().trim_end_matches([':', ',']);
        match first {
            "HTTP" => Self::of_http_status(second.parse().ok()?),
            "ERROR" if second.len() == 4 => {
                let code: u16 = second.parse().ok()?;
                MYSQL.iter().find(|(known, _)| *known == code).map(|(_, class)| *class)
            }
            "ERROR" | "FATAL" | "PANIC" => {
                POSTGRES.iter().find(|(known, _)| *known == second).map(|(_, class)| *class)
            }
            word => REDIS.iter().find(|(known, _)| *known == word).map(|(_, class)| *class),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_of_a_server_says_whether_another_attempt_makes_sense() {
        let of = ErrorClass::of_text;
        assert_eq!(of("ERROR 1045 (28000): access denied"), Some(ErrorClass::Denied));
        assert_eq!(of("ERROR 1040 (08004): Too many connections"), Some(ErrorClass::Overloaded));
        assert_eq!(of("FATAL 53300: sorry, too many clients"), Some(ErrorClass::Overloaded));
        assert_eq!(of("FATAL 28P01: password"), Some(ErrorClass::Denied));
        assert_eq!(of("HTTP 503: busy"), Some(ErrorClass::Overloaded));
        assert_eq!(of("HTTP 404"), Some(ErrorClass::NotFound));
        assert_eq!(of("WRONGPASS invalid username-password pair"), Some(ErrorClass::Denied));
        for nothing in ["", "connection refused at 127.0.0.1:1", "ERROR 9999: x", "HTTP 200"] {
            assert_eq!(of(nothing), None, "{nothing}");
        }
    }
}
