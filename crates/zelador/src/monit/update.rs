//! What an event makes of the screen, and what must be done about it.
//!
//! Pure: the state and an event go in, the state is changed, effects come out.

use ratatui::crossterm::event::{Event as Input, KeyEventKind};
use zelador_api::id::InstanceId;
use zelador_api::{Incident, Question};

use super::follow::Files;
use super::layout::{Areas, areas};
use super::log::Line;
use super::state::{Link, Looked, MESSAGE_STANDS, Message, Mode, Pane, State, Verb, Wish};
use super::{keys, mouse};

/// What happens.
#[derive(Debug)]
pub enum Event {
    /// At the terminal.
    Input(Input),
    /// The engine was looked at.
    Looked(Box<Looked>),
    /// The engine did not answer, and why.
    Lost(String),
    /// Lines of the log of an instance.
    Lines(InstanceId, Vec<Line>),
    /// What was asked for was done: in words, or why not.
    Done(Result<String, String>),
    /// This process is asked to end, by the signal of this number.
    Asked(i32),
    /// The terminal is gone.
    Gone,
}

/// What must be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Leave, with this exit code.
    Leave(u8),
    /// Give way to the shell until it brings us back.
    Suspend,
    /// Draw everything anew, whatever the terminal shows.
    Redraw,
    /// Follow the files of this instance, and no others.
    Follow(InstanceId, Files),
    /// Ask the engine for this.
    Do(Verb, String),
    /// Say yes or no to this question.
    Answer(bool, Question),
}

/// Takes an event in.
pub fn update(state: &mut State, event: Event) -> Vec<Effect> {
    let mut effects = Vec::new();
    match event {
        Event::Input(input) => effects = at_the_terminal(state, input),
        Event::Looked(looked) => {
            state.take(*looked);
            grow_old(&mut state.message);
        }
        Event::Lost(why) => {
            state.link = Link::Lost(why);
            grow_old(&mut state.message);
        }
        Event::Lines(of, lines) => {
            if state.log.of == Some(of) {
                state.log.extend(lines);
            }
        }
        Event::Done(Ok(said)) => say(state, said, false),
        Event::Done(Err(said)) => say(state, said, true),
        Event::Asked(signal) => {
            let code = u8::try_from(128 + signal).unwrap_or(u8::MAX);
            return vec![Effect::Leave(code)];
        }
        Event::Gone => return vec![Effect::Leave(1)],
    }
    effects.extend(settled(state));
    effects
}

/// Makes true again what always holds; returns what must be done for that.
pub fn settled(state: &mut State) -> Vec<Effect> {
    settle(state);
    follow(state).into_iter().collect()
}

fn at_the_terminal(state: &mut State, input: Input) -> Vec<Effect> {
    match input {
        Input::Key(key) if key.kind != KeyEventKind::Release => {
            // Whoever goes on has read that all is well.
            state.message.take_if(|it| !it.is_error && it.stands.is_some());
            keys::pressed(state, key)
        }
        Input::Mouse(event) => {
            mouse::moved(state, event);
            Vec::new()
        }
        Input::Paste(text) => {
            if matches!(state.mode, Mode::Filtering(_)) {
                state.filter.extend(text.chars().filter(|c| !c.is_control()));
            }
            Vec::new()
        }
        Input::Resize(columns, lines) => {
            state.size = (columns, lines);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// Asks whether something is to be done to the instance that is chosen.
pub fn ask(state: &mut State, verb: Verb) {
    let Some(of) = state.instance() else {
        return say(state, "there is no app to act on".to_owned(), true);
    };
    let selector = format!("{}/{}", of.app, of.index);
    let (id, name) = (of.id, of.name.clone());
    state.mode = Mode::Asking(Wish::Act { verb, id, selector, name });
}

/// Asks whether the question of an incident is to have its yes, or its no.
pub fn answer(state: &mut State, yes: bool) {
    let Some((incident, question)) = state.asked() else {
        return say(state, "no incident asks for a yes".to_owned(), true);
    };
    let app = incident.app.to_string();
    state.mode = Mode::Asking(Wish::Answer { yes, question, app });
}

/// The answer to that was yes.
pub fn grant(state: &mut State, wish: Wish) -> Vec<Effect> {
    state.mode = Mode::Looking;
    let text = format!("{} …", wish.told());
    state.message = Some(Message { text, is_error: false, stands: None });
    vec![match wish {
        Wish::Act { verb, selector, .. } => Effect::Do(verb, selector),
        Wish::Answer { yes, question, .. } => Effect::Answer(yes, question),
    }]
}

/// Says something at the foot.
pub fn say(state: &mut State, text: String, is_error: bool) {
    state.message = Some(Message { text, is_error, stands: Some(MESSAGE_STANDS) });
}

/// Goes up (less than 0) or down in the list.
pub fn choose_by(state: &mut State, by: isize) {
    let ids: Vec<InstanceId> = state.listed().iter().map(|it| it.id).collect();
    let place = ids.iter().position(|id| Some(*id) == state.chosen).unwrap_or(0);
    let to = place.saturating_add_signed(by).min(ids.len().saturating_sub(1));
    state.chosen = ids.get(to).copied();
}

/// Goes up (less than 0) or down in the pane.
pub fn scroll(state: &mut State, by: isize) {
    let page = usize::from(areas(state).pane.height);
    if state.pane == Pane::Logs {
        return state.log.scroll(by, page);
    }
    let all = super::draw::pane_length(state);
    let at = state.scrolled.entry(state.pane).or_default();
    *at = at.saturating_add_signed(by).min(all.saturating_sub(page));
}

/// Shows another pane.
pub fn show(state: &mut State, pane: Pane) {
    state.pane = pane;
}

/// Makes true again what always holds of what is chosen, and shows its row.
fn settle(state: &mut State) {
    let ids: Vec<InstanceId> = state.listed().iter().map(|it| it.id).collect();
    if !ids.iter().any(|id| Some(*id) == state.chosen) {
        // What was chosen is gone, or does not pass the filter: the one in its place is next.
        state.chosen = ids.get(state.first_row).or(ids.last()).copied();
    }
    let gone = match &state.mode {
        Mode::Asking(Wish::Act { id, name, .. }) => {
            let is_there = state.view.instances.iter().any(|it| it.id == *id);
            (!is_there).then(|| format!("{name} is not in the list any more"))
        }
        Mode::Asking(Wish::Answer { question, .. }) => {
            let asks = |it: &Incident| it.question().as_ref() == Some(question);
            let is_asked = state.incidents.iter().any(asks);
            (!is_asked).then(|| format!("incident {} asks that no more", question.incident))
        }
        _ => None,
    };
    if let Some(text) = gone {
        state.mode = Mode::Looking;
        say(state, text, true);
    }
    let place = ids.iter().position(|id| Some(*id) == state.chosen).unwrap_or(0);
    let Areas { rows, .. } = areas(state);
    let shown = usize::from(rows.height).max(1);
    let last_first = ids.len().saturating_sub(shown);
    let least = place.saturating_sub(shown - 1);
    state.first_row = state.first_row.min(last_first).clamp(least, place.max(least));
}

/// The log that is followed is that of the instance that is chosen.
fn follow(state: &mut State) -> Option<Effect> {
    if state.log.of == state.chosen {
        return None;
    }
    let Some(chosen) = state.chosen else {
        state.log.begin(None);
        return None;
    };
    // The declaration of a new instance comes with one of the next looks.
    let files = Files::of(state.app()?);
    state.log.begin(Some(chosen));
    Some(Effect::Follow(chosen, files))
}

fn grow_old(message: &mut Option<Message>) {
    if let Some(Message { stands: Some(stands), .. }) = message {
        *stands = stands.saturating_sub(1);
        if *stands == 0 {
            *message = None;
        }
    }
}
