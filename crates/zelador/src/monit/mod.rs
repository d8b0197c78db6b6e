//! `monit`: apps, their logs, incidents and the host on a screen, and keys to act on them.
//!
//! An event goes in (`update`), the state is changed, effects come out and are carried out here;
//! what the state is, is drawn (`draw`). Both are pure. Always holds: nothing is drawn unless
//! something happened, and never more often than [`FRAME`] says; a terminal that takes its time
//! slows the drawing, and nothing else.

mod draw;
mod feed;
mod follow;
mod host;
mod keys;
mod layout;
mod log;
mod mouse;
mod state;
mod terminal;
mod update;

use std::io::{self, IsTerminal};
use std::process::ExitCode;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use zelador_api::Command;
use zelador_api::home::Home;
use zelador_api::id::InstanceId;

use crate::command::Context;
use crate::failure::Failure;
use crate::render::terminal::Terminal;

use feed::Looker;
use follow::Files;
use state::{Look, State};
use terminal::Screen;
use update::{Effect, Event, update};

/// From one drawing to the next at least: 30 a second.
const FRAME: Duration = Duration::from_millis(33);

/// So many events wait for the screen before those who feed it do.
const QUEUE: usize = 256;

/// Shows the screen until it is left.
pub fn monit(context: Context) -> Result<ExitCode, Failure> {
    let help = "`zelador list --watch` and `zelador logs` show the same in lines";
    if !io::stdout().is_terminal() {
        return Err(Failure::with_help("stdout is no terminal: there is no screen", help));
    }
    if std::env::var_os("TERM").is_some_and(|term| term == "dumb") {
        return Err(Failure::with_help("this terminal (`TERM=dumb`) cannot be a screen", help));
    }
    let mut looker = Looker::new(&context.home)?;
    let looked = looker.look()?;
    let look = Look { colours: Terminal::wants_colours(), zone: TimeZone::system() };
    let size = ratatui::crossterm::terminal::size().map_err(|error| no_screen(&error))?;
    let state = State::new(looked, size, look);

    let (events, inbox) = mpsc::sync_channel(QUEUE);
    let (wake, woken) = mpsc::sync_channel(1);
    let (follow, asked) = mpsc::channel();
    feed::signals(events.clone()).map_err(|error| no_screen(&error))?;
    let screen = Screen::enter().map_err(|error| no_screen(&error))?;
    let (looks, lines, keys) = (events.clone(), events.clone(), events.clone());
    thread::spawn(move || looker.run(&woken, &looks));
    thread::spawn(move || follow::run(&asked, &lines));
    thread::spawn(move || feed::keyboard(&keys));
    Monit { state, screen, inbox, events, wake, follow, home: context.home }.run()
}

fn no_screen(error: &io::Error) -> Failure {
    Failure::new(format!("the terminal cannot be made a screen: {error}"))
}

/// The screen and those who feed it.
struct Monit {
    state: State,
    screen: Screen,
    inbox: Receiver<Event>,
    events: SyncSender<Event>,
    wake: SyncSender<()>,
    follow: mpsc::Sender<(InstanceId, Files)>,
    home: Home,
}

impl Monit {
    fn run(mut self) -> Result<ExitCode, Failure> {
        let effects = update::settled(&mut self.state);
        let mut left = self.perform(effects)?;
        let (mut drawn, mut is_stale) = (None::<Instant>, true);
        while left.is_none() {
            let due = drawn.map_or(Duration::ZERO, |at| FRAME.saturating_sub(at.elapsed()));
            if is_stale && due.is_zero() {
                self.screen.draw(&self.state).map_err(|error| no_screen(&error))?;
                (drawn, is_stale) = (Some(Instant::now()), false);
                continue;
            }
            let event = if is_stale {
                match self.inbox.recv_timeout(due) {
                    Ok(event) => event,
                    Err(RecvTimeoutError::Timeout) => continue,
                    Err(RecvTimeoutError::Disconnected) => Event::Gone,
                }
            } else {
                self.inbox.recv().unwrap_or(Event::Gone)
            };
            is_stale = true;
            let effects = update(&mut self.state, event);
            left = self.perform(effects)?;
        }
        drop(self.screen);
        Ok(left.unwrap_or(ExitCode::SUCCESS))
    }

    /// Carries effects out; returns the exit code if it is time to leave.
    fn perform(&mut self, effects: Vec<Effect>) -> Result<Option<ExitCode>, Failure> {
        for effect in effects {
            match effect {
                Effect::Leave(code) => return Ok(Some(ExitCode::from(code))),
                Effect::Suspend => self.screen.suspend().map_err(|error| no_screen(&error))?,
                Effect::Redraw => self.screen.renew().map_err(|error| no_screen(&error))?,
                // The thread is there as long as this is.
                Effect::Follow(of, files) => _ = self.follow.send((of, files)),
                Effect::Do(verb, selector) => self.act(feed::command(verb, selector)),
                Effect::Answer(yes, question) => self.act(feed::answer(yes, &question)),
            }
        }
        Ok(None)
    }

    fn act(&self, command: Command) {
        feed::act(self.home.clone(), command, self.events.clone(), self.wake.clone());
    }
}

#[cfg(test)]
mod tests;
