//! A real browser, driven over its debugging protocol: Chromium without a window.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;
use tungstenite::stream::MaybeTlsStream;
use tungstenite::{Message, WebSocket};

use crate::home::{LIMIT, text, until};

/// Collects what a page does against its own policy, and what it throws.
const WITNESS: &str = "window.__wrong = []; \
    addEventListener('securitypolicyviolation', (e) => __wrong.push(`policy: ${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber}`)); \
    addEventListener('error', (e) => __wrong.push(`error: ${e.message || (e.target && (e.target.src || e.target.href))}`), true); \
    addEventListener('unhandledrejection', (e) => __wrong.push(`rejection: ${e.reason}`));";

/// A browser with one page. Ended when dropped.
pub struct Browser {
    child: Child,
    socket: WebSocket<MaybeTlsStream<TcpStream>>,
    next: u64,
    _profile: TempDir,
}

impl Browser {
    /// Starts one; `None`: there is no Chromium here (`./test` installs it).
    pub fn start() -> Option<Self> {
        let program = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"]
            .iter()
            .map(Path::new)
            .find(|path| path.exists())?;
        let profile = TempDir::new().expect("a temporary folder can be made");
        let child = Command::new(program)
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
                "--disable-dev-shm-usage",
                "--remote-debugging-port=0",
                "about:blank",
            ])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Chromium can be started");
        let told = profile.path().join("DevToolsActivePort");
        until("the browser's debugging port", || text(&told).lines().count() >= 2);
        let port: u16 = text(&told).lines().next().and_then(|it| it.parse().ok()).expect("a port");
        let mut page = String::new();
        until("the browser's page", || {
            let list = get(port, "/json/list").unwrap_or_default();
            let list: Value = serde_json::from_str(&list).unwrap_or_default();
            let found = list.as_array().into_iter().flatten().find(|it| it["type"] == "page");
            found
                .and_then(|it| it["webSocketDebuggerUrl"].as_str())
                .inspect(|url| (*url).clone_into(&mut page))
                .is_some()
        });
        let (socket, _) = tungstenite::connect(&page).expect("the browser takes the connection");
        if let MaybeTlsStream::Plain(stream) = socket.get_ref() {
            stream.set_read_timeout(Some(LIMIT)).expect("a span");
        }
        let mut browser = Self { child, socket, next: 0, _profile: profile };
        browser.call("Page.enable", &json!({}));
        browser.call("Runtime.enable", &json!({}));
        browser.call("Network.enable", &json!({}));
        browser.call("Page.addScriptToEvaluateOnNewDocument", &json!({ "source": WITNESS }));
        Some(browser)
    }

    /// Calls a method of the protocol.
    ///
    /// # Panics
    /// The browser says no, or nothing.
    pub fn call(&mut self, method: &str, params: &Value) -> Value {
        self.next += 1;
        let id = self.next;
        let message = json!({ "id": id, "method": method, "params": params });
        self.socket.send(Message::text(message.to_string())).expect("the browser lives");
        let end = Instant::now() + LIMIT * 2;
        loop {
            assert!(Instant::now() < end, "no answer to {method}");
            let answer = self.socket.read().expect("the browser answers");
            let Ok(text) = answer.to_text() else { continue };
            let answer: Value = serde_json::from_str(text).unwrap_or_default();
            if answer["id"] == id {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].clone();
            }
        }
    }

    /// Opens an address, and waits until it is loaded.
    pub fn open(&mut self, url: &str) {
        self.call("Page.navigate", &json!({ "url": url }));
        self.until(
            &format!("{url} to be loaded"),
            "location.href !== 'about:blank' && document.readyState === 'complete'",
        );
    }

    /// What an expression is; a promise is waited for.
    ///
    /// # Panics
    /// It throws.
    pub fn eval(&mut self, expression: &str) -> Value {
        let params = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true });
        let answer = self.call("Runtime.evaluate", &params);
        assert!(
            answer["exceptionDetails"].is_null(),
            "{}: {}",
            &expression[..expression.len().min(200)],
            answer["exceptionDetails"]
        );
        answer["result"]["value"].clone()
    }

    /// Waits until an expression is true.
    ///
    /// # Panics
    /// It does not become so.
    pub fn until(&mut self, what: &str, expression: &str) {
        let end = Instant::now() + LIMIT * 2;
        loop {
            let params = json!({ "expression": expression, "returnByValue": true });
            let answer = self.call("Runtime.evaluate", &params);
            if answer["result"]["value"] == true {
                return;
            }
            if Instant::now() >= end {
                let shown =
                    self.eval("location.href + ' ' + document.body.innerText.slice(0, 1500)");
                panic!("waited for {what}; shown: {shown}; {}", answer["exceptionDetails"]);
            }
            std::thread::park_timeout(Duration::from_millis(50));
        }
    }

    /// Presses a key: `Tab`, `Enter`, `Escape`, or one character.
    pub fn key(&mut self, key: &str) {
        let (code, number, typed) = match key {
            "Tab" => ("Tab", 9, ""),
            "Enter" => ("Enter", 13, "\r"),
            "Escape" => ("Escape", 27, ""),
            other => (other, 0, other),
        };
        for kind in ["keyDown", "keyUp"] {
            let text = if kind == "keyDown" { typed } else { "" };
            let params = json!({ "type": kind, "key": key, "code": code, "windowsVirtualKeyCode": number, "text": text });
            self.call("Input.dispatchKeyEvent", &params);
        }
    }

    /// Types a text where the focus is.
    pub fn type_text(&mut self, text: &str) {
        self.call("Input.insertText", &json!({ "text": text }));
    }

    /// The language, the scheme and the size from now on.
    pub fn look_as(&mut self, language: &str, dark: bool, width: u32, height: u32) {
        self.call(
            "Network.setExtraHTTPHeaders",
            &json!({ "headers": { "Accept-Language": language } }),
        );
        let scheme = if dark { "dark" } else { "light" };
        self.call(
            "Emulation.setEmulatedMedia",
            &json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] }),
        );
        let phone = width < 700;
        let params =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone });
        self.call("Emulation.setDeviceMetricsOverride", &params);
    }

    /// Writes a picture of the page.
    pub fn picture(&mut self, path: &Path) {
        let height = self.eval("Math.min(document.documentElement.scrollHeight, 4000)");
        let width = self.eval("innerWidth");
        let clip = json!({ "x": 0, "y": 0, "width": width, "height": height, "scale": 1 });
        let shot = self.call(
            "Page.captureScreenshot",
            &json!({ "format": "png", "clip": clip, "captureBeyondViewport": true }),
        );
        let bytes = base64::Engine::decode(
            &base64::engine::general_purpose::STANDARD,
            shot["data"].as_str().unwrap_or_default(),
        );
        fs::write(path, bytes.expect("base64")).expect("the folder is ours");
    }

    /// What the page did against its policy, or threw.
    pub fn wrongs(&mut self) -> Vec<String> {
        serde_json::from_value(self.eval("window.__wrong || []")).unwrap_or_default()
    }
}

/// The body of an answer whose connection stays open.
fn get(port: u16, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    stream.set_read_timeout(Some(LIMIT)).ok()?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost:{port}\r\n\r\n").ok()?;
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let lower = line.trim().to_ascii_lowercase();
        if let Some(count) = lower.strip_prefix("content-length:") {
            length = count.trim().parse().ok()?;
        }
        if lower.is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    String::from_utf8(body).ok()
}

impl Drop for Browser {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
