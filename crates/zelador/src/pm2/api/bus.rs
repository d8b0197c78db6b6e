//! What happens, what apps say and what they log, for those who listen on PM2's bus.
//!
//! One task follows the engine's events while somebody listens; the frames it makes go to all
//! listeners. Always holds: a listener that does not read misses messages and slows down nobody.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};
use tokio::sync::{broadcast, watch};
use tokio::time;
use zelador_api::AppView;
use zelador_api::bus::{Heard, Said};
use zelador_api::client::{Client, ClientError, Lines};
use zelador_api::home::Home;
use zelador_api::id::InstanceId;
use zelador_api::route;
use zelador_api::shared::SharedApps;

use super::amp::{Part, frame};
use super::happenings::{Happening, Happenings};
use super::tails::{self, Source};
use crate::render::jlist;

/// So many messages may wait for a listener.
const WAITING: usize = 4096;

/// How long the engine may take to answer: it may be in the midst of being replaced.
const PATIENCE: Duration = Duration::from_secs(10);

/// From one try to reach an engine to the next.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Hands frames to all listeners.
pub type Frames = broadcast::Sender<Arc<[u8]>>;

/// Milliseconds since the Unix epoch, as PM2 tells the time.
pub fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    since.as_millis() as u64
}

/// The frame of an event.
pub fn frame_of(topic: &str, data: Value) -> Arc<[u8]> {
    frame(&[Part::Text(topic.to_owned()), Part::Json(data)]).into()
}

/// The bus, and the task that feeds it while somebody listens.
pub struct Bus {
    home: Home,
    frames: Frames,
    /// Whether everything that happens from now on reaches the listeners.
    is_fed: watch::Sender<bool>,
}

impl Bus {
    /// Returns a bus on which nobody listens.
    pub fn new(home: Home) -> Self {
        let (frames, _) = broadcast::channel(WAITING);
        Self { home, frames, is_fed: watch::Sender::new(false) }
    }

    /// Somebody listens from now on.
    pub fn listen(&self) -> broadcast::Receiver<Arc<[u8]>> {
        let is_first = self.frames.receiver_count() == 0;
        let listener = self.frames.subscribe();
        if is_first {
            let feeder = Feeder {
                client: Client::new(&self.home, PATIENCE),
                home: self.home.clone(),
                frames: self.frames.clone(),
                happenings: Happenings::default(),
                apps: BTreeMap::new(),
            };
            tokio::spawn(feeder.run(self.is_fed.clone()));
        }
        listener
    }

    /// Waits until whoever listens hears what happens next; at once when nobody does.
    pub async fn ready(&self) {
        if self.frames.receiver_count() > 0 {
            let mut is_fed = self.is_fed.subscribe();
            // The engine may be gone: what is asked of it will say so.
            _ = time::timeout(PATIENCE, is_fed.wait_for(|fed| *fed)).await;
        }
    }
}

/// Feeds the bus.
struct Feeder {
    client: Client,
    home: Home,
    frames: Frames,
    happenings: Happenings,
    /// What was seen last of each instance.
    apps: BTreeMap<InstanceId, AppView>,
}

impl Feeder {
    /// Runs while somebody listens.
    async fn run(mut self, is_fed: watch::Sender<bool>) {
        let (sources, told) = channel();
        let (home, frames) = (self.home.clone(), self.frames.clone());
        thread::spawn(move || tails::run(&told, &home, &frames));
        while self.frames.receiver_count() > 0 {
            if let Ok(mut lines) = self.begin(&sources).await {
                is_fed.send_replace(true);
                self.follow(&mut lines, &sources).await;
                is_fed.send_replace(false);
            }
            time::sleep(AGAIN_AFTER).await;
        }
        is_fed.send_replace(false);
    }

    /// Opens the engine's events, then looks at what there is: what happens in between is heard.
    async fn begin(&mut self, sources: &Sender<Vec<Source>>) -> Result<Lines, ClientError> {
        let lines = self.client.follow(route::BUS).await?;
        self.apps.clear();
        self.look(sources).await?;
        for app in self.apps.values() {
            let instance = &app.instance;
            let phase = serde_json::to_value(&instance.phase).unwrap_or_default();
            let phase = phase["phase"].as_str().or(phase.as_str()).unwrap_or_default().to_owned();
            let pid = instance.pid.map(i64::from);
            self.happenings.know(instance.id.number().into(), &phase, pid);
        }
        Ok(lines)
    }

    async fn look(&mut self, sources: &Sender<Vec<Source>>) -> Result<(), ClientError> {
        let apps: SharedApps = self.client.get(route::APPS_SHARED).await?;
        let apps = Vec::from(apps);
        // The thread lives as long as the sender.
        _ = sources.send(Source::of(&apps, &self.home));
        self.apps.extend(apps.into_iter().map(|app| (app.instance.id, app)));
        Ok(())
    }

    async fn follow(&mut self, lines: &mut Lines, sources: &Sender<Vec<Source>>) {
        while self.frames.receiver_count() > 0 {
            // A listener may go while nothing happens.
            let line = match time::timeout(PATIENCE, lines.next()).await {
                Ok(Ok(Some(line))) => line,
                Ok(Ok(None) | Err(_)) => return,
                Err(_) => continue,
            };
            match serde_json::from_slice(&line) {
                Ok(Heard::Said(said)) => self.said(said),
                Ok(Heard::Happened(event)) if event.kind == "instance" => {
                    let happened = self.happenings.instance(&event.data);
                    // An engine that has just ended is looked at again from the beginning.
                    if self.look(sources).await.is_err() {
                        return;
                    }
                    self.happened(&event.data, &happened);
                }
                Ok(Heard::Happened(event)) if event.kind == "instance-gone" => {
                    let happened = self.happenings.gone(&event.data);
                    self.happened(&event.data, &happened);
                    let id = event.data["id"].as_u64();
                    self.apps.retain(|known, _| Some(known.number().into()) != id);
                }
                Ok(Heard::Happened(_)) | Err(_) => {}
            }
        }
    }

    /// Tells what happened to an instance.
    fn happened(&self, data: &Value, happened: &[Happening]) {
        let id = data["id"].as_u64();
        let app = self.apps.values().find(|it| Some(it.instance.id.number().into()) == id);
        let process = app.map_or_else(
            || json!({ "pm_id": data["id"], "name": data["app"] }),
            |app| {
                let mut element = jlist::values(std::slice::from_ref(app))[0].take();
                let mut process = element["pm2_env"].take();
                if let Some(fields) = process.as_object_mut() {
                    // What happened is no place for an environment.
                    fields.remove("env");
                    let env = &app.spec.launch;
                    for name in env.inherited_env.keys().chain(env.env.keys()) {
                        fields.remove(name);
                    }
                }
                process
            },
        );
        for Happening { event, manually } in happened {
            let said = json!({
                "event": event, "manually": manually, "process": process, "at": now(),
            });
            // The last listener may have gone.
            _ = self.frames.send(frame_of("process:event", said));
        }
    }

    /// Tells what an app said: under the topic that it chose, with its data; else as it is.
    fn said(&self, Said { id, app, at, mut message }: Said) {
        let namespace = self.apps.get(&id).map(|it| it.instance.namespace.as_str());
        let process = json!({ "pm_id": id, "name": app, "namespace": namespace });
        let mut said = Map::new();
        said.insert("at".to_owned(), at.as_millis().into());
        said.insert("process".to_owned(), process);
        let topic = message["type"].as_str().filter(|topic| !topic.is_empty()).map(str::to_owned);
        let topic = match topic {
            Some(topic) if !message["data"].is_null() => {
                said.insert("data".to_owned(), message["data"].take());
                topic
            }
            _ => {
                said.insert("raw".to_owned(), message);
                "process:msg".to_owned()
            }
        };
        // The last listener may have gone.
        _ = self.frames.send(frame_of(&topic, said.into()));
    }
}
