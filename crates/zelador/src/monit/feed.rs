//! What the screen is fed with: the keyboard, signals, the engine, log files; a thread each.
//!
//! Always holds: nothing waits for the drawing of the screen but these threads, whose queue is
//! bounded; the drawing waits for none of them.

use std::collections::BTreeSet;
use std::future;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::task::Poll;
use std::thread;
use std::time::{Duration, Instant};

use ratatui::crossterm::event as terminal;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};
use zelador_api::client::ClientError;
use zelador_api::home::Home;
use zelador_api::id::InstanceId;
use zelador_api::unit::Moment;
use zelador_api::{Command, Done, IncidentOrder, Question, View, route};

use super::host::Looks;
use super::state::{Looked, Verb};
use super::terminal::restore;
use super::update::Event;
use crate::engine::Engine;
use crate::failure::Failure;

/// From one look at the engine to the next.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a look may take before the engine counts as lost.
const PATIENCE: Duration = Duration::from_secs(5);

/// From one look at the declarations to the next, while the list is the same.
const DECLARATIONS_EVERY: Duration = Duration::from_secs(5);

/// From one look at the incidents to the next: with their evidence they are large.
const INCIDENTS_EVERY: Duration = Duration::from_secs(3);

/// The signals that end this process.
const ENDING: [SignalKind; 4] =
    [SignalKind::terminate(), SignalKind::hangup(), SignalKind::interrupt(), SignalKind::quit()];

/// How long leaving may take after a signal: the terminal may be held or gone.
const LEAVING: Duration = Duration::from_secs(1);

/// Looks at the engine again and again.
pub struct Looker {
    engine: Engine,
    host: Looks,
    /// The instances whose declarations are known, and since when.
    known: Option<(BTreeSet<(InstanceId, Moment)>, Instant)>,
    /// When the incidents were looked at.
    told: Option<Instant>,
}

impl Looker {
    /// Returns one that has not looked yet.
    ///
    /// # Errors
    /// The process is out of descriptors.
    pub fn new(home: &Home) -> Result<Self, Failure> {
        Ok(Self { engine: Engine::new(home)?, host: Looks::default(), known: None, told: None })
    }

    /// Looks.
    ///
    /// # Errors
    /// Nobody answers in time, or the answer is a problem.
    pub fn look(&mut self) -> Result<Looked, ClientError> {
        let view: View = self.engine.get_within(route::VIEW, PATIENCE)?;
        let mut incidents = None;
        if self.told.is_none_or(|at| at.elapsed() >= INCIDENTS_EVERY) {
            incidents = Some(self.engine.get_within(route::INCIDENTS, PATIENCE)?);
            self.told = Some(Instant::now());
        }
        let there: BTreeSet<_> = view.instances.iter().map(|it| (it.id, it.created_at)).collect();
        let is_fresh = self
            .known
            .as_ref()
            .is_some_and(|(known, at)| *known == there && at.elapsed() < DECLARATIONS_EVERY);
        let apps = if is_fresh { None } else { Some(self.engine.apps()?) };
        if apps.is_some() {
            self.known = Some((there, Instant::now()));
        }
        Ok(Looked { view, apps, incidents, host: self.host.look() })
    }

    /// Looks until nobody listens; at once when it is woken.
    pub fn run(mut self, woken: &Receiver<()>, events: &SyncSender<Event>) {
        loop {
            match woken.recv_timeout(LOOK_EVERY) {
                // Something was done: whatever may have changed is looked at.
                Ok(()) => (self.known, self.told) = (None, None),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let event = match self.look() {
                Ok(looked) => Event::Looked(Box::new(looked)),
                Err(error) => {
                    (self.known, self.told) = (None, None);
                    Event::Lost(said(&error))
                }
            };
            if events.send(event).is_err() {
                return;
            }
        }
    }
}

/// Has something done, and tells how it went.
pub fn act(home: Home, command: Command, events: SyncSender<Event>, wake: SyncSender<()>) {
    thread::spawn(move || {
        let done = Engine::new(&home)
            .map_err(|failure| match failure {
                Failure::Said { error, .. } => error,
                _ => "it could not be asked for".to_owned(),
            })
            .and_then(|engine| engine.command(&command).map_err(|it| said(&it)))
            .and_then(|done| outcome(&done));
        // The screen may be left already.
        _ = events.send(Event::Done(done));
        _ = wake.try_send(());
    });
}

/// What is asked of the engine for an instance.
pub fn command(verb: Verb, selector: String) -> Command {
    let selectors = vec![selector];
    match verb {
        Verb::Restart => Command::Restart { selectors, change: None },
        Verb::Reload => Command::Reload { selectors, change: None },
        Verb::Stop => Command::Stop { selectors },
        Verb::Start => Command::Start { selectors },
        Verb::Delete => Command::Delete { selectors },
    }
}

/// What is said to the question of an incident.
pub fn answer(yes: bool, question: &Question) -> Command {
    let order = if yes { IncidentOrder::Approve } else { IncidentOrder::Reject };
    Command::Incident { id: question.incident, order, question: Some(question.asked_at), by: None }
}

/// What a command did, in words; or what went wrong with it.
fn outcome(done: &Done) -> Result<String, String> {
    let failed: Vec<String> =
        done.instances.iter().filter(|it| !it.ok).map(ToString::to_string).collect();
    if !failed.is_empty() {
        return Err(failed.join("; "));
    }
    let parts = done.instances.iter().map(ToString::to_string).chain(done.notes.iter().cloned());
    let said = parts.collect::<Vec<String>>().join("; ");
    Ok(if said.is_empty() { "nothing was to be done".to_owned() } else { said })
}

fn said(error: &ClientError) -> String {
    match error {
        ClientError::NotRunning(_) => "zelador is not running".to_owned(),
        other => other.to_string(),
    }
}

/// Hands on what happens at the terminal, until that is gone.
pub fn keyboard(events: &SyncSender<Event>) {
    loop {
        let event = match terminal::read() {
            Ok(input) => Event::Input(input),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => Event::Gone,
        };
        let is_last = matches!(event, Event::Gone);
        if events.send(event).is_err() || is_last {
            return;
        }
    }
}

/// Hands on the first signal that asks this process to end, and sees to it that it does.
///
/// # Errors
/// The process is out of descriptors.
pub fn signals(events: SyncSender<Event>) -> std::io::Result<()> {
    let runtime = Builder::new_current_thread().enable_io().build()?;
    let mut streams = {
        let _inside = runtime.enter();
        ENDING
            .iter()
            .map(|kind| Ok((*kind, signal(*kind)?)))
            .collect::<std::io::Result<Vec<_>>>()?
    };
    thread::spawn(move || {
        let asked = runtime.block_on(future::poll_fn(|context| {
            let ready = streams
                .iter_mut()
                .find_map(|(kind, it)| it.poll_recv(context).is_ready().then_some(*kind));
            ready.map_or(Poll::Pending, Poll::Ready)
        }));
        let number = asked.as_raw_value();
        if let Err(TrySendError::Disconnected(_)) = events.try_send(Event::Asked(number)) {
            return;
        }
        // The screen may be busy with a terminal that takes nothing any more.
        thread::sleep(LEAVING);
        thread::spawn(restore);
        thread::sleep(LEAVING);
        std::process::exit(128 + number);
    });
    Ok(())
}
