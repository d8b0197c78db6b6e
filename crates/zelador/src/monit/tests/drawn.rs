//! The screen as it is drawn.

use ratatui::crossterm::event::KeyCode;
use ratatui::style::{Color, Modifier};

use super::*;
use crate::monit::state::Pane;

#[test]
fn a_terminal_of_80_by_24_shows_the_list_and_a_pane() {
    let mut state = screen(80, 24);
    insta::assert_snapshot!("logs_80x24", text(&state));
    type_in(&mut state, "d");
    insta::assert_snapshot!("details_80x24", text(&state));
    type_in(&mut state, "i");
    insta::assert_snapshot!("incidents_80x24", text(&state));
    type_in(&mut state, "c");
    insta::assert_snapshot!("checks_80x24", text(&state));
}

#[test]
fn a_wide_terminal_shows_the_details_beside_the_pane() {
    let mut state = screen(120, 40);
    insta::assert_snapshot!("logs_120x40", text(&state));
    type_in(&mut state, "dz");
    insta::assert_snapshot!("details_enlarged_120x40", text(&state));
    let mut state = screen(160, 30);
    type_in(&mut state, "i");
    insta::assert_snapshot!("incidents_160x30", text(&state));
}

#[test]
fn a_small_terminal_shows_less() {
    insta::assert_snapshot!("logs_50x15", text(&screen(50, 15)));
    insta::assert_snapshot!("list_30x8", text(&screen(30, 8)));
}

#[test]
fn what_is_set_aside_is_shown_with_its_end_and_who_wanted_it_and_groups_with_their_reason() {
    let mut state = screen(80, 24);
    update(&mut state, Event::Looked(Box::new(set_aside())));
    settled(&mut state);
    type_in(&mut state, "c");
    insta::assert_snapshot!("set_aside_checks_80x24", text(&state));
    type_in(&mut state, "d");
    insta::assert_snapshot!("set_aside_details_80x24", text(&state));
    type_in(&mut state, "i");
    assert!(text(&state).contains("muted by uid 1000"), "{}", text(&state));
    let mut looked = set_aside();
    let whole = looked.view.instances[0].set_aside.clone();
    looked.view.instances.iter_mut().for_each(|it| it.set_aside = whole.clone());
    looked.view.health.set_aside = whole;
    update(&mut state, Event::Looked(Box::new(looked)));
    let shown = text(&state);
    let first = shown.lines().next().unwrap();
    assert!(first.contains("in maintenance for another 20 min, by uid 1000"), "{first}");
}

#[test]
fn an_empty_list_has_a_hint() {
    let mut empty = looked();
    empty.view.instances.clear();
    empty.incidents = Some(Vec::new());
    let look = Look { colours: true, zone: TimeZone::UTC };
    let mut state = State::new(empty, (80, 12), look);
    settled(&mut state);
    insta::assert_snapshot!("empty", text(&state));
    type_in(&mut state, "r");
    assert!(text(&state).contains("✗ there is no app to act on"));
}

#[test]
fn a_lost_engine_is_told_and_its_list_is_dimmed() {
    let mut state = screen(80, 15);
    update(&mut state, Event::Lost("zelador is not running".to_owned()));
    insta::assert_snapshot!("disconnected", text(&state));
    assert!(cells(&state)[(4, 2)].modifier.contains(Modifier::DIM));
    update(&mut state, Event::Looked(Box::new(looked())));
    assert!(!text(&state).contains("disconnected"), "it is back");
}

#[test]
fn the_help_and_a_question_stand_over_the_screen() {
    let mut state = screen(80, 24);
    type_in(&mut state, "?");
    insta::assert_snapshot!("help", text(&state));
    type_in(&mut state, "?x");
    insta::assert_snapshot!("question", text(&state));
}

#[test]
fn the_filter_is_shown_while_it_is_written_and_after() {
    let mut state = screen(80, 15);
    type_in(&mut state, "/API");
    insta::assert_snapshot!("filter", text(&state));
    press(&mut state, KeyCode::Enter);
    assert!(text(&state).lines().last().unwrap().starts_with("/API  ? help"));
    type_in(&mut state, "/x");
    assert!(text(&state).contains("nothing has “APIx” in name, namespace or status"));
}

#[test]
fn nothing_of_an_app_is_obeyed() {
    let mut state = screen(100, 30);
    for pane in Pane::ALL {
        state.pane = pane;
        let shown = text(&state);
        let control = shown.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(control, None, "{pane:?}\n{shown}");
        assert!(!shown.contains("owned") || pane == Pane::Checks, "{shown}");
    }
}

#[test]
fn colours_are_the_sixteen_of_every_terminal_or_none() {
    let mut state = screen(120, 30);
    let colours = |state: &State| {
        let cells = cells(state);
        let all = cells.content.iter().flat_map(|cell| [cell.fg, cell.bg]);
        all.filter(|colour| *colour != Color::Reset).collect::<Vec<Color>>()
    };
    assert!(!colours(&state).is_empty());
    let is_common = |it: &Color| !matches!(it, Color::Rgb(..) | Color::Indexed(16..));
    assert!(colours(&state).iter().all(is_common));
    assert!(cells(&state)[(5, 2)].modifier.contains(Modifier::REVERSED), "the chosen one");
    state.look.colours = false;
    for pane in Pane::ALL {
        state.pane = pane;
        assert_eq!(colours(&state), [], "{pane:?}");
    }
}

#[test]
fn every_size_is_drawn() {
    let mut state = screen(80, 24);
    for (columns, lines) in (0..20).flat_map(|x| (0..9).map(move |y| (x * 8, y * 3))) {
        update(&mut state, Event::Input(Input::Resize(columns, lines)));
        for key in ["d", "l", "i", "c", "z", "z", "?", "x", "rn", "/", "\x08"] {
            type_in(&mut state, key);
            text(&state);
        }
        press(&mut state, KeyCode::Esc);
    }
}

#[test]
fn a_terminal_that_has_shrunk_unheard_is_drawn_too() {
    let mut state = screen(120, 40);
    let mut terminal = Terminal::new(TestBackend::new(60, 12)).unwrap();
    for pane in Pane::ALL {
        state.pane = pane;
        terminal.draw(|frame| draw(frame, &state)).unwrap();
    }
}
