//! How long an answer asks to be left alone.

use std::time::Duration;

use hyper::HeaderMap;
use hyper::header::RETRY_AFTER;
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// Returns what the header `Retry-After` asks for, as RFC 9110 has it: seconds, or a date, which is
/// compared with `now`. `None`: it asks for nothing, or nobody understands it.
pub fn asked(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let said = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = said.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = DateTimeParser::new().parse_timestamp(said).ok()?;
    Some(Duration::try_from(date.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_and_dates_are_understood_and_nothing_else() {
        let now: Timestamp = "1994-11-06T08:49:37Z".parse().unwrap();
        let asks = |said: &str| {
            let headers = HeaderMap::from_iter([(RETRY_AFTER, said.parse().unwrap())]);
            asked(&headers, now).map(|wait| wait.as_millis())
        };
        assert_eq!(asks("120"), Some(120_000));
        assert_eq!(asks(" 1.5"), Some(1_500));
        assert_eq!(asks("Sun, 06 Nov 1994 08:51:37 GMT"), Some(120_000));
        assert_eq!(asks("Sun, 06 Nov 1994 08:40:00 GMT"), Some(0), "it is over");
        for nothing in ["", "soon", "-5", "nan", "1e300", "Sun, 06 Foo 1994"] {
            assert_eq!(asks(nothing), None, "{nothing}");
        }
        assert_eq!(asked(&HeaderMap::new(), now), None);
    }
}
