//! Where to send, how often, and as whom: the variables that every exporter of OpenTelemetry knows.

use std::time::Duration;

use hyper::header::HeaderName;
use percent_encoding::percent_decode_str;

/// `OTEL_METRIC_EXPORT_INTERVAL` of the specification: 60 s.
const EVERY: Duration = Duration::from_mins(1);

/// More often would tell nothing new: instances are measured every few seconds.
const SHORTEST: Duration = Duration::from_secs(1);

/// What was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The collector, without a slash at its end.
    pub endpoint: String,
    /// What it wants to see, like a key.
    pub headers: Vec<(HeaderName, String)>,
    /// How often.
    pub every: Duration,
    /// What zelador is called there.
    pub service: String,
}

impl Settings {
    /// Reads `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_METRIC_EXPORT_INTERVAL` and
    /// `OTEL_SERVICE_NAME`; `None`: there is no endpoint.
    ///
    /// # Errors
    /// One of them is wrong.
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Option<Self>, String> {
        let Some(endpoint) = variable("OTEL_EXPORTER_OTLP_ENDPOINT") else { return Ok(None) };
        let endpoint = endpoint.trim().trim_end_matches('/').to_owned();
        if !endpoint.starts_with("http://") && !endpoint.starts_with("https://") {
            return Err(
                "OTEL_EXPORTER_OTLP_ENDPOINT is no address like `http://127.0.0.1:4318`".to_owned()
            );
        }
        let headers = variable("OTEL_EXPORTER_OTLP_HEADERS").unwrap_or_default();
        let headers = headers.split(',').filter(|pair| !pair.trim().is_empty()).map(header);
        let every = match variable("OTEL_METRIC_EXPORT_INTERVAL") {
            None => EVERY,
            Some(text) => {
                let wrong = || {
                    let least = SHORTEST.as_millis();
                    format!(
                        "OTEL_METRIC_EXPORT_INTERVAL is {text:?}; allowed are milliseconds, {least} and more"
                    )
                };
                let every = text.trim().parse().map(Duration::from_millis).map_err(|_| wrong())?;
                if every < SHORTEST {
                    return Err(wrong());
                }
                every
            }
        };
        let service = variable("OTEL_SERVICE_NAME").unwrap_or_else(|| "zelador".to_owned());
        Ok(Some(Self { endpoint, headers: headers.collect::<Result<_, _>>()?, every, service }))
    }
}

/// One of `api-key=abc,team=ops`; its value may be percent-encoded. No error repeats it: it may be a key.
fn header(pair: &str) -> Result<(HeaderName, String), String> {
    let wrong = || "OTEL_EXPORTER_OTLP_HEADERS is not like `name=value,name=value`".to_owned();
    let (name, value) = pair.split_once('=').ok_or_else(wrong)?;
    let name = name.trim().to_ascii_lowercase().parse().map_err(|_| wrong())?;
    let value = percent_decode_str(value.trim()).decode_utf8().map_err(|_| wrong())?;
    Ok((name, value.into_owned()))
}
