//! The screen, on a real terminal.

use std::fs::File;
use std::io::Read;
use std::num::NonZero;
use std::os::fd::OwnedFd;
use std::process::{Child, ExitStatus, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::process::Signal;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Termios, Winsize, tcgetattr, tcsetwinsize};
use vt100::{MouseProtocolMode, Parser};
use zelador_testbed::home::{Zelador, kill, until};

use super::zelador;

/// What each drawing of the screen ends with.
const DRAWN: &[u8] = b"\x1b[?25l";

/// A terminal, and what runs on it.
pub struct Screen {
    master: File,
    slave: OwnedFd,
    before: Termios,
    pub shown: Parser,
    /// All that was written to it.
    pub written: Vec<u8>,
    child: Child,
}

impl Screen {
    /// Runs a verb on a terminal of 80 columns and 24 lines.
    pub fn of(zelador: &Zelador, args: &[&str]) -> Self {
        let master =
            openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = rustix::fs::open(name.as_c_str(), flags, Mode::empty()).unwrap();
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&slave, size).unwrap();
        rustix::io::ioctl_fionbio(&master, true).unwrap();
        let before = tcgetattr(&slave).unwrap();
        let end = || Stdio::from(slave.try_clone().unwrap());
        let mut command = zelador.command(args);
        command.env("TERM", "xterm-256color").env_remove("NO_COLOR");
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        let shown = Parser::new(NonZero::new(24).unwrap(), NonZero::new(80).unwrap(), 0);
        Self { master: master.into(), slave, before, shown, written: Vec::new(), child }
    }

    /// The text that it shows now.
    pub fn text(&mut self) -> String {
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = self.master.read(&mut bytes) {
            self.shown.process(&bytes[..read]);
            self.written.extend_from_slice(&bytes[..read]);
        }
        self.shown.screen().contents()
    }

    /// Waits until it shows this.
    pub fn until(&mut self, text: &str) {
        let mut last = String::new();
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            until(text, || {
                last = self.text();
                last.contains(text)
            });
        }));
        assert!(found.is_ok(), "waited for {text:?}; the screen is\n{last}");
    }

    pub fn press(&mut self, keys: &str) {
        rustix::io::write(&self.master, keys.as_bytes()).unwrap();
    }

    /// Takes no more than so many bytes of what is written, as a slow line does.
    pub fn take(&mut self, most: usize) {
        let mut bytes = vec![0; most];
        if let Ok(read) = self.master.read(&mut bytes) {
            self.shown.process(&bytes[..read]);
            self.written.extend_from_slice(&bytes[..read]);
        }
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(i32::try_from(self.child.id()).unwrap(), signal);
    }

    /// Whether the verb has come to its end.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// How often the screen was drawn: a drawing leaves no cursor.
    pub fn drawings(&self) -> usize {
        self.written.windows(DRAWN.len()).filter(|it| *it == DRAWN).count()
    }

    /// Waits for the end, and looks whether the terminal is as it was.
    pub fn end(&mut self) -> ExitStatus {
        let mut status = None;
        until("its end", || {
            self.text();
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        self.text();
        let screen = self.shown.screen();
        assert!(!screen.alternate_screen() && !screen.hide_cursor() && !screen.bracketed_paste());
        assert_eq!(screen.mouse_protocol_mode(), MouseProtocolMode::None);
        let (before, now) = (&self.before, tcgetattr(&self.slave).unwrap());
        assert_eq!(now.local_modes, before.local_modes, "echo, lines, signals");
        assert_eq!(now.input_modes, before.input_modes);
        assert_eq!(now.output_modes, before.output_modes);
        status.unwrap()
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // It has ended already, unless the test failed.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

const APP: &str =
    "console.log('listening \\x1b[2J\\x1b]0;owned\\x07here'); setInterval(() => {}, 1e6)";

#[test]
fn an_app_is_seen_and_restarted_on_the_screen() {
    let zelador = zelador();
    zelador.write("app.js", APP);
    zelador.start("{ name: 'api', script: 'app.js' }, { name: 'other', script: 'app.js' }");
    until("both are up", || zelador.pid("api") > 0 && zelador.pid("other") > 0);
    let (before, other) = (zelador.pid("api"), zelador.pid("other"));
    let mut screen = Screen::of(&zelador, &["monit"]);
    screen.until("listening here");
    let text = screen.text();
    assert!(text.contains("api") && text.contains("online") && text.contains("other"), "{text}");
    let written = String::from_utf8_lossy(&screen.written).into_owned();
    assert!(!written.contains("owned"), "the app has set the title");
    screen.press("r");
    screen.until("restart api (id 0)?");
    screen.press("n");
    screen.until("api was not touched");
    screen.press("r");
    screen.until("restart api (id 0)?");
    screen.press("y");
    until("another process", || ![0, before].contains(&zelador.pid("api")));
    screen.until(&format!("started (pid {})", zelador.pid("api")));
    assert_eq!(zelador.pid("other"), other, "it was not chosen");
    // Whatever else has written there is gone.
    screen.shown.process(b"\x1b[Hrubbish");
    screen.press("\x0cd");
    until("all of it anew", || !screen.text().contains("rubbish"));
    screen.until(&format!("pid {}", zelador.pid("api")));
    screen.press("/oth\r");
    screen.until("/oth  ? help");
    screen.until(&format!("pid {other}"));
    screen.press("\x1bq");
    assert_eq!(screen.end().code(), Some(0));
}

#[test]
fn a_lost_zelador_is_waited_for_and_a_signal_is_the_end() {
    let zelador = zelador();
    zelador.write("app.js", APP);
    zelador.start("{ name: 'api', script: 'app.js' }");
    let mut screen = Screen::of(&zelador, &["pm2", "imonit"]);
    screen.until("online");
    zelador.ok(&["kill"]);
    screen.until("disconnected, trying again: zelador is not running");
    zelador.ok(&["start", "ecosystem.config.js"]);
    until("it is back", || !screen.text().contains("disconnected"));
    screen.until("online");
    kill(i32::try_from(screen.child.id()).unwrap(), Signal::TERM);
    assert_eq!(screen.end().code(), Some(143));
}

#[test]
fn a_terminal_that_goes_away_is_the_end() {
    let zelador = zelador();
    zelador.write("app.js", APP);
    zelador.start("{ name: 'api', script: 'app.js' }");
    let mut screen = Screen::of(&zelador, &["monit"]);
    screen.until("online");
    let nothing = File::open("/dev/null").unwrap();
    screen.slave = nothing.try_clone().unwrap().into();
    screen.master = nothing;
    until("its end", || screen.child.try_wait().unwrap().is_some());
    assert_eq!(screen.child.wait().unwrap().code(), Some(1), "not by a panic");
}

#[test]
fn without_a_terminal_or_without_zelador_there_is_no_screen() {
    let zelador = zelador();
    for voice in [&["monit"][..], &["pm2", "monit"]] {
        let said = zelador.run(voice);
        assert_eq!((said.code, said.out.contains('\x1b')), (1, false), "{voice:?}");
        let all = said.out + &said.err;
        assert!(all.contains("no terminal") && all.contains(" list --watch`"), "{all}");
    }
    let mut screen = Screen::of(&zelador, &["monit"]);
    screen.until("zelador is not running");
    assert_eq!(screen.end().code(), Some(1));
}
