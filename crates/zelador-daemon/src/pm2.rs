//! What a home of PM2's shape has besides: the guardian's pid in `pm2.pid`, and in `pm2.log` what
//! happens to apps, in the lines that PM2 writes.

use std::fmt;
use std::fs;
use std::path::Path;

use jiff::Zoned;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;
use zelador_api::home::Home;
use zelador_core::chronicle::Chronicle;
use zelador_core::record::Record;
use zelador_core::unit::Moment;

use crate::driver::remove_socket;

/// PM2's date before a line of its own log: `YYYY-MM-DDTHH:mm:ss`, in local time.
const DATE: &str = "%Y-%m-%dT%H:%M:%S";

/// Begins an engine: tells the guardian's pid, and returns who tells what happens. What the engine
/// before has `known` was told by it.
pub fn begin(home: &Home, guardian: i32, known: &[Record], now: Moment) -> Option<Chronicle> {
    if !home.is_pm2() {
        return None;
    }
    let path = home.pm2_pid();
    if let Err(error) = write(&path, guardian) {
        tracing::warn!(path = %path.display(), %error, "the guardian's pid is not told");
    }
    let mut chronicle = Chronicle::default();
    for record in known {
        chronicle.tell(now, record);
    }
    Some(chronicle)
}

/// Never half there: a service manager reads it at any time.
fn write(path: &Path, pid: i32) -> std::io::Result<()> {
    let temporary = path.with_extension("pid.new");
    fs::write(&temporary, pid.to_string())?;
    fs::rename(temporary, path)
}

/// Tells what these records say.
pub fn tell(chronicle: &mut Chronicle, now: Moment, records: &[Record]) {
    for line in records.iter().flat_map(|record| chronicle.tell(now, record)) {
        tracing::info!("{line}");
    }
}

/// Ends zelador: there is no guardian any more.
pub fn end(home: &Home) {
    if home.is_pm2() {
        // A file that is left behind names a process that is gone; nobody is harmed by that.
        _ = fs::remove_file(home.pm2_pid());
        [home.pm2_calls(), home.pm2_bus()].iter().for_each(|path| remove_socket(path));
    }
}

/// Lines as PM2's daemon writes them: `2026-11-23T21:25:44: PM2 log: …`.
pub struct Lines;

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let kind = if *event.metadata().level() == Level::ERROR { "error" } else { "log" };
        write!(writer, "{}: PM2 {kind}: ", Zoned::now().strftime(DATE))?;
        context.format_fields(writer.by_ref(), event)?;
        for span in context.event_scope().into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<FormattedFields<N>>() {
                write!(writer, " {fields}")?;
            }
        }
        writeln!(writer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_home_of_pm2s_shape_gets_its_files() {
        let folder = tempfile::tempdir().unwrap();
        let home = Home::new(folder.path());
        assert!(begin(&home, 42, &[], Moment::from_micros(0)).is_none());
        assert!(!home.pm2_pid().exists());
        fs::write(home.pm2_mark(), "").unwrap();
        assert!(begin(&home, 42, &[], Moment::from_micros(0)).is_some());
        assert_eq!(fs::read_to_string(home.pm2_pid()).unwrap(), "42");
        end(&home);
        assert!(!home.pm2_pid().exists());
    }
}
