//! The screen as it is drawn, and what each event makes of it.

mod drawn;
mod events;

use std::time::Duration;

use jiff::tz::TimeZone;
use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{
    Event as Input, KeyCode, KeyEvent, KeyModifiers, MouseButton, MouseEvent, MouseEventKind,
};
use serde_json::json;
use zelador_api::Stage;
use zelador_api::unit::{ByteSize, Moment, Percent};

use super::draw::draw;
use super::follow::Stream;
use super::log::Line;
use super::state::{Host, Look, Looked, State};
use super::update::{Effect, Event, settled, update};
use crate::render::sample;

/// A look at the samples.
fn looked() -> Looked {
    let mut view = sample::view();
    let requests = json!({ "Requests": { "value": "12.5", "unit": "a\u{1b}[2J minute" } });
    view.instances[0].metrics = serde_json::from_value(requests).unwrap();
    Looked {
        view,
        apps: Some(vec![sample::app()]),
        incidents: Some(vec![sample::incident()]),
        host: Host {
            cpu: Some(Percent::of(1, 8)),
            load: [0.52, 0.4, 0.33],
            memory_total: ByteSize::mebibytes(16_384),
            memory_available: ByteSize::mebibytes(4_096),
        },
    }
}

/// The same with an app in maintenance, a check that is muted, and two groups; an open incident is muted.
fn set_aside() -> Looked {
    let mut looked = looked();
    let view = &mut looked.view;
    let rest = |how: &str, until: Option<Moment>, by: &str| {
        serde_json::from_value(json!({ "how": how, "until": until, "by": by })).unwrap()
    };
    let until = Some(view.at + Duration::from_mins(20));
    view.instances[0].set_aside = rest("maintenance", until, "uid 1000");
    view.health.checks[3].set_aside = rest("maintenance", until, "uid 1000");
    view.health.checks[0].set_aside = rest("muted", None, "dashboard");
    let group = |group: &str, status: &str, message: &str| json!({ "group": group, "status": status, "message": message, "instances": 2 });
    view.health.groups = serde_json::from_value(json!([
        group("default", "unhealthy", "typo: keeps failing: the process could not be started"),
        group("web", "healthy", "all of 2 well"),
    ]))
    .unwrap();
    let incident = &mut looked.incidents.as_mut().unwrap()[0];
    (incident.muted, incident.muted_by) = (true, Some("uid 1000".to_owned()));
    (incident.closed_at, incident.stage) = (None, Stage::Escalated);
    looked
}

/// A screen of some looks at the samples, with a log of the first instance.
fn screen(columns: u16, lines: u16) -> State {
    let look = Look { colours: true, zone: TimeZone::UTC };
    let mut state = State::new(looked(), (columns, lines), look);
    for second in 1..40_u32 {
        let mut looked = looked();
        looked.view.at = looked.view.at + Duration::from_secs(u64::from(second));
        for (place, instance) in looked.view.instances.iter_mut().enumerate() {
            if let Some(usage) = &mut instance.usage {
                usage.cpu = f64::from(second % 7) * (place + 1) as f64 * 4.0;
                usage.memory = ByteSize::mebibytes(u64::from(second) * 3);
            }
        }
        update(&mut state, Event::Looked(Box::new(looked)));
    }
    settled(&mut state);
    let line = |stream, text: &str| Line { stream, text: text.to_owned() };
    let lines = vec![
        line(Stream::Out, "listening on 3000"),
        line(Stream::Out, "\x1b[32mGET\x1b[0m /items\t200 \x1b[2J\x1b]0;owned\x07日本語"),
        line(
            Stream::Err,
            "pool exhausted: 10 of 10 connections are in use, 4 requests wait for \
                           one, and the first of them has waited for 3 seconds",
        ),
        line(Stream::Out, "GET /slow 200"),
    ];
    if let Some(of) = state.chosen {
        update(&mut state, Event::Lines(of, lines));
    }
    state
}

fn press(state: &mut State, code: KeyCode) -> Vec<Effect> {
    update(state, Event::Input(Input::Key(KeyEvent::from(code))))
}

fn type_in(state: &mut State, keys: &str) -> Vec<Effect> {
    keys.chars().flat_map(|key| press(state, KeyCode::Char(key))).collect()
}

fn with_control(state: &mut State, key: char) -> Vec<Effect> {
    let key = KeyEvent::new(KeyCode::Char(key), KeyModifiers::CONTROL);
    update(state, Event::Input(Input::Key(key)))
}

fn point(state: &mut State, kind: MouseEventKind, column: u16, row: u16) -> Vec<Effect> {
    let event = MouseEvent { kind, column, row, modifiers: KeyModifiers::NONE };
    update(state, Event::Input(Input::Mouse(event)))
}

fn click(state: &mut State, column: u16, row: u16) -> Vec<Effect> {
    point(state, MouseEventKind::Down(MouseButton::Left), column, row)
}

fn cells(state: &State) -> Buffer {
    let (columns, lines) = state.size;
    let mut terminal = Terminal::new(TestBackend::new(columns, lines)).unwrap();
    terminal.draw(|frame| draw(frame, state)).unwrap();
    terminal.backend().buffer().clone()
}

/// The screen as text, without the blanks at the ends of lines.
fn text(state: &State) -> String {
    let cells = cells(state);
    let mut text = String::new();
    for y in 0..cells.area.height {
        let (mut line, mut x) = (String::new(), 0);
        while x < cells.area.width {
            let symbol = cells[(x, y)].symbol();
            line.push_str(symbol);
            x += u16::try_from(unicode_width::UnicodeWidthStr::width(symbol)).unwrap().max(1);
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}
