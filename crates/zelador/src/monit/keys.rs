//! What each key means.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::layout::areas;
use super::state::{Mode, Pane, SORTS, State, Verb};
use super::update::{Effect, answer, ask, choose_by, grant, say, scroll, show};

/// Keys and what they do, as the help shows them.
pub const HELP: &[(&str, &str)] = &[
    ("↑ ↓  j k", "choose an app (scroll, when the pane is enlarged)"),
    ("g G  Home End", "the first, the last"),
    ("PgUp PgDn", "scroll what is below the list"),
    ("/", "show only what has this in name, namespace or status"),
    ("o  O", "another order; turn it round"),
    ("d l i c  Tab", "details, logs, incidents, checks; the next"),
    ("Enter  z", "enlarge the pane, and back"),
    ("r  R", "restart; reload: one replica after another"),
    ("s  S  x", "stop; start; delete (you are asked first)"),
    ("a  A", "approve or reject what an incident asks for"),
    ("Space  f", "logs: hold and go on; go to the latest line"),
    ("e  w", "logs: stdout, stderr or both; break or cut lines"),
    ("mouse", "click on an app or a title; the wheel scrolls"),
    ("Ctrl-L Ctrl-Z", "draw anew; give way to the shell"),
    ("q  Esc  Ctrl-C", "leave; Esc first takes back the last step"),
];

/// Takes in a key.
pub fn pressed(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    if key.modifiers.contains(KeyModifiers::CONTROL) {
        match key.code {
            KeyCode::Char('c') => return vec![Effect::Leave(0)],
            KeyCode::Char('l') => return vec![Effect::Redraw],
            KeyCode::Char('z') => return vec![Effect::Suspend],
            _ => {}
        }
    }
    if key.modifiers.contains(KeyModifiers::ALT) && key.code != KeyCode::Esc {
        // Escape and a key that came in one piece over a slow line: that is what was pressed.
        let mut effects = pressed(state, KeyEvent::from(KeyCode::Esc));
        if effects.is_empty() {
            effects = pressed(state, KeyEvent::new(key.code, key.modifiers - KeyModifiers::ALT));
        }
        return effects;
    }
    match state.mode.clone() {
        Mode::Help => {
            state.mode = Mode::Looking;
            Vec::new()
        }
        Mode::Asking(wish) => match key.code {
            KeyCode::Char('y' | 'Y') => grant(state, wish),
            KeyCode::Char('n' | 'N' | 'q') | KeyCode::Esc => {
                state.mode = Mode::Looking;
                say(state, format!("{} was not touched", wish.name()), false);
                Vec::new()
            }
            _ => Vec::new(),
        },
        Mode::Filtering(before) => {
            filtering(state, key, before);
            Vec::new()
        }
        Mode::Looking => looking(state, key),
    }
}

fn filtering(state: &mut State, key: KeyEvent, before: String) {
    let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Enter => state.mode = Mode::Looking,
        KeyCode::Esc => {
            state.filter = before;
            state.mode = Mode::Looking;
        }
        KeyCode::Backspace if state.filter.is_empty() => state.mode = Mode::Looking,
        KeyCode::Backspace => _ = state.filter.pop(),
        KeyCode::Char('u') if is_control => state.filter.clear(),
        KeyCode::Char(c) if !is_control && !c.is_control() => state.filter.push(c),
        KeyCode::Up => choose_by(state, -1),
        KeyCode::Down => choose_by(state, 1),
        _ => {}
    }
}

fn looking(state: &mut State, key: KeyEvent) -> Vec<Effect> {
    let page = isize::try_from(areas(state).pane.height).unwrap_or(1);
    let page = (page - 1).max(1);
    match key.code {
        KeyCode::Char('q') | KeyCode::F(10) => return vec![Effect::Leave(0)],
        KeyCode::Esc => return step_back(state),
        KeyCode::Char('?') | KeyCode::F(1) => state.mode = Mode::Help,
        KeyCode::Char('/') | KeyCode::F(4) => {
            state.zoomed = false;
            state.mode = Mode::Filtering(state.filter.clone());
        }
        KeyCode::Up | KeyCode::Char('k') => go(state, -1),
        KeyCode::Down | KeyCode::Char('j') => go(state, 1),
        KeyCode::Home | KeyCode::Char('g') => go(state, isize::MIN),
        KeyCode::End | KeyCode::Char('G') => go(state, isize::MAX),
        KeyCode::PageUp => scroll(state, -page),
        KeyCode::PageDown => scroll(state, page),
        KeyCode::Char('d') => show(state, Pane::Details),
        KeyCode::Char('l') => show(state, Pane::Logs),
        KeyCode::Char('i') => show(state, Pane::Incidents),
        KeyCode::Char('c') => show(state, Pane::Checks),
        KeyCode::Tab | KeyCode::Right => show(state, state.pane.further(1)),
        KeyCode::BackTab | KeyCode::Left => show(state, state.pane.further(Pane::ALL.len() - 1)),
        KeyCode::Enter | KeyCode::Char('z') => state.zoomed = !state.zoomed,
        KeyCode::Char('o') => state.sort = (state.sort + 1) % SORTS.len(),
        KeyCode::Char('O') => state.reversed = !state.reversed,
        KeyCode::Char('r') => ask(state, Verb::Restart),
        KeyCode::Char('R') => ask(state, Verb::Reload),
        KeyCode::Char('s') => ask(state, Verb::Stop),
        KeyCode::Char('S') => ask(state, Verb::Start),
        KeyCode::Char('x') | KeyCode::Delete => ask(state, Verb::Delete),
        KeyCode::Char('a') => answer(state, true),
        KeyCode::Char('A') => answer(state, false),
        _ if state.pane == Pane::Logs => of_logs(state, key.code),
        _ => {}
    }
    Vec::new()
}

fn of_logs(state: &mut State, key: KeyCode) {
    match key {
        KeyCode::Char(' ') => state.log.toggle_following(),
        KeyCode::Char('f') => state.log.follow(),
        KeyCode::Char('e') => state.log.shown = state.log.shown.next(),
        KeyCode::Char('w') => state.log.cut = !state.log.cut,
        _ => {}
    }
}

/// Up and down mean the list, unless the pane has the screen for itself.
fn go(state: &mut State, by: isize) {
    if state.zoomed { scroll(state, by) } else { choose_by(state, by) }
}

/// Takes back the last step; without any it is time to leave.
fn step_back(state: &mut State) -> Vec<Effect> {
    if state.zoomed {
        state.zoomed = false;
    } else if !state.filter.is_empty() {
        state.filter.clear();
    } else {
        return vec![Effect::Leave(0)];
    }
    Vec::new()
}
