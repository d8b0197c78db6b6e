//! The streams of a run: where their lines go, which the guardian keeps for the next engine.

use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use zelador_core::date::DateFormat;
use zelador_core::id::{InstanceId, RunId};
use zelador_core::launch::Launch;
use zelador_core::spec::LogFormat;
use zelador_guardian::{Capture, Descriptors};

use crate::logs::{Json, Source, Stream, Style};

/// What the guardian keeps for us: where the lines of a run go.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Label {
    pub(super) out: Vec<PathBuf>,
    pub(super) err: Vec<PathBuf>,
    pub(super) date: Option<String>,
    /// The app and the number of its instance, if the lines are JSON.
    #[serde(default)]
    pub(super) json: Option<(String, u32)>,
    /// Whether it is a module's.
    #[serde(default)]
    pub(super) module: bool,
    /// The instance that it was started for.
    #[serde(default)]
    pub(super) instance: Option<InstanceId>,
}

impl Label {
    pub(super) fn of(launch: &Launch) -> Self {
        Self {
            out: launch.out.clone(),
            err: launch.err.clone(),
            date: launch.date_format.clone(),
            json: (launch.log_format == LogFormat::Json)
                .then(|| (launch.app.clone(), launch.instance.number())),
            module: false,
            instance: Some(launch.instance),
        }
    }
}

/// The instance that a run was started for.
pub(super) fn instance_of(label: &[u8]) -> Option<InstanceId> {
    serde_json::from_slice::<Label>(label).ok()?.instance
}

/// The streams of a run for the log thread, which shares its descriptors.
pub(super) fn sources_of(run: RunId, descriptors: &Descriptors, label: &[u8]) -> Vec<Source> {
    let label: Label = serde_json::from_slice(label).unwrap_or_default();
    let Some(state) = &descriptors.state else { return Vec::new() };
    let mut sources = Vec::new();
    let streams =
        [(Stream::Out, &descriptors.out, &label.out), (Stream::Err, &descriptors.err, &label.err)];
    for (stream, capture, sinks) in streams {
        let Some(Capture { pipe, hold_read, hold_write }) = capture else { continue };
        sources.push(Source {
            run,
            stream,
            pipe: Arc::clone(pipe),
            hold_read: Arc::clone(hold_read),
            hold_write: Arc::clone(hold_write),
            state: Arc::clone(state),
            sinks: sinks.clone(),
            style: style(label.json.as_ref(), label.date.as_deref(), stream),
            module: label.module,
        });
    }
    sources
}

fn style(json: Option<&(String, u32)>, date: Option<&str>, stream: Stream) -> Style {
    let date = date.map(DateFormat::parse);
    match json {
        Some((app, id)) => Style::Json(Json { date, stream, id: *id, app: app.clone() }),
        None => date.map_or(Style::Plain, Style::Dated),
    }
}
