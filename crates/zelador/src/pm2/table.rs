//! `pm2 ls`: its columns, its boxes, and which columns go when the terminal is narrow.
//!
//! The widest of three layouts that fits is shown; stdout that is no terminal gets all columns, as
//! scripts expect. Columns have PM2's widths, and grow where what they hold is longer: a state is
//! never cut. Names are cut in the two narrow layouts.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};
use zelador_api::spec::ExecMode;
use zelador_api::unit::{ByteSize, Moment};
use zelador_api::{AppView, Phase};

use crate::render::jlist::{self, Versions};
use crate::render::terminal::{Colour, Terminal};
use crate::render::{text, words};

/// The longest name of the layout without a pid, in columns of the terminal: PM2's 20 less its
/// blanks.
const CONDENSED_NAME: usize = 18;
/// The longest name of the smallest layout.
const MINI_NAME: usize = 14;

/// One cell: what it says, and in which colour.
#[derive(Clone)]
pub struct Cell {
    text: String,
    colour: Option<Colour>,
}

impl Cell {
    /// Returns a cell of foreign text.
    pub fn new(text: &str) -> Self {
        Self { text: text::plain(text).into_owned(), colour: None }
    }

    /// Returns a cell of foreign text in a colour.
    pub fn coloured(text: &str, colour: Colour) -> Self {
        Self { colour: Some(colour), ..Self::new(text) }
    }

    fn cut(mut self, longest: usize) -> Self {
        if self.text.width() > longest {
            let mut used = 1;
            let fits = |c: &char| {
                used += c.width().unwrap_or(0);
                used <= longest
            };
            let mut short: String = self.text.chars().take_while(fits).collect();
            short.push('…');
            self.text = short;
        }
        self
    }
}

/// A table in PM2's boxes: a heading, if there is one, and rows; `least` are the widths between the
/// lines that columns have at least.
pub fn boxed(
    heading: Option<&[&str]>,
    rows: &[Vec<Cell>],
    least: &[usize],
    terminal: Terminal,
) -> String {
    let heading = heading.map(|names| {
        names.iter().map(|name| Cell::coloured(name, Colour::Cyan)).collect::<Vec<_>>()
    });
    let widths = widths(heading.as_deref(), rows, least);
    let line = |left: &str, cross: &str, right: &str| {
        let parts: Vec<String> = widths.iter().map(|width| "─".repeat(*width)).collect();
        format!("{left}{}{right}\n", parts.join(cross))
    };
    let row = |cells: &[Cell]| {
        let mut shown = String::new();
        for (cell, width) in cells.iter().zip(&widths) {
            let blanks = width.saturating_sub(cell.text.width() + 1);
            let text = match cell.colour {
                Some(colour) => terminal.paint(&cell.text, colour),
                None => cell.text.clone(),
            };
            shown.push_str(&format!("│ {text}{}", " ".repeat(blanks)));
        }
        format!("{shown}│\n")
    };
    let mut shown = line("┌", "┬", "┐");
    if let Some(heading) = &heading {
        shown.push_str(&row(heading));
        if !rows.is_empty() {
            shown.push_str(&line("├", "┼", "┤"));
        }
    }
    shown.extend(rows.iter().map(|cells| row(cells)));
    shown.push_str(&line("└", "┴", "┘"));
    shown
}

fn widths(heading: Option<&[Cell]>, rows: &[Vec<Cell>], least: &[usize]) -> Vec<usize> {
    let columns = heading.map_or(rows.first().map_or(0, Vec::len), <[Cell]>::len);
    let width = |column: usize| {
        let of_rows = rows.iter().filter_map(|row| row.get(column));
        let cells = heading.and_then(|cells| cells.get(column)).into_iter().chain(of_rows);
        let content = cells.map(|cell| cell.text.width() + 2).max().unwrap_or(0);
        content.max(least.get(column).copied().unwrap_or(0))
    };
    (0..columns).map(width).collect()
}

const FULL: &[&str] = &[
    "id",
    "name",
    "namespace",
    "version",
    "mode",
    "pid",
    "uptime",
    "↺",
    "status",
    "cpu",
    "mem",
    "user",
    "watching",
];
const CONDENSED: &[&str] = &["id", "name", "mode", "↺", "status", "cpu", "memory"];
const MINI: &[&str] = &["id", "name", "status", "cpu", "mem"];

/// The layouts, the widest first, each with the longest name that it shows whole.
const LAYOUTS: [(&[&str], usize); 3] =
    [(FULL, usize::MAX), (CONDENSED, CONDENSED_NAME), (MINI, MINI_NAME)];

/// PM2's widths, without that of the name.
fn least(column: &str, layout: &[&str], longest_name: usize) -> usize {
    match column {
        "id" => 4,
        // Of an empty list PM2 makes this as wide as nothing else explains.
        "name" if longest_name == 0 => 11,
        "name" if layout == FULL => (longest_name + 5).max(6),
        "name" => longest_name.max(4) + 2,
        "namespace" => 13,
        "version" => 9,
        "mode" if layout == FULL => 9,
        "uptime" => 8,
        "↺" => 6,
        "status" => 11,
        "cpu" if layout == MINI => 8,
        _ => 10,
    }
}

/// Returns the list; `columns`: how wide the terminal is, `None`: there is none.
pub fn list(apps: &[AppView], now: Moment, columns: Option<u16>, terminal: Terminal) -> String {
    let mut versions = Versions::default();
    let versions: Vec<String> = apps.iter().map(|app| versions.of_app(app)).collect();
    let mut shown = String::new();
    for (layout, longest_name) in LAYOUTS {
        let row = |(app, version): (&AppView, &String)| -> Vec<Cell> {
            let cell = |column: &&str| cell(app, column, version, longest_name, now);
            layout.iter().map(cell).collect()
        };
        let rows: Vec<Vec<Cell>> = apps.iter().zip(&versions).map(row).collect();
        let names = apps.iter().map(|app| text::plain(&app.instance.app).width());
        let name = names.max().unwrap_or(0).min(longest_name);
        let least: Vec<usize> = layout.iter().map(|column| least(column, layout, name)).collect();
        shown = boxed(Some(layout), &rows, &least, terminal);
        let width = shown.lines().next().map_or(0, UnicodeWidthStr::width);
        if columns.is_none_or(|columns| width <= usize::from(columns)) {
            break;
        }
    }
    shown
}

fn cell(app: &AppView, column: &str, version: &str, longest_name: usize, now: Moment) -> Cell {
    let AppView { instance: of, spec, .. } = app;
    let usage = of.usage.filter(|_| of.pid.is_some());
    match column {
        "id" => Cell::coloured(&of.id.to_string(), Colour::Cyan),
        "name" => Cell::new(&of.app).cut(longest_name),
        "namespace" => Cell::new(&spec.namespace),
        "version" => Cell::new(version),
        "mode" => match spec.mode {
            ExecMode::Fork => Cell::new("fork"),
            ExecMode::Cluster => Cell::new("cluster"),
        },
        "pid" => Cell::new(&of.pid.unwrap_or(0).to_string()),
        "uptime" => Cell::new(&uptime(app, now)),
        "↺" => Cell::new(&of.restarts.to_string()),
        "status" => Cell::coloured(&of.status, words::status_colour(&of.status)),
        "cpu" => Cell::new(&words::cpu(usage.map_or(0.0, |usage| usage.cpu))),
        "user" => Cell::new(&jlist::user(spec).unwrap_or_else(|| "N/A".to_owned())),
        "watching" if spec.watch.on => Cell::coloured("enabled", Colour::Green),
        "watching" => Cell::coloured("disabled", Colour::Grey),
        _ => Cell::new(&size(usage.map_or(ByteSize::default(), |usage| usage.memory))),
    }
}

/// How long it has been up; `0` when it is not.
pub fn uptime(app: &AppView, now: Moment) -> String {
    match app.instance.phase {
        Phase::Running { since, .. } => words::uptime(now.since(since)),
        _ => "0".to_owned(),
    }
}

/// An amount of memory as PM2 writes it: `52.4mb`.
fn size(memory: ByteSize) -> String {
    const UNITS: [&str; 4] = ["kb", "mb", "gb", "tb"];
    if memory.bytes() < 1024 {
        return format!("{}b", memory.bytes());
    }
    let mut value = memory.bytes() as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1}{}", UNITS[unit])
}

/// Returns the list as blocks of `key : value`.
pub fn blocks(apps: &[AppView], now: Moment) -> String {
    let (mut shown, mut versions) = (String::new(), Versions::default());
    for app in apps {
        let AppView { instance: of, spec, .. } = app;
        let usage = of.usage.filter(|_| of.pid.is_some()).unwrap_or_default();
        let rows = [
            ("namespace", spec.namespace.clone()),
            ("version", versions.of_app(app)),
            ("pid", of.pid.unwrap_or(0).to_string()),
            ("pm2 id", of.id.to_string()),
            ("status", of.status.clone()),
            ("mode", if spec.mode == ExecMode::Cluster { "cluster" } else { "fork" }.to_owned()),
            ("restarted", of.restarts.to_string()),
            ("uptime", uptime(app, now)),
            ("memory usage", size(usage.memory)),
            ("error log", jlist::log(app.err_log.as_deref()).display().to_string()),
            ("watching", if spec.watch.on { "yes" } else { "no" }.to_owned()),
            ("PID file", app.pid_file.display().to_string()),
        ];
        shown.push_str(&format!("+--- {}\n", text::plain(&of.app)));
        for (key, value) in rows {
            shown.push_str(&format!("{key} : {}\n", text::plain(&value)));
        }
        shown.push('\n');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::render::sample;

    const PLAIN: Terminal = Terminal { width: 80, colours: false };

    fn apps() -> Vec<AppView> {
        let mut first = sample::app();
        first.instance.app = "api".to_owned();
        let view = sample::view();
        let more = view.instances.into_iter().skip(1).map(|instance| {
            let mut app = sample::app();
            app.instance = instance;
            app.spec.namespace = "default".to_owned();
            app.spec.watch.on = true;
            app
        });
        let mut apps: Vec<AppView> = std::iter::once(first).chain(more).collect();
        apps[1].spec.mode = ExecMode::Cluster;
        apps[2].instance.app = "a-worker-with-a-rather-long-name".to_owned();
        apps
    }

    fn shown(columns: Option<u16>) -> String {
        list(&apps(), Moment::from_micros(sample::NOW), columns, PLAIN)
    }

    #[test]
    fn the_list_looks_as_pm2s() {
        let all = [None, Some(100), Some(60)].map(shown);
        insta::assert_snapshot!(all.join("\n"));
    }

    #[test]
    fn the_widest_layout_that_fits_is_shown() {
        let width = |columns| shown(columns).lines().map(UnicodeWidthStr::width).max().unwrap_or(0);
        let full = width(None);
        assert_eq!(width(u16::try_from(full).ok()), full);
        for columns in [full - 1, 100, 90, 80] {
            let used = width(u16::try_from(columns).ok());
            assert!(used <= columns, "{used} of {columns}");
        }
    }

    #[test]
    fn an_empty_list_is_its_heading() {
        insta::assert_snapshot!(list(&[], Moment::from_micros(0), None, PLAIN));
    }

    #[test]
    fn blocks_have_pm2s_keys() {
        insta::assert_snapshot!(blocks(&apps()[..1], Moment::from_micros(sample::NOW)));
    }

    #[test]
    fn what_is_cut_ends_with_dots_and_foreign_text_is_harmless() {
        assert_eq!(Cell::new("longer-name-than-usual").cut(18).text, "longer-name-than-…");
        assert_eq!(Cell::new("中文中文中文").cut(6).text, "中文…");
        assert_eq!(Cell::new("\x1b[2Jx").text, "x");
    }
}
