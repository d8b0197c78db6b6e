'use strict';
// Charts of one app on one axis of time, with what happened marked on it.
(() => {
  const box = document.getElementById('charts');
  if (!box) return;
  const lang = document.documentElement.lang;
  // Dates as the viewer writes them.
  const local = navigator.languages.find((it) => it.slice(0, 2) === lang.slice(0, 2)) || lang;
  const word = box.dataset;
  const number = (value, digits = 1) => value.toLocaleString(lang, { maximumFractionDigits: digits });
  const bytes = (value) => {
    const units = ['B', 'KB', 'MB', 'GB', 'TB'];
    let unit = 0;
    while (value >= 1024 && unit < 4) { value /= 1024; unit += 1; }
    return `${number(value, value < 100 && unit ? 1 : 0)} ${units[unit]}`;
  };
  const millis = (value) => value >= 1000 ? `${number(value / 1000)} s` : `${number(value, value < 10 ? 2 : 0)} ms`;
  const span = (seconds) => seconds < 90 ? `${number(seconds, 0)} s` : seconds < 5400 ? `${number(seconds / 60, 0)} min` : seconds < 129600 ? `${number(seconds / 3600, 0)} h` : `${number(seconds / 86400, 0)} d`;
  // Steps of an axis that are whole in their unit.
  const steps = (unit) => [0, 1, 2, 3].flatMap((power) => [1, 2, 5, 10, 20, 50, 100, unit / 4, unit / 2].map((step) => step * unit ** power));
  // What is declared now: it may change while the page is open.
  const limit = () => Number(document.getElementById('count')?.dataset.limit) || 0;
  const panels = [
    { metric: 'memory', title: word.memory, of: word.of, scale: 1, say: bytes, get limit() { return limit(); }, incrs: steps(1024) },
    { metric: 'cpu', title: word.cpu, of: word.of, scale: 0.1, say: (value) => `${number(value)} %` },
    { metric: 'latency', title: word.latency, of: word.check, scale: 0.001, say: millis },
    { metric: 'restarts', title: word.restarts, of: word.of, scale: 1, say: (value) => number(value, 0), steps: true, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000, 10000, 100000] },
  ];
  // What is shown at first, in seconds; of an app that has just begun, less.
  const USUAL = 3600, BEGUN = 900;
  // How near the cursor has to be to a mark, in pixels.
  const NEAR = 6;
  const looks = { died: ['bad', 1], tripped: ['bad', 1], opened: ['warn', 0], escalated: ['bad', 0], remedy: ['wait', 2], closed: ['ok', 3], changed: ['accent', 4], declared: ['accent', 4] };
  const view = { from: 0, to: 0, range: USUAL, follow: true };
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  const shades = [0, 1, 2, 3, 4, 5, 6, 7].map((index) => [154, 210, 30, 280, 0, 100, 330, 50][index]);
  const dark = matchMedia('(prefers-color-scheme: dark)');
  const stroke = (index) => index === 0 ? colour('accent') : `hsl(${shades[index % 8]} 45% ${dark.matches ? 65 : 42}%)`;

  for (const panel of panels) {
    panel.element = document.createElement('div');
    panel.element.className = 'chart';
    panel.element.innerHTML = '<h3></h3><div class="plot" role="img"></div>';
    panel.head = panel.element.querySelector('h3');
    panel.head.append(panel.title, document.createElement('span'));
    panel.plot = panel.element.querySelector('.plot');
    panel.void = document.createElement('div');
    panel.void.className = 'void';
    panel.void.textContent = word.loading;
    panel.plot.setAttribute('aria-label', `${panel.title}: ${word.loading}`);
    panel.element.append(panel.void);
    box.append(panel.element);
  }

  // A mark is told apart by its shape: triangle, cross, plus, disc, arrow.
  const shape = (context, kind, x, y, size) => {
    context.beginPath();
    if (kind === 0) { context.moveTo(x, y - size); context.lineTo(x + size, y + size); context.lineTo(x - size, y + size); context.closePath(); context.fill(); }
    else if (kind === 1) { context.lineWidth = size / 2; context.moveTo(x - size, y - size); context.lineTo(x + size, y + size); context.moveTo(x + size, y - size); context.lineTo(x - size, y + size); context.stroke(); }
    else if (kind === 2) { context.lineWidth = size / 1.5; context.moveTo(x, y - size); context.lineTo(x, y + size); context.moveTo(x - size, y); context.lineTo(x + size, y); context.stroke(); }
    else if (kind === 3) { context.arc(x, y, size, 0, 7); context.fill(); }
    else { context.lineWidth = size / 2.5; context.moveTo(x, y + size); context.lineTo(x, y - size); context.moveTo(x - size, y); context.lineTo(x, y - size); context.lineTo(x + size, y); context.stroke(); }
  };
  const drawMarks = (plot) => {
    const { ctx: context, bbox } = plot, ratio = devicePixelRatio || 1;
    context.save();
    for (const mark of view.marks || []) {
      if (mark.at < plot.scales.x.min || mark.at > plot.scales.x.max) continue;
      const [name, kind] = looks[mark.kind] || ['off', 3];
      const x = Math.round(plot.valToPos(mark.at, 'x', true)) + 0.5;
      context.strokeStyle = context.fillStyle = colour(name);
      context.globalAlpha = 0.45;
      context.lineWidth = ratio;
      context.setLineDash([3 * ratio, 3 * ratio]);
      context.beginPath();
      context.moveTo(x, bbox.top);
      context.lineTo(x, bbox.top + bbox.height);
      context.stroke();
      context.setLineDash([]);
      context.globalAlpha = 1;
      shape(context, kind, x, bbox.top + 7 * ratio, 4 * ratio);
    }
    context.restore();
  };

  // What happened there, the nearest first.
  const marksAt = (plot, left) => (view.marks || [])
    .map((mark) => ({ ...mark, off: Math.abs(plot.valToPos(mark.at, 'x') - left) }))
    .filter((mark) => mark.off <= NEAR).sort((a, b) => a.off - b.off);

  const table = (answer, metric, scale) => {
    const lines = answer.lines.filter((line) => line.metric === metric && line.at.length);
    const moments = [...new Set(lines.flatMap((line) => line.at))].sort((a, b) => a - b);
    // Where nothing was measured the line is open.
    const filled = [];
    moments.forEach((at, index) => {
      if (index && at - moments[index - 1] > answer.width * 2.5) filled.push(moments[index - 1] + answer.width);
      filled.push(at);
    });
    const place = new Map(filled.map((at, index) => [at, index]));
    const column = (line, which) => {
      const values = new Array(filled.length).fill(null);
      line.at.forEach((at, index) => { values[place.get(at)] = line[which][index] * scale; });
      return values;
    };
    const data = [filled], names = [];
    lines.forEach((line) => {
      names.push(line.subject.split('/').pop());
      data.push(column(line, 'mean'));
      if (lines.length === 1) data.push(column(line, 'min'), column(line, 'max'));
    });
    return { data, names, lines };
  };

  // Of several that grow the first to reach its limit.
  const foretold = (lines) => {
    const first = lines.filter((line) => line.forecast && line.at.length).sort((a, b) => a.forecast.reached_in - b.forecast.reached_in)[0];
    return first ? { at: first.at[first.at.length - 1], ...first.forecast } : null;
  };

  // Where all charts end: one time axis for what was and what is foretold.
  const horizon = (ahead) => (ahead ? Math.min(ahead.at + ahead.reached_in * 1.05, view.to + view.range / 2) : view.to);

  const draw = (panel, answer, until) => {
    const { data, names, lines } = table(answer, panel.metric, panel.scale);
    panel.drawn?.destroy();
    panel.drawn = null;
    panel.void.hidden = lines.length > 0;
    panel.void.textContent = word.none;
    const label = panel.head.querySelector('span');
    if (!lines.length) { label.textContent = ''; panel.plot.setAttribute('aria-label', `${panel.title}: ${word.none}`); return; }
    const all = lines.flatMap((line) => line.mean.map((value) => value * panel.scale));
    const low = Math.min(...lines.flatMap((line) => line.min)) * panel.scale, high = Math.max(...lines.flatMap((line) => line.max)) * panel.scale;
    const mean = all.reduce((sum, value) => sum + value, 0) / all.length;
    const summary = word.summary.replace('{min}', panel.say(low)).replace('{max}', panel.say(high)).replace('{mean}', panel.say(mean));
    panel.plot.setAttribute('aria-label', `${panel.title}: ${summary}`);
    const last = lines.map((line) => line.mean[line.mean.length - 1] * panel.scale).reduce((sum, value) => sum + value, 0);
    const latest = panel.say(panel.metric === 'latency' ? last / lines.length : last);
    const ahead = foretold(lines);
    const bound = panel.limit && !ahead ? `${latest} · ${word.limitword} ${lines.length > 1 ? `${lines.length} × ` : ''}${panel.say(panel.limit)}` : latest;
    const idle = ahead ? `${latest} · ${word.foretold.replace('{in}', span(ahead.reached_in))}` : bound;
    label.textContent = idle;
    panel.plot.dataset.foretold = ahead ? Math.round(ahead.reached_in) : '';
    const axis = { stroke: colour('dim'), grid: { stroke: colour('line'), width: 1 }, ticks: { show: false }, font: `11px ${getComputedStyle(document.body).fontFamily}` };
    const paths = panel.steps ? uPlot.paths.stepped({ align: 1 }) : undefined;
    const series = [{}];
    names.forEach((name, index) => {
      series.push({ label: name, stroke: stroke(index), width: 1.6, points: { show: false }, paths });
      if (names.length === 1) series.push({ stroke: 'transparent', points: { show: false }, paths }, { stroke: 'transparent', points: { show: false }, paths });
    });
    const clock = (seconds, step) => new Intl.DateTimeFormat(local, step >= 86400 ? { day: '2-digit', month: 'short' } : { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(seconds * 1000);
    panel.drawn = new uPlot({
      width: panel.plot.clientWidth, height: 190, series,
      bands: names.length === 1 ? [{ series: [3, 2], fill: `color-mix(in srgb, ${colour('accent')} 14%, transparent)` }] : [],
      legend: { show: false },
      cursor: { sync: { key: 'app' }, drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
      scales: { x: { time: true, min: view.from, max: until, range: () => [view.from, until] }, y: { range: (_, min, max) => [0, Math.max(max, panel.limit && (ahead || max > panel.limit / 2) ? panel.limit : 0, panel.metric === 'cpu' ? 5 : 1) * 1.1] } },
      axes: [{ ...axis, values: (_, splits, __, ___, step) => splits.map((at) => at - view.from < view.range / 25 ? '' : clock(at, step)), space: 70, size: 30 }, { ...axis, size: 66, ...(panel.incrs ? { incrs: panel.incrs } : {}), values: (_, splits) => splits.map(panel.say) }],
      hooks: {
        draw: [drawMarks, (plot) => {
          if (!ahead) return;
          const { ctx: context, bbox } = plot;
          context.save();
          context.beginPath(); context.rect(bbox.left, bbox.top, bbox.width, bbox.height); context.clip();
          context.strokeStyle = colour('warn');
          context.lineWidth = 1.6 * (devicePixelRatio || 1);
          context.setLineDash([2, 5]);
          context.beginPath();
          context.moveTo(plot.valToPos(ahead.at, 'x', true), plot.valToPos(ahead.now, 'y', true));
          context.lineTo(plot.valToPos(ahead.at + ahead.reached_in, 'x', true), plot.valToPos(panel.limit, 'y', true));
          context.stroke();
          context.restore();
        }, (plot) => {
          if (!panel.limit || panel.limit > plot.scales.y.max) return;
          const y = plot.valToPos(panel.limit, 'y', true), { ctx: context, bbox } = plot;
          context.save();
          context.strokeStyle = context.fillStyle = colour('warn');
          context.setLineDash([6, 4]);
          context.beginPath(); context.moveTo(bbox.left, y); context.lineTo(bbox.left + bbox.width, y); context.stroke();
          context.textAlign = 'left'; context.textBaseline = 'bottom'; // The axes leave theirs behind.
          context.fillText(`${word.limitword} ${panel.say(panel.limit)}`, bbox.left + 6, y - 3);
          context.restore();
        }],
        setCursor: [(plot) => {
          const index = plot.cursor.idx, marks = index == null ? [] : marksAt(plot, plot.cursor.left);
          plot.over.style.cursor = marks.some((it) => it.incident) ? 'pointer' : '';
          if (index == null) { label.textContent = idle; return; }
          const when = new Date(data[0][index] * 1000).toLocaleString(local, { hourCycle: 'h23' });
          const step = names.length === 1 ? 3 : 1;
          const values = names.map((name, line) => {
            const value = data[1 + line * step][index];
            return value == null ? null : names.length === 1 ? panel.say(value) : `${name}: ${panel.say(value)}`;
          }).filter(Boolean);
          const told = marks.slice(0, 2).map((it) => ` · ${it.word}: ${it.text}`).join('');
          label.textContent = `${values.join('  ') || '–'} · ${when}${told}`;
        }],
        ready: [(plot) => {
          let from = 0;
          plot.over.addEventListener('mousedown', (event) => { from = event.clientX; });
          plot.over.addEventListener('click', (event) => {
            // What was drawn over is to be zoomed into.
            const left = event.clientX - plot.over.getBoundingClientRect().left;
            const found = Math.abs(event.clientX - from) < 3 && marksAt(plot, left).find((it) => it.incident);
            if (found) location = `/health/incident/${found.incident}`;
          });
        }],
        setSelect: [(plot) => {
          if (plot.select.width < 8) return;
          const from = plot.posToVal(plot.select.left, 'x'), to = plot.posToVal(plot.select.left + plot.select.width, 'x');
          plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
          show(from, to, false);
        }],
      },
    }, data, panel.plot);
  };

  let turn = 0;
  const load = async () => {
    const mine = ++turn, now = Date.now() / 1000;
    if (view.follow) { view.to = now; view.from = now - view.range; }
    // Without an end it is asked for the present, and what is to come is foretold.
    const query = (of, metrics) => fetch(`/health/chart?of=${encodeURIComponent(of)}&metrics=${metrics}&from=${Math.floor(view.from)}${view.follow ? '' : `&to=${Math.ceil(view.to)}`}&limit=${limit()}`).then((answer) => { if (!answer.ok) throw new Error(answer.status); return answer.json(); });
    try {
      const [app, check] = await Promise.all([query(word.of, 'memory,cpu,restarts'), query(word.check, 'latency')]);
      if (mine !== turn) return;
      // Who has just begun sees that, and not an hour of nothing.
      const first = Math.min(...app.lines.flatMap((line) => line.at.slice(0, 1)));
      if (!box.dataset.loaded && view.follow && view.range === USUAL && first > now - BEGUN) { view.range = BEGUN; view.from = now - BEGUN; press(); }
      view.marks = app.marks;
      const until = horizon(foretold(app.lines));
      for (const panel of panels) draw(panel, panel.metric === 'latency' ? check : app, until);
      box.dataset.loaded = String(Math.floor(view.from));
    } catch {
      if (mine !== turn) return;
      for (const panel of panels) if (!panel.drawn) { panel.void.hidden = false; panel.void.textContent = word.failed; }
    }
  };
  const saidRange = document.getElementById('range-said');
  const between = new Intl.DateTimeFormat(local, { month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', hourCycle: 'h23' });
  const press = () => { for (const chip of document.querySelectorAll('[data-range]')) chip.setAttribute('aria-pressed', String(view.follow && Number(chip.dataset.range) === view.range)); };
  const show = (from, to, follow) => {
    const least = 60, most = 90 * 86400;
    const length = Math.min(Math.max(to - from, least), most), middle = (from + to) / 2;
    const now = Date.now() / 1000;
    view.range = length;
    view.follow = follow || to >= now && middle + length / 2 >= now && follow !== false;
    view.to = Math.min(middle + length / 2, now);
    view.from = view.to - length;
    saidRange.textContent = view.follow ? '' : between.formatRange(view.from * 1000, view.to * 1000);
    press();
    return load();
  };
  const recent = (length) => { const now = Date.now() / 1000; return show(now - length, now, true); };
  document.getElementById('ranges').addEventListener('click', (event) => { const length = Number(event.target.dataset.range); if (length) recent(length); });
  const move = (share) => { const by = view.range * share; show(view.from + by, view.to + by, false); };
  const zoom = (factor) => { const middle = view.follow ? view.to - view.range * factor / 2 : (view.from + view.to) / 2; show(middle - view.range * factor / 2, middle + view.range * factor / 2, view.follow); };
  document.getElementById('earlier').addEventListener('click', () => move(-0.5));
  document.getElementById('later').addEventListener('click', () => move(0.5));
  document.getElementById('closer').addEventListener('click', () => zoom(0.5));
  document.getElementById('wider').addEventListener('click', () => zoom(2));
  document.getElementById('now').addEventListener('click', () => recent(view.range));
  box.addEventListener('dblclick', () => zoom(2));
  // Panning: with the middle of the wheel, or sideways.
  box.addEventListener('wheel', (event) => {
    if (Math.abs(event.deltaX) <= Math.abs(event.deltaY) && !event.shiftKey) return;
    event.preventDefault();
    move((event.deltaX || event.deltaY) / 1000);
  }, { passive: false });
  let resized;
  new ResizeObserver(() => {
    clearTimeout(resized);
    resized = setTimeout(() => { for (const panel of panels) panel.drawn?.setSize({ width: panel.plot.clientWidth, height: 190 }); }, 100);
  }).observe(box);
  dark.addEventListener('change', load);
  setInterval(() => { if (view.follow && !document.hidden) load(); }, 10000);
  recent(USUAL);
})();
