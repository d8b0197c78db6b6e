//! Memory that leaks is foretold on the page of its app, in a real browser.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;
use zelador_testbed::home::until_within;

use crate::dashboard::{address, browser};
use crate::zelador;

/// Keeps a megabyte more each quarter of a second.
const LEAKS: &str = "
const kept = [];
setInterval(() => kept.push(Buffer.alloc(1 << 20, kept.length)), 250);
";

/// In how many rows of the chart of memory, below the limit and its label, something is drawn in their colour: the
/// dotted line that climbs to the limit.
const ROWS: &str = "(() => {
  const canvas = document.querySelector('.chart canvas'), context = canvas.getContext('2d');
  const { width, height } = canvas, { data } = context.getImageData(0, 0, width, height);
  context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue('--warn');
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(context.fillStyle.slice(at, at + 2), 16));
  const rows = new Set();
  for (let at = 0; at < data.length; at += 4) {
    const near = Math.abs(data[at] - r) + Math.abs(data[at + 1] - g) + Math.abs(data[at + 2] - b) < 24;
    if (near && data[at + 3] > 200) rows.add(Math.floor(at / 4 / width));
  }
  const top = Math.min(...rows);
  return [...rows].filter((row) => row > top + 24).length;
})()";

#[test]
fn memory_that_leaks_is_drawn_on_to_its_limit() {
    let zelador = zelador();
    zelador.write("leaks.js", LEAKS);
    zelador.write("steady.js", "setInterval(() => {}, 1000)");
    zelador.start(
        "{ name: 'leaks', script: 'leaks.js', max_memory_restart: '1200M' },
         { name: 'steady', script: 'steady.js', max_memory_restart: '1200M' }",
    );
    let foretold = |app: &str| {
        // The last hour, as on the page.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let (from, limit) = (now - 3600, 1200_u64 << 20);
        let query = format!("of=app:{app}&metrics=memory&from={from}&limit={limit}");
        let (_, body) = zelador.get(&format!("/health/chart?{query}"));
        let answer: Value = serde_json::from_str(&body).unwrap_or_default();
        answer["lines"][0]["forecast"]["reached_in"].as_f64()
    };
    // A dozen samples, one every 10 s, are needed before anything is foretold.
    until_within("a forecast", Duration::from_secs(200), || foretold("leaks").is_some());
    assert_eq!(foretold("steady"), None, "what does not grow comes to no limit");
    let mut browser = browser();
    browser.look_as("pt-BR,pt;q=0.9", false, 1280, 900);
    for (app, is_foretold) in [("steady", false), ("leaks", true)] {
        browser.open(&address(&zelador, &format!("/health/app/{app}")));
        browser.until("the charts", "document.querySelectorAll('.chart canvas').length >= 3");
        if let Some(folder) = std::env::var_os("ZELADOR_PICTURES").map(PathBuf::from) {
            browser.picture(&folder.join(format!("forecast-{app}.png")));
        }
        let seconds = browser.eval("document.querySelector('.plot').dataset.foretold");
        let seconds: Option<f64> = seconds.as_str().and_then(|text| text.parse().ok());
        assert_eq!(seconds.is_some(), is_foretold, "{app}");
        let rows = browser.eval(ROWS).as_u64().unwrap();
        assert_eq!(rows > 8, is_foretold, "{app}: {rows} rows");
        let head = browser.eval("document.querySelector('.chart').textContent");
        let head = head.as_str().unwrap();
        assert_eq!(head.contains("no limite em cerca de"), is_foretold, "{app}: {head}");
    }
    assert_eq!(browser.wrongs(), Vec::<String>::new());
}
