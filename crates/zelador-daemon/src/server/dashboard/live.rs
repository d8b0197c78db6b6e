//! Pages that keep themselves up to date: one task renders what is looked at, and tells every browser
//! what has changed.
//!
//! Always holds: a page is rendered once for all who look at it; a browser that comes back gets what
//! changed since the version that it has, or everything when that is not known.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::channel::{Channel, Sender};
use maud::Markup;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{self, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

use super::lang::Lang;
use super::past::Cache;
use super::{Dashboard, assets, pages};
use crate::server::Failure;

/// How often what is looked at is rendered.
const EVERY: Duration = Duration::from_secs(2);

/// How many rounds a page that nobody looks at is kept, for those who come back: 20 s.
const KEPT: u32 = 10;

/// How long a browser hears nothing at most.
const BEAT: Duration = Duration::from_secs(10);

/// What a page is about has gone. The browser says so, and asks now and then whether it is back.
const GONE: &[u8] = b"retry: 5000\nevent: gone\ndata: {}\n\n";

/// Why a page cannot be shown.
#[derive(Debug)]
pub enum Absent {
    /// There is none, or not any more.
    Gone,
    /// Nobody has told what it shows.
    Unanswered(Failure),
}

impl From<Failure> for Absent {
    fn from(failure: Failure) -> Self {
        Self::Unanswered(failure)
    }
}

/// A piece of a page that is replaced as a whole.
#[derive(Clone, Debug)]
pub struct Fragment {
    /// The element whose content it is.
    pub id: String,
    /// Tells whether it has changed.
    pub key: u64,
    /// Its content.
    pub html: Arc<str>,
}

impl Fragment {
    /// A fragment that has changed when its content has.
    pub fn new(id: impl Into<String>, content: Markup) -> Self {
        let html: Arc<str> = content.into_string().into();
        Self { id: id.into(), key: assets::fingerprint(html.as_bytes()), html }
    }

    /// A fragment that has changed when `key` has.
    pub fn keyed(id: impl Into<String>, key: &str, content: Markup) -> Self {
        Self {
            id: id.into(),
            key: assets::fingerprint(key.as_bytes()),
            html: content.into_string().into(),
        }
    }
}

/// What a page shows.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// Counts up with each change; begins with the moment at which the task began.
    pub version: u64,
    /// The fragments, with the version at which each has changed last.
    pub fragments: BTreeMap<String, (Fragment, u64)>,
    /// What the page is about has gone.
    pub gone: bool,
}

impl Snapshot {
    /// Takes over what was rendered anew; returns whether anything changed.
    fn renew(&mut self, rendered: Vec<Fragment>) -> bool {
        let next = self.version + 1;
        let mut changed = false;
        let mut fragments = BTreeMap::new();
        for fragment in rendered {
            let entry = match self.fragments.remove(&fragment.id) {
                // Its content may be newer all the same: what is in it has fragments of its own.
                Some((known, at)) if known.key == fragment.key => (fragment, at),
                _ => {
                    changed = true;
                    (fragment, next)
                }
            };
            fragments.insert(entry.0.id.clone(), entry);
        }
        self.fragments = fragments;
        if changed {
            self.version = next;
        }
        changed
    }

    /// What a browser with that version does not have yet, as one event; `None`: nothing.
    fn since(&self, version: u64) -> Option<Bytes> {
        let known = version <= self.version && version != 0;
        let news: BTreeMap<&str, &str> = self
            .fragments
            .values()
            .filter(|(_, at)| !known || *at > version)
            .map(|(fragment, _)| (fragment.id.as_str(), &*fragment.html))
            .collect();
        if news.is_empty() {
            return None;
        }
        let data = json!({ "v": self.version.to_string(), "f": news });
        Some(format!("data: {data}\n\n").into())
    }
}

/// Which page, in which language.
pub type Key = (String, Lang);

/// Asks for a page.
pub struct Wish {
    key: Key,
    answer: oneshot::Sender<Seen>,
}

/// What a page shows, and whatever it will show.
type Seen = Result<watch::Receiver<Arc<Snapshot>>, Absent>;

/// The task that renders.
pub struct Hub {
    dashboard: Dashboard,
    wishes: mpsc::Receiver<Wish>,
    pages: BTreeMap<Key, Looked>,
    cache: Cache,
    began: u64,
}

struct Looked {
    sender: watch::Sender<Arc<Snapshot>>,
    unseen: u32,
}

impl Hub {
    /// Returns the task; `began` is told apart from that of other engines.
    pub fn new(dashboard: Dashboard, wishes: mpsc::Receiver<Wish>, began: u64) -> Self {
        Self { dashboard, wishes, pages: BTreeMap::new(), cache: Cache::default(), began }
    }

    /// Runs until it is cancelled.
    pub async fn run(mut self, closing: CancellationToken) {
        let mut ticks = time::interval(EVERY);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                () = closing.cancelled() => return,
                Some(wish) = self.wishes.recv() => self.grant(wish).await,
                _ = ticks.tick() => self.render_all().await,
            }
        }
    }

    async fn grant(&mut self, wish: Wish) {
        let seen = match self.pages.get_mut(&wish.key) {
            Some(looked) => {
                looked.unseen = 0;
                Ok(looked.sender.subscribe())
            }
            None => self.begin(&wish.key).await,
        };
        // Whoever asked may have gone.
        _ = wish.answer.send(seen);
    }

    async fn begin(&mut self, key: &Key) -> Seen {
        let rendered = pages::fragments(&self.dashboard, &mut self.cache, key).await?;
        let mut snapshot = Snapshot { version: self.began, ..Snapshot::default() };
        snapshot.renew(rendered);
        let (sender, receiver) = watch::channel(Arc::new(snapshot));
        self.pages.insert(key.clone(), Looked { sender, unseen: 0 });
        Ok(receiver)
    }

    async fn render_all(&mut self) {
        for looked in self.pages.values_mut() {
            looked.unseen = if looked.sender.receiver_count() > 0 { 0 } else { looked.unseen + 1 };
        }
        self.forget(|looked| looked.unseen > KEPT || looked.sender.borrow().gone);
        for (key, looked) in &self.pages {
            let rendered = match pages::fragments(&self.dashboard, &mut self.cache, key).await {
                Ok(rendered) => rendered,
                Err(Absent::Gone) => {
                    looked.sender.send_modify(|it| Arc::make_mut(it).gone = true);
                    continue;
                }
                Err(Absent::Unanswered(_)) => continue,
            };
            let mut snapshot = Snapshot::clone(&looked.sender.borrow());
            if snapshot.renew(rendered) {
                looked.sender.send_replace(Arc::new(snapshot));
            }
        }
    }

    /// A page that begins anew must not count from where a browser of before has got to.
    fn forget(&mut self, is_over: impl Fn(&Looked) -> bool) {
        let over = self.pages.values().filter(|looked| is_over(looked));
        let latest = over.map(|looked| looked.sender.borrow().version).max();
        self.began = self.began.max(latest.unwrap_or_default());
        self.pages.retain(|_, looked| !is_over(looked));
    }
}

impl Dashboard {
    /// What a page shows now, and whatever it will show.
    ///
    /// # Errors
    /// There is no such page, or nobody has told what it shows.
    pub(super) async fn look(&self, page: &str, lang: Lang) -> Seen {
        let ending = |_| Absent::Unanswered(Failure::ending());
        let (answer, granted) = oneshot::channel();
        let wish = Wish { key: (page.to_owned(), lang), answer };
        self.wishes.send(wish).await.map_err(|_| Failure::ending())?;
        let seen = granted.await.map_err(ending)??;
        let gone = seen.borrow().gone;
        if gone { Err(Absent::Gone) } else { Ok(seen) }
    }
}

/// Which page, and which version of it is known.
#[derive(Deserialize)]
pub struct Since {
    page: String,
    #[serde(default)]
    since: u64,
}

/// The stream of a page's changes.
pub async fn stream(
    State(dashboard): State<Dashboard>,
    Query(asked): Query<Since>,
    headers: HeaderMap,
) -> Response {
    if pages::wants_token(&asked.page) && !dashboard.knows(&headers) {
        return Failure::unknown().into_response();
    }
    let seen = match dashboard.look(&asked.page, Lang::of(&headers)).await {
        Ok(seen) => seen,
        Err(Absent::Gone) => {
            let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
            return (headers, GONE).into_response();
        }
        Err(Absent::Unanswered(failure)) => return failure.into_response(),
    };
    // What the browser has got before the line was cut counts more than what its page began with.
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse().ok());
    let since = last.unwrap_or(asked.since);
    events(dashboard.closing.clone(), move |sender| feed(sender, seen, since))
}

/// Answers with a stream of events that somebody feeds.
pub fn events<F: Future<Output = ()> + Send + 'static>(
    closing: CancellationToken,
    feed: impl FnOnce(Sender<Bytes>) -> F,
) -> Response {
    let (sender, body) = Channel::<Bytes>::new(8);
    let fed = feed(sender);
    tokio::spawn(async move { closing.run_until_cancelled(fed).await });
    let headers = [(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")];
    (headers, Body::new(body)).into_response()
}

/// Ends when the browser has gone.
async fn feed(mut sender: Sender<Bytes>, mut seen: watch::Receiver<Arc<Snapshot>>, since: u64) {
    let mut version = since;
    // Tells the browser at once that it is connected.
    if sender
        .send_data(Bytes::from_static(b"retry: 1000\nevent: beat\ndata: {}\n\n"))
        .await
        .is_err()
    {
        return;
    }
    loop {
        let (event, now, gone) = {
            let snapshot = seen.borrow_and_update();
            (snapshot.since(version), snapshot.version, snapshot.gone)
        };
        if gone {
            // Whether it hears this or not, it asks again.
            _ = sender.send_data(Bytes::from_static(GONE)).await;
            return;
        }
        if let Some(event) = event {
            let event = [format!("id: {now}\n").as_bytes(), &event].concat();
            if sender.send_data(event.into()).await.is_err() {
                return;
            }
        }
        version = now;
        match time::timeout(BEAT, seen.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) => {
                let beat = Bytes::from_static(b"event: beat\ndata: {}\n\n");
                if sender.send_data(beat).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use maud::html;

    use super::*;

    fn page(texts: &[(&str, &str)]) -> Vec<Fragment> {
        texts.iter().map(|(id, text)| Fragment::new(*id, html! { (text) })).collect()
    }

    #[test]
    fn a_browser_gets_what_it_does_not_have() {
        let mut snapshot = Snapshot { version: 100, ..Snapshot::default() };
        assert!(snapshot.renew(page(&[("a", "1"), ("b", "1")])));
        let loaded = snapshot.version;
        assert_eq!(snapshot.since(loaded), None);
        assert!(!snapshot.renew(page(&[("a", "1"), ("b", "1")])), "nothing is new");
        assert!(snapshot.renew(page(&[("a", "1"), ("b", "<2>")])));
        let event = String::from_utf8(snapshot.since(loaded).unwrap().to_vec()).unwrap();
        assert_eq!(event, "data: {\"f\":{\"b\":\"&lt;2&gt;\"},\"v\":\"102\"}\n\n");
        // The version of an engine that has gone: later than anything known here.
        for unknown in [0, 5_000] {
            let event = String::from_utf8(snapshot.since(unknown).unwrap().to_vec()).unwrap();
            assert!(event.contains("\"a\""), "{event}");
        }
    }
}
