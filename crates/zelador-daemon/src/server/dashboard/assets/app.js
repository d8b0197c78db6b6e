'use strict';
// Keeps a page up to date, and carries out what is clicked. No state is kept here that the server does not know.
(() => {
  const $ = (selector, of = document) => of.querySelector(selector);
  const $$ = (selector, of = document) => [...of.querySelectorAll(selector)];
  // The page's language as the viewer writes it: months come first in some countries of it only.
  const lang = navigator.languages.find((it) => it.slice(0, 2) === document.documentElement.lang.slice(0, 2)) || document.documentElement.lang;

  // Times, in the viewer's zone and language.
  const clockwork = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }, date = { year: 'numeric', month: '2-digit', day: '2-digit' };
  const at = new Intl.DateTimeFormat(lang, { ...date, ...clockwork, second: '2-digit' });
  const fine = new Intl.DateTimeFormat(lang, { ...clockwork, second: '2-digit', fractionalSecondDigits: 3 });
  const relative = new Intl.RelativeTimeFormat(lang, { numeric: 'auto' });
  const units = [['day', 86400], ['hour', 3600], ['minute', 60], ['second', 1]];
  const ago = (seconds) => {
    const [unit, size] = units.find(([, size]) => Math.abs(seconds) >= size) || units[3];
    return relative.format(Math.trunc(seconds / size), unit);
  };
  const span = (seconds) => {
    const s = Math.max(0, Math.floor(seconds)), two = (a, u, b, v) => b ? `${a} ${u} ${b} ${v}` : `${a} ${u}`;
    if (s < 60) return `${s} s`;
    if (s < 3600) return two(Math.floor(s / 60), 'min', 0, '');
    if (s < 86400) return two(Math.floor(s / 3600), 'h', Math.floor(s % 3600 / 60), 'min');
    return two(Math.floor(s / 86400), 'd', Math.floor(s % 86400 / 3600), 'h');
  };
  const day = new Intl.DateTimeFormat(lang, date);
  const minute = new Intl.DateTimeFormat(lang, clockwork);
  const clock = (when, now) => [day.format(when)].filter((it) => it !== day.format(new Date(now * 1000))).concat(minute.format(when)).join(' ');
  // The engine's clock may differ from the viewer's.
  let ahead = 0;
  const set = (element, text) => { if (element.textContent !== text) element.textContent = text; };
  const times = (of = document) => {
    const now = Date.now() / 1000 + ahead;
    for (const it of $$('time', of)) {
      if (it.parentElement?.closest('time')) continue;
      const when = new Date(it.dateTime), seconds = when / 1000 - now;
      if (it.matches('.since')) set(it, span(-seconds));
      else if (it.matches('.ago')) set(it, ago(seconds));
      else if (it.matches('.fine')) set(it, fine.format(when));
      else if (it.matches('.clock')) set(it, `${clock(when, now)} (${ago(seconds)})`);
      else set(it, at.format(when));
      if (!it.title) it.title = at.format(when);
    }
  };

  const said = $('#said');
  let quiet;
  const say = (text) => {
    said.textContent = text;
    clearTimeout(quiet);
    quiet = setTimeout(() => { said.textContent = ''; }, 6000);
  };

  // The list of apps: search, filter and sort, as the address says.
  const rows = $('#rows');
  const asked = new URLSearchParams(location.search);
  const wish = { text: asked.get('q') || '', filter: asked.get('f') || '', key: asked.get('s') || '', down: asked.get('d') === '1' };
  const valueOf = (row, key) => {
    if (key === 'name') return row.dataset.name.toLowerCase();
    if (key === 'up') { const it = $('.c-up time.since', row); return it ? -new Date(it.dateTime) : -1; }
    const it = $(`.c-${key} data`, row);
    return it ? Number(it.value) : -1;
  };
  const arrange = () => {
    if (!rows) return;
    const all = [...rows.children], text = wish.text.trim().toLowerCase();
    let shown = 0;
    for (const row of all) {
      const state = $('.c-state data', row)?.dataset.class || '';
      const fits = (!text || row.textContent.toLowerCase().includes(text))
        && (!wish.filter || (wish.filter === 'bad' ? ['bad', 'warn'].includes(state) : state === wish.filter));
      if (row.hidden === fits) row.hidden = !fits;
      shown += fits;
    }
    if (wish.key) {
      const sorted = all.map((row, index) => [valueOf(row, wish.key), index, row]);
      sorted.sort((a, b) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0) * (wish.down ? -1 : 1) || a[1] - b[1]);
      if (sorted.some(([, index], place) => index !== place)) {
        const focused = document.activeElement;
        rows.append(...sorted.map(([, , row]) => row));
        if (rows.contains(focused)) focused.focus({ preventScroll: true });
      }
    }
    for (const button of $$('.sort')) {
      const on = button.dataset.key === wish.key;
      button.closest('th').setAttribute('aria-sort', on ? (wish.down ? 'descending' : 'ascending') : 'none');
    }
    for (const chip of $$('[data-filter]')) chip.setAttribute('aria-pressed', String(chip.dataset.filter === wish.filter));
    const count = $('#shown');
    const noun = all.length === 1 ? count.dataset.one : count.dataset.many;
    set(count, all.length ? `${shown === all.length ? '' : `${shown} ${count.dataset.of} `}${all.length} ${noun}` : '');
    $('#nothing').hidden = shown > 0 || all.length === 0;
    $('.scroll').hidden = all.length === 0;
  };
  const remember = () => {
    const to = new URLSearchParams();
    if (wish.text) to.set('q', wish.text);
    if (wish.filter) to.set('f', wish.filter);
    if (wish.key) { to.set('s', wish.key); if (wish.down) to.set('d', '1'); }
    history.replaceState(null, '', to.size ? `?${to}` : location.pathname);
    arrange();
    sift();
  };
  // Of other lists only what has this in it.
  const sift = () => {
    if (!$('#sift')) return;
    const all = $$('#list tbody tr, #list .incidents li'), text = wish.text.trim().toLowerCase();
    for (const it of all) it.hidden = !it.textContent.toLowerCase().includes(text);
    $('#sifted').hidden = !all.length || all.some((it) => !it.hidden);
  };
  const find = $('#find') || $('#sift');
  if (find) {
    const look = (text) => { wish.text = text; remember(); };
    find.value = wish.text;
    find.addEventListener('input', () => look(find.value));
    find.addEventListener('keydown', (event) => { if (event.key === 'Escape') { find.value = ''; look(''); find.blur(); } });
    addEventListener('keydown', (event) => {
      if (event.key === '/' && !event.ctrlKey && !event.metaKey && !/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) { event.preventDefault(); find.focus(); }
    });
  }
  if (rows) {
    for (const button of $$('.sort')) button.addEventListener('click', () => {
      const numeric = !['name', 'state'].includes(button.dataset.key);
      if (wish.key !== button.dataset.key) { wish.key = button.dataset.key; wish.down = numeric; }
      else if (wish.down === numeric) wish.down = !numeric;
      else { wish.key = ''; wish.down = false; location.search ? remember() : arrange(); return; }
      remember();
    });
    for (const chip of $$('[data-filter]')) chip.addEventListener('click', () => { wish.filter = chip.dataset.filter; remember(); });
  }

  // What a day was like, where the pointer is on a bar of days.
  const tip = document.createElement('div');
  tip.className = 'tip';
  tip.hidden = true;
  document.body.append(tip);
  const monthday = new Intl.DateTimeFormat(lang, { day: 'numeric', month: 'short', timeZone: 'UTC' });
  const tell = (event) => {
    const bar = event.target.closest?.('.days');
    tip.hidden = !bar;
    if (!bar) return;
    const box = bar.getBoundingClientRect(), days = bar.viewBox.baseVal.width / 2;
    const back = days - 1 - Math.min(days - 1, Math.max(0, Math.floor((event.clientX - box.left) / box.width * days)));
    const known = bar.dataset.up.split(','), up = known[known.length - 1 - back];
    const share = up ? `${(up / 10).toLocaleString(lang, { maximumFractionDigits: 1 })} % ${bar.dataset.word}` : bar.dataset.none;
    set(tip, `${monthday.format(new Date((bar.dataset.today - back * 86400) * 1000))}: ${share}`);
    tip.style.left = `${Math.min(Math.max(event.clientX, 80), innerWidth - 80)}px`;
    tip.style.top = `${box.top}px`;
  };
  for (const kind of ['pointermove', 'pointerdown']) document.addEventListener(kind, tell, { passive: true });

  // The live stream: pieces that changed, by the id of their element.
  const link = $('#link');
  const state = (word) => {
    link.className = `link ${word}`;
    set(link, link.dataset[word] || '');
    document.body.classList.toggle('stale', word === 'gone');
  };
  // What the page is about was removed: that is said above it, until it is back.
  const removed = $('#removed');
  let absent = false;
  const vanish = (is) => {
    if (absent === is) return;
    absent = is;
    removed.hidden = !is;
    document.body.classList.toggle('absent', is);
  };
  const choose = (select, chosen) => {
    if ([...select.options].some((it) => it.value === chosen)) select.value = chosen;
    else select.dispatchEvent(new Event('change'));
  };
  const put = (pieces) => {
    for (const [id, html] of Object.entries(pieces)) {
      const element = document.getElementById(id);
      if (!element || element.innerHTML === html) continue;
      // Whoever has the focus inside keeps it.
      const inside = element.contains(document.activeElement) && document.activeElement !== element;
      const place = inside ? $$('a,button,input,summary,[tabindex]', element).indexOf(document.activeElement) : -1;
      const opened = $$('details', element).map((it) => it.open), chosen = element.value;
      element.innerHTML = html;
      if (element.matches('select')) choose(element, chosen);
      $$('details', element).forEach((it, index) => { it.open = opened[index] ?? it.open; });
      if (place >= 0) $$('a,button,input,summary,[tabindex]', element)[place]?.focus({ preventScroll: true });
      times(element);
    }
    arrange();
    sift();
  };
  let version = document.body.dataset.version, source, heard = 0, cut = 0;
  const connect = () => {
    const page = document.body.dataset.live;
    if (!page) return;
    source?.close();
    source = new EventSource(`/health/live?page=${encodeURIComponent(page)}&since=${version}`);
    const alive = () => { heard = Date.now(); cut = 0; state(absent ? 'removed' : 'on'); };
    const back = () => { vanish(false); alive(); };
    source.addEventListener('open', alive);
    source.addEventListener('beat', back);
    source.addEventListener('gone', () => { vanish(true); alive(); });
    source.addEventListener('message', (event) => {
      back();
      const { v, f } = JSON.parse(event.data);
      version = v;
      put(f);
    });
    source.addEventListener('error', () => {
      // The stream of what is not there ends each time.
      if (absent && source.readyState !== EventSource.CLOSED) return;
      cut ||= Date.now();
      state(Date.now() - cut > 8000 ? 'gone' : 'off');
      if (source.readyState === EventSource.CLOSED) setTimeout(connect, 1000);
    });
  };
  setInterval(() => {
    times();
    if (document.body.dataset.live && heard && Date.now() - heard > 25000) { cut ||= heard; state('gone'); heard = Date.now(); connect(); }
    else if (cut && Date.now() - cut > 8000) state('gone');
  }, 1000);
  document.addEventListener('visibilitychange', () => { if (!document.hidden && cut) connect(); });

  // What is asked for, after a question.
  const ask = $('#ask');
  const question = (what, more, number, words) => new Promise((answer) => {
    const text = $('#ask-text');
    set($('#ask-what'), what);
    set($('#ask-more'), more);
    $('#ask-field').hidden = number === undefined;
    $('#ask-words').hidden = !words;
    text.required = words;
    text.value = '';
    if (number !== undefined) $('#ask-number').value = number;
    ask.returnValue = 'no';
    ask.addEventListener('close', () => answer(ask.returnValue === 'yes' ? { number: Number($('#ask-number').value) || 1, text: text.value } : null), { once: true });
    ask.showModal();
    (words ? text : number === undefined ? $('#ask-yes') : $('#ask-number')).focus();
  });
  // Enter in the field is a yes: the other button is none that submits.
  $('#ask-no')?.addEventListener('click', () => ask.close('no'));
  const post = async (path, body) => {
    const answer = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
    const text = await answer.text();
    return [answer, text ? JSON.parse(text) : {}];
  };
  document.addEventListener('click', async (event) => {
    const button = event.target.closest('[data-verb]');
    if (!button) return;
    const { of, name } = button.parentElement.dataset, verb = button.dataset.verb;
    const reply = await question(`${button.textContent}: ${name || of}`, button.dataset.more, verb === 'scale' ? $('#count').value : undefined, verb === 'report');
    if (!reply) return;
    button.disabled = true;
    try {
      const [answer, done] = await post('/health/act', { verb, of, ...(verb === 'scale' ? { to: reply.number } : {}), ...(verb === 'report' ? { what: reply.text } : {}) });
      if (answer.status === 401) { location = `/health/login?to=${encodeURIComponent(location.pathname)}`; return; }
      say(answer.ok ? [...done.instances.map((it) => `${it.app}: ${it.what}`), ...done.notes].join('; ') || '✓' : [done.error, done.help].filter(Boolean).join(' – '));
    } catch (error) {
      say(String(error.message || error));
    } finally {
      button.disabled = false;
    }
  });
  $('#leave')?.addEventListener('click', async () => { await post('/health/logout', {}); location.reload(); });
  const login = $('#login');
  login?.addEventListener('submit', async (event) => {
    event.preventDefault();
    const wrong = $('#wrong');
    set(wrong, '');
    try {
      const [answer] = await post('/health/login', { token: $('#token').value });
      if (answer.ok) location = login.dataset.to;
      else { set(wrong, wrong.dataset.wrong); $('#token').select(); }
    } catch { set(wrong, wrong.dataset.down); }
  });

  // The tail of a log.
  const logs = $('#logs');
  if (logs) {
    const MOST = 2000, order = ['debug', 'info', 'warn', 'error'];
    let lines = [], text = '', level = '', paused = false, tail;
    const fits = (line) => (!text || line.t.toLowerCase().includes(text)) && (!level || order.indexOf(line.v || 'info') >= order.indexOf(level));
    const draw = (line) => {
      const row = document.createElement('div');
      row.className = `line ${line.s} ${line.v}`;
      if (text) {
        let rest = line.t, low = rest.toLowerCase(), place;
        while ((place = low.indexOf(text)) >= 0) {
          const mark = document.createElement('mark');
          mark.textContent = rest.slice(place, place + text.length);
          row.append(rest.slice(0, place), mark);
          rest = rest.slice(place + text.length);
          low = rest.toLowerCase();
        }
        row.append(rest);
      } else row.textContent = line.t;
      return row;
    };
    const nothing = () => {
      const row = document.createElement('p');
      row.className = 'void';
      row.textContent = lines.length ? logs.dataset.match : logs.dataset.none;
      return row;
    };
    const redraw = () => {
      const fitting = lines.filter(fits);
      logs.replaceChildren(...(fitting.length ? fitting.map(draw) : [nothing()]));
      logs.scrollTop = logs.scrollHeight;
    };
    const add = (fresh) => {
      lines.push(...fresh);
      if (paused) return;
      const atEnd = logs.scrollHeight - logs.scrollTop - logs.clientHeight < 30;
      if (lines.length > MOST) { lines = lines.slice(-MOST); redraw(); return; }
      const fitting = fresh.filter(fits);
      if (!fitting.length) return;
      $('.void', logs)?.remove();
      logs.append(...fitting.map(draw));
      if (atEnd) logs.scrollTop = logs.scrollHeight;
    };
    const follow = () => {
      tail?.close();
      tail = new EventSource(`/health/logs/${$('#log-of').value}`);
      tail.addEventListener('first', (event) => { lines = JSON.parse(event.data); if (!paused) redraw(); });
      tail.addEventListener('message', (event) => add(JSON.parse(event.data)));
      tail.addEventListener('error', () => { if (tail.readyState === EventSource.CLOSED) setTimeout(follow, 2000); });
    };
    $('#log-find').addEventListener('input', (event) => { text = event.target.value.trim().toLowerCase(); redraw(); });
    $('#log-level').addEventListener('change', (event) => { level = event.target.value; redraw(); });
    $('#log-of').addEventListener('change', () => { lines = []; redraw(); follow(); });
    $('#log-pause').addEventListener('click', (event) => {
      paused = !paused;
      event.target.setAttribute('aria-pressed', String(paused));
      set(event.target, paused ? event.target.dataset.off : event.target.dataset.on);
      if (!paused) redraw();
    });
    follow();
  }

  // On a phone the sections are a row to be moved sideways.
  const here = $('nav [aria-current]');
  if (here) here.parentElement.scrollLeft = here.offsetLeft - here.parentElement.offsetLeft - 24;

  times();
  arrange();
  sift();
  connect();
})();
