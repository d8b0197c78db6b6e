//! What each event makes of the screen, and what must be done about it.

use std::path::PathBuf;

use ratatui::crossterm::event::KeyCode;
use zelador_api::id::{AppName, IncidentId, InstanceId};
use zelador_api::{AppView, Remedy, Stage};

use super::*;
use crate::monit::follow::Files;
use crate::monit::state::{Link, Mode, Pane, Verb};

fn id(number: u32) -> InstanceId {
    InstanceId::new(number)
}

fn named(of: u32, name: &str) -> AppView {
    let mut app = sample::app();
    app.instance.id = id(of);
    app.out_log = Some(PathBuf::from(format!("/logs/{name}-out.log")));
    app.err_log.clone_from(&app.out_log);
    app
}

#[test]
fn keys_have_their_effects() {
    let act = |verb| vec![Effect::Do(verb, "api/0".to_owned())];
    let table: [(&str, Vec<Effect>); 14] = [
        ("q", vec![Effect::Leave(0)]),
        ("?q", vec![]),
        ("?qq", vec![Effect::Leave(0)]),
        ("r", vec![]),
        ("rn", vec![]),
        ("rx", vec![]),
        ("ry", act(Verb::Restart)),
        ("Ry", act(Verb::Reload)),
        ("sy", act(Verb::Stop)),
        ("Sy", act(Verb::Start)),
        ("xy", act(Verb::Delete)),
        ("/q", vec![]),
        ("/ry", vec![]),
        ("yY", vec![]),
    ];
    for (keys, effects) in table {
        assert_eq!(type_in(&mut screen(80, 24), keys), effects, "{keys}");
    }
    assert_eq!(press(&mut screen(80, 24), KeyCode::Esc), [Effect::Leave(0)]);
    assert_eq!(press(&mut screen(80, 24), KeyCode::F(10)), [Effect::Leave(0)]);
    for (key, effect) in [('c', Effect::Leave(0)), ('l', Effect::Redraw), ('z', Effect::Suspend)] {
        let mut state = screen(80, 24);
        type_in(&mut state, "r");
        assert_eq!(with_control(&mut state, key), [effect], "also while a question is asked");
    }
}

#[test]
fn what_an_incident_asks_is_answered_with_a_key() {
    let mut looked = looked();
    let mut asks = sample::incident();
    asks.closed_at = None;
    asks.stage = Stage::AwaitingApproval { until: looked.view.at };
    asks.current = Some(Remedy::Restart);
    let mut other = asks.clone();
    (other.id, other.app) = (IncidentId::new(8), AppName::new("worker").unwrap());
    let answers = [&asks, &other].map(|it| it.question().unwrap());
    looked.incidents = Some(vec![other, asks]);
    let mut state = screen(80, 24);
    assert_eq!(type_in(&mut state, "ay"), [], "nothing is asked yet");
    update(&mut state, Event::Looked(Box::new(looked.clone())));
    let said = |yes, of: usize| [Effect::Answer(yes, answers[of].clone())];
    assert_eq!(type_in(&mut state, "ay"), said(true, 0), "that of the app that is chosen");
    assert_eq!(type_in(&mut state, "Ay"), said(false, 0));
    assert_eq!(type_in(&mut state, "an"), []);
    type_in(&mut state, "jjj");
    assert_eq!(type_in(&mut state, "ay"), said(true, 1), "else the latest");
    type_in(&mut state, "a");
    let shown = text(&state);
    assert!(shown.contains("approve restart for worker (incident 8)?"), "{shown}");
    // It asks for something else meanwhile.
    looked.incidents.as_mut().unwrap()[0].current = Some(Remedy::Reload);
    update(&mut state, Event::Looked(Box::new(looked)));
    assert_eq!(type_in(&mut state, "y"), []);
    assert!(text(&state).contains("incident 8 asks that no more"), "{}", text(&state));
}

#[test]
fn signals_and_the_end_of_the_terminal_are_the_end() {
    assert_eq!(update(&mut screen(80, 24), Event::Asked(15)), [Effect::Leave(143)]);
    assert_eq!(update(&mut screen(80, 24), Event::Gone), [Effect::Leave(1)]);
}

#[test]
fn escape_takes_back_one_step_at_a_time() {
    let mut state = screen(80, 24);
    type_in(&mut state, "/ap");
    press(&mut state, KeyCode::Enter);
    type_in(&mut state, "z/i");
    assert_eq!((state.zoomed, state.filter.as_str()), (false, "api"), "the list is seen again");
    assert_eq!(press(&mut state, KeyCode::Esc), []);
    assert_eq!((&state.mode, state.filter.as_str()), (&Mode::Looking, "ap"));
    type_in(&mut state, "z?");
    press(&mut state, KeyCode::Esc);
    assert!(state.zoomed, "only the help is gone");
    press(&mut state, KeyCode::Esc);
    assert!(!state.zoomed);
    assert_eq!(press(&mut state, KeyCode::Esc), []);
    assert_eq!(state.filter, "");
    assert_eq!(press(&mut state, KeyCode::Esc), [Effect::Leave(0)]);
}

#[test]
fn escape_and_a_key_in_one_piece_are_both_taken() {
    let mut state = screen(80, 24);
    type_in(&mut state, "z");
    let key = KeyEvent::new(KeyCode::Char('i'), KeyModifiers::ALT);
    assert_eq!(update(&mut state, Event::Input(Input::Key(key))), []);
    assert_eq!((state.zoomed, state.pane), (false, Pane::Incidents));
}

#[test]
fn what_is_chosen_stays_while_the_list_changes_around_it() {
    let mut state = screen(80, 24);
    type_in(&mut state, "jj");
    assert_eq!(state.chosen, Some(id(2)));
    let mut fewer = looked();
    fewer.view.instances.retain(|it| it.id != id(0));
    update(&mut state, Event::Looked(Box::new(fewer.clone())));
    assert_eq!(state.chosen, Some(id(2)));
    type_in(&mut state, "oo");
    assert_eq!(state.chosen, Some(id(2)), "another order is no other choice");
    fewer.view.instances.retain(|it| it.id != id(2));
    update(&mut state, Event::Looked(Box::new(fewer.clone())));
    assert!(state.chosen.is_some_and(|it| it != id(2)), "it is gone");
    fewer.view.instances.clear();
    update(&mut state, Event::Looked(Box::new(fewer)));
    assert_eq!(state.chosen, None);
    update(&mut state, Event::Looked(Box::new(looked())));
    assert!(state.chosen.is_some());
}

#[test]
fn the_list_is_ordered_and_turned_round() {
    let mut state = screen(80, 24);
    let listed =
        |state: &State| -> Vec<u32> { state.listed().iter().map(|it| it.id.number()).collect() };
    type_in(&mut state, "O");
    assert_eq!(listed(&state), [4, 3, 2, 1, 0]);
    type_in(&mut state, "Oo");
    assert_eq!(listed(&state), [0, 1, 4, 3, 2], "by name");
    type_in(&mut state, "o");
    assert_eq!(listed(&state)[..2], [1, 0], "by processor, the busiest first");
    press(&mut state, KeyCode::Home);
    assert_eq!(state.chosen, Some(id(1)));
    press(&mut state, KeyCode::End);
    assert_eq!(state.chosen, listed(&state).last().map(|it| id(*it)));
}

#[test]
fn a_short_list_is_scrolled_to_what_is_chosen() {
    let mut state = screen(80, 12);
    type_in(&mut state, "G");
    assert_eq!((state.chosen, state.first_row), (Some(id(4)), 1));
    type_in(&mut state, "kkk");
    assert_eq!((state.chosen, state.first_row), (Some(id(1)), 1));
    type_in(&mut state, "g");
    assert_eq!(state.first_row, 0);
}

#[test]
fn the_log_of_what_is_chosen_is_followed_once_its_files_are_known() {
    let mut state = screen(80, 24);
    assert_eq!(state.log.of, Some(id(0)));
    assert_eq!(type_in(&mut state, "j"), [], "its declaration has not come yet");
    let mut more = looked();
    more.apps = Some(vec![named(0, "api"), named(1, "api")]);
    let files = Files(vec![(Stream::Out, PathBuf::from("/logs/api-out.log"))]);
    let effects = update(&mut state, Event::Looked(Box::new(more)));
    assert_eq!(effects, [Effect::Follow(id(1), files)], "both streams are in one file");
    let line = |text: &str| vec![Line { stream: Stream::Out, text: text.to_owned() }];
    update(&mut state, Event::Lines(id(0), line("late")));
    update(&mut state, Event::Lines(id(1), line("mine")));
    let shown: Vec<&str> = state.log.upward().map(|line| line.text.as_str()).collect();
    assert_eq!(shown, ["mine"], "a line of another log is not taken in");
}

#[test]
fn a_question_about_what_is_gone_is_taken_back() {
    let mut state = screen(80, 24);
    type_in(&mut state, "x");
    let mut fewer = looked();
    fewer.view.instances.retain(|it| it.id != id(0));
    update(&mut state, Event::Looked(Box::new(fewer)));
    assert_eq!(state.mode, Mode::Looking);
    assert_eq!(type_in(&mut state, "y"), []);
    assert!(state.message.is_some_and(|it| it.is_error));
}

#[test]
fn a_message_stands_for_some_looks_and_one_of_work_until_it_is_done() {
    let mut state = screen(80, 24);
    type_in(&mut state, "ry");
    let look = || Event::Looked(Box::new(looked()));
    (0..100).for_each(|_| _ = update(&mut state, look()));
    assert_eq!(state.message.as_ref().map(|it| it.text.as_str()), Some("restart api/0 …"));
    update(&mut state, Event::Done(Err("the engine went away".to_owned())));
    assert!(state.message.as_ref().is_some_and(|it| it.is_error));
    (0..100).for_each(|_| _ = update(&mut state, look()));
    assert_eq!(state.message, None);
    update(&mut state, Event::Done(Ok("started".to_owned())));
    type_in(&mut state, "j");
    assert_eq!(state.message, None, "whoever goes on has read it");
}

#[test]
fn a_lost_engine_leaves_everything_as_it_was_seen() {
    let mut state = screen(80, 24);
    update(&mut state, Event::Lost("gone".to_owned()));
    assert_eq!(state.link, Link::Lost("gone".to_owned()));
    assert_eq!(state.view.instances.len(), 5);
    type_in(&mut state, "j");
    assert_eq!(state.chosen, Some(id(1)));
}

#[test]
fn panes_scroll_as_far_as_they_go() {
    let mut state = screen(80, 24);
    type_in(&mut state, "d");
    (0..50).for_each(|_| _ = press(&mut state, KeyCode::PageDown));
    let end = state.scrolled[&Pane::Details];
    assert!(end > 0);
    assert!(text(&state).contains("ecosystem.config.js"), "the last line is seen");
    press(&mut state, KeyCode::PageUp);
    assert!(state.scrolled[&Pane::Details] < end, "and the first step back is seen too");
    type_in(&mut state, "zg");
    assert_eq!(state.scrolled[&Pane::Details], 0, "enlarged, these keys are for the pane");
    assert_eq!(state.chosen, Some(id(0)));
}

#[test]
fn panes_follow_each_other() {
    let mut state = screen(80, 24);
    let mut seen = Vec::new();
    for _ in 0..4 {
        press(&mut state, KeyCode::Tab);
        seen.push(state.pane);
    }
    assert_eq!(seen, [Pane::Incidents, Pane::Checks, Pane::Details, Pane::Logs]);
    press(&mut state, KeyCode::BackTab);
    assert_eq!(state.pane, Pane::Details);
}

#[test]
fn the_mouse_chooses_and_scrolls() {
    let mut state = screen(80, 24);
    click(&mut state, 10, 4);
    assert_eq!(state.chosen, Some(id(2)), "the first row is below the header and the names");
    click(&mut state, 10, 0);
    assert_eq!(state.chosen, Some(id(2)));
    let row = u16::try_from(text(&state).lines().position(|it| it.contains(" details ")).unwrap());
    click(&mut state, 3, row.unwrap());
    assert_eq!(state.pane, Pane::Details);
    point(&mut state, MouseEventKind::ScrollDown, 10, 3);
    assert_eq!(state.chosen, Some(id(3)));
    point(&mut state, MouseEventKind::ScrollDown, 10, 20);
    assert_eq!(state.chosen, Some(id(3)));
    type_in(&mut state, "x");
    click(&mut state, 10, 2);
    assert!(matches!(state.mode, Mode::Asking(_)), "a question is answered by key");
    assert_eq!(state.chosen, Some(id(3)));
}

#[test]
fn logs_are_held_narrowed_and_cut() {
    let mut state = screen(80, 24);
    type_in(&mut state, " ");
    assert!(text(&state).contains("held"));
    let line = Line { stream: Stream::Err, text: "new".to_owned() };
    update(&mut state, Event::Lines(id(0), vec![line]));
    assert!(text(&state).contains("held, 1 below") && !text(&state).contains("┃ new"));
    type_in(&mut state, " e");
    assert!(text(&state).contains("stdout only") && !text(&state).contains("┃"));
    type_in(&mut state, "ew");
    let shown = text(&state);
    assert!(shown.contains("stderr only, lines cut") && !shown.contains("listening"), "{shown}");
    assert!(shown.contains("wait for one, and…"), "{shown}");
}
