// Draws a scenario when it is opened. Everything that a guest may have written is set as text, never as markup.
(() => {
'use strict';
const $ = id => document.getElementById(id);
const list = $('list'), detail = $('detail'), rows = [...document.querySelectorAll('#rows li')];
const TONES = ['as it should be', 'broken', 'on its way', 'neither'];
let data = null, opened = null;
const load = () => data || (data = JSON.parse($('data').textContent));

const html = (name, props, ...children) => {
  const e = document.createElement(name);
  for (const [k, v] of Object.entries(props || {})) if (v !== null && v !== false) e.setAttribute(k, v);
  e.append(...children.filter(c => c !== null));
  return e;
};
const svg = (name, props, text) => {
  const e = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [k, v] of Object.entries(props || {})) e.setAttribute(k, v);
  if (text !== undefined) e.textContent = text;
  return e;
};
const seconds = ms => (ms / 1000).toFixed(3) + ' s';
const isTrouble = run => !['pass', 'skip'].includes(run.verdict) || run.differences.length > 0;

// ---- the list
const filter = () => {
  const words = $('filter').value.toLowerCase().split(/\s+/).filter(w => w), verdict = $('verdict').value;
  let shown = 0;
  for (const row of rows) {
    const text = row.textContent.toLowerCase();
    row.hidden = !(words.every(w => text.includes(w)) && (!verdict || row.dataset.words.split(' ').includes(verdict)));
    if (!row.hidden) shown++;
  }
  $('count').textContent = shown + (shown === 1 ? ' scenario' : ' scenarios');
};
$('filter').addEventListener('input', filter);
$('verdict').addEventListener('change', filter);
document.querySelector('form.filter').addEventListener('submit', e => e.preventDefault());

// ---- the timeline
const LABEL = 118, RIGHT = 14, ROW = 26, GAP = 7, TOP = 30;

const ticks = (from, to, width) => {
  const rough = (to - from) / Math.max(2, width / 90), unit = 10 ** Math.floor(Math.log10(Math.max(rough, 1)));
  const step = [1, 2, 5, 10].map(f => f * unit).find(s => s >= rough) || unit * 10, out = [];
  for (let t = Math.ceil(from / step) * step; t <= to; t += step) out.push(t);
  return out;
};
const firstFault = run => {
  const at = run.events.find(e => /^fault .* begun$/.test(data.texts[e[2]]));
  return at ? at[0] : null;
};
const words = (run, event) => {
  const [t, vmi, text, more, replayed] = run.events[event];
  const vmiText = vmi ? 'VMI ' + vmi + ', ' : '';
  return run.place + ', ' + seconds(t) + ', ' + vmiText + data.texts[text] + (more ? ' (' + data.texts[more] + ')' : '') +
    (replayed ? ' [in the template\u2019s boot]' : '') + (run.only_here.includes(event) ? ' [the other world has not this]' : '');
};

const chart = (scenario, lineUp, show, width) => {
  const runs = scenario.runs.filter(r => r.events.length);
  const shift = new Map(runs.map(r => [r, lineUp ? -(firstFault(r) || 0) : 0]));
  const from = Math.min(...runs.map(r => shift.get(r))), to = Math.max(...runs.map(r => r.end + shift.get(r)), from + 1);
  const x = t => LABEL + (t - from) / (to - from) * (width - LABEL - RIGHT);
  const names = [];
  for (const r of runs) for (const l of r.lanes) if (!names.includes(l.name)) names.push(l.name);
  const order = ['faults, users', 'guest', 'watchdog', 'readiness', 'liveness', 'VMI', 'VM', 'endpoints, traffic', 'events'];
  names.sort((a, b) => order.indexOf(a) - order.indexOf(b));
  const height = TOP + names.length * (runs.length * ROW + GAP + 16) + 6;
  const root = svg('svg', {viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': 'Timeline of ' + scenario.id});
  root.style.minWidth = Math.min(width, 640) + 'px';
  for (const t of ticks(from, to, width)) {
    root.append(svg('line', {class: 'grid', x1: x(t), x2: x(t), y1: 20, y2: height}));
    root.append(svg('text', {class: 'soft', x: x(t), y: 14, 'text-anchor': 'middle'}, (t / 1000) + ' s'));
  }
  let y = TOP, count = 0;
  for (const name of names) {
    root.append(svg('text', {x: 8, y: y + 8, 'font-weight': 600}, name));
    y += 14;
    for (const run of runs) {
      const lane = run.lanes.find(l => l.name === name) || {spans: [], marks: []};
      const at = t => x(t + shift.get(run)), mid = y + ROW / 2 - 1;
      const box = svg('g', {role: 'listbox', tabindex: lane.marks.length ? 0 : -1,
        'aria-label': `${name}, ${run.place}: ${lane.marks.length} events; arrow keys go through them`});
      if (!lane.marks.length) { box.removeAttribute('role'); box.removeAttribute('tabindex'); box.removeAttribute('aria-label'); }
      box.append(svg('rect', {class: 'band', x: LABEL, y, width: width - LABEL - RIGHT, height: ROW - 2}));
      box.append(svg('rect', {class: 'frame', x: 3, y: y - 1, width: width - 6, height: ROW}));
      box.append(svg('text', {class: 'soft', x: 16, y: mid + 4}, run.place.length > 15 ? run.place.slice(0, 14) + '\u2026' : run.place));
      for (const [a, b, label, tone, deadline] of lane.spans) {
        const left = at(a), wide = Math.max(1.5, at(b) - left);
        const rect = svg('rect', {class: 't' + tone, x: left, y: y + 2, width: wide, height: ROW - 6, rx: 2});
        const text = data.texts[label], until = deadline >= 0 ? `, fires at ${seconds(deadline)}` : '';
        rect.append(svg('title', {}, `${text}: ${seconds(a)} to ${seconds(b)}${until}`));
        box.append(rect);
        const room = Math.floor((wide - 8) / 6.4);
        if (room >= 4) box.append(svg('text', {x: left + 5, y: mid + 4, 'pointer-events': 'none'},
          text.length > room ? text.slice(0, room - 1) + '\u2026' : text));
        // A fault is short and the first thing that is looked for: its name stands beside it.
        else if (name === order[0]) {
          const isRight = left > width - RIGHT - 150;
          box.append(svg('text', {x: isRight ? left - 6 : left + wide + 12, y: mid + 4, 'text-anchor': isRight ? 'end' : 'start', 'pointer-events': 'none'}, text.slice(0, 40)));
        }
        if (deadline >= 0 && at(deadline) <= width - RIGHT) {
          box.append(svg('line', {class: 'cut', x1: at(deadline), x2: at(deadline), y1: y - 3, y2: y + ROW}));
        }
      }
      const options = [];
      for (const [event, tone, since] of lane.marks) {
        const px = at(run.events[event][0]), id = 'm' + count++;
        const g = svg('g', {role: 'option', id, 'aria-selected': 'false', 'aria-label': words(run, event)});
        if (since >= 0) g.append(svg('rect', {class: 'm' + tone, x: at(since), y: y + ROW - 6, width: Math.max(1, px - at(since)), height: 2.5, 'fill-opacity': .7, stroke: 'none'}));
        const text = data.texts[run.events[event][2]];
        g.append(/ attempt /.test(text)
          ? svg('line', {class: 'm' + tone, x1: px, x2: px, y1: y + ROW - 8, y2: y + ROW - 3})
          : svg(tone === 1 ? 'path' : 'circle', tone === 1
            ? {class: 'm1', d: `M${px} ${y + ROW - 10}l4.5 8h-9z`} : {class: 'm' + tone, cx: px, cy: y + ROW - 6, r: 3.2}));
        if (run.only_here.includes(event)) g.append(svg('circle', {class: 'only', cx: px, cy: y + ROW - 6, r: 7}));
        g.append(svg('rect', {x: px - 4, y, width: 8, height: ROW - 2, 'fill-opacity': 0, stroke: 'none'}));
        g.addEventListener('pointerenter', () => show(run, event));
        g.addEventListener('click', () => show(run, event));
        options.push([g, event]);
        box.append(g);
      }
      let now = -1;
      const go = to => {
        if (!options.length) return;
        if (now >= 0) { options[now][0].setAttribute('aria-selected', 'false'); options[now][0].classList.remove('on'); }
        now = Math.max(0, Math.min(options.length - 1, to));
        options[now][0].setAttribute('aria-selected', 'true');
        options[now][0].classList.add('on');
        box.setAttribute('aria-activedescendant', options[now][0].id);
        show(run, options[now][1]);
      };
      box.addEventListener('focus', () => go(Math.max(now, 0)));
      box.addEventListener('keydown', e => {
        const to = {ArrowRight: now + 1, ArrowDown: now + 1, ArrowLeft: now - 1, ArrowUp: now - 1, Home: 0, End: options.length - 1}[e.key];
        if (to !== undefined) { e.preventDefault(); go(to); }
      });
      root.append(box);
      y += ROW;
    }
    y += GAP + 2;
  }
  for (const run of runs) {
    const fault = firstFault(run);
    if (fault !== null && (lineUp || runs.length === 1)) {
      root.append(svg('line', {class: 'fault', x1: x(fault + shift.get(run)), x2: x(fault + shift.get(run)), y1: 20, y2: y}));
    }
  }
  root.setAttribute('viewBox', `0 0 ${width} ${y + 2}`);
  return root;
};

// ---- a scenario
const path = (...parts) => './' + parts.flatMap(p => p.split('/')).map(encodeURIComponent).join('/');

// What came of a fault.
const told = ([headline, sections]) => html('div', {class: 'told'}, html('b', {}, data.texts[headline]),
  html('dl', {}, ...sections.flatMap(([title, lines]) =>
    [html('dt', {}, data.texts[title]), ...lines.map(l => html('dd', {}, data.texts[l].trimStart()))])));

const verdictOf = run => html('div', {}, 
  html('span', {class: 'chip ' + run.verdict.toLowerCase() + (run.differences.length ? ' differs' : '')}, `${run.place} ${run.verdict}`), ' ',
  run.reason ? html('span', {class: 'reason'}, run.reason) : '',
  ...run.differences.map(d => html('pre', {tabindex: 0, 'aria-label': 'Divergence'}, d)),
  ...run.known_differences.map(d => html('span', {class: 'summary'}, 'known difference: ' + d)),
  ...run.explanation.map(told),
  html('code', {class: 'again'}, run.repeat));

const eventTable = run => html('details', {},
  html('summary', {}, `${run.events.length} events of ${run.place}`),
  html('div', {class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'Events of ' + run.place}, html('table', {},
    html('thead', {}, html('tr', {}, ...['s', 'VMI', 'event', 'detail'].map(h => html('th', {scope: 'col'}, h)))),
    html('tbody', {}, ...run.events.map((e, i) => html('tr', {},
      html('td', {class: 'num'}, (e[4] ? '~' : '') + (e[0] / 1000).toFixed(3)), html('td', {}, String(e[1])),
      html('td', {}, data.texts[e[2]] + (run.only_here.includes(i) ? ' (only here)' : '')), html('td', {}, data.texts[e[3]])))))),
  run.left_out ? html('p', {}, `${run.left_out} more are in ${run.folder}/trace.txt`) : null);

const draw = () => {
  const scenario = opened, charts = detail.querySelector('.chart');
  const show = (run, event) => { detail.querySelector('.now').textContent = words(run, event); };
  if (charts) charts.replaceChildren(chart(scenario, $('lineup') && $('lineup').checked, show, Math.max(640, charts.clientWidth)));
};

const open = scenario => {
  opened = scenario;
  const runs = scenario.runs, drawn = runs.filter(r => r.events.length);
  const back = html('a', {class: 'back', href: '#list'}, '\u2190 All scenarios');
  const title = html('h2', {tabindex: -1, id: 'title'}, scenario.id);
  const canLineUp = drawn.length > 1 && drawn.every(r => firstFault(r) !== null);
  const lineUp = canLineUp ? html('label', {class: 'opts'}, html('input', {type: 'checkbox', id: 'lineup'}), 'line up the worlds at the first fault') : null;
  detail.replaceChildren(back, html('div', {class: 'head'}, title), scenario.summary ? html('p', {}, scenario.summary) : '',
    html('div', {class: 'verdicts'}, ...runs.map(verdictOf)),
    html('h3', {}, 'Timeline, guest time'), lineUp || '',
    drawn.length ? html('div', {class: 'chart', tabindex: 0, role: 'region', 'aria-label': 'Timeline'}) : html('p', {}, 'Nothing was recorded.'),
    html('p', {class: 'now mono', 'aria-live': 'polite'}, 'Point at an event, or focus a row and use the arrow keys.'),
    html('ul', {class: 'legend', 'aria-label': 'Legend'}, ...TONES.map((t, i) => html('li', {}, html('i', {class: 'k' + i}), t)),
      html('li', {}, '\u25b2 something broke'), html('li', {}, '\u2506 the watchdog fires'), html('li', {}, '\u25ef only in this world')),
    ...runs.flatMap(run => [
      html('h3', {}, 'Evidence: ' + run.place),
      html('ul', {class: 'links'}, ...run.files.map(f => html('li', {}, html('a', {href: path(run.folder, f)}, f)))),
      ...run.consoles.map(([name, text]) => html('details', {},
        html('summary', {}, 'the end of the console: ' + name), html('pre', {tabindex: 0, 'aria-label': name}, text))),
      eventTable(run)]));
  detail.hidden = false;
  document.body.classList.add('open');
  detail.setAttribute('aria-label', scenario.id);
  if (lineUp) $('lineup').addEventListener('change', draw);
  draw();
  title.focus({preventScroll: true});
  scrollTo(0, 0);
};

const close = () => {
  const row = rows[rows.findIndex(r => r.firstElementChild.hasAttribute('aria-current'))];
  detail.hidden = true;
  document.body.classList.remove('open');
  opened = null;
  if (row) row.firstElementChild.focus();
};

const follow = () => {
  const index = /^#\d+$/.test(location.hash) ? Number(location.hash.slice(1)) : -1;
  const scenario = index >= 0 ? load().scenarios[index] : undefined;
  if (scenario) open(scenario); else if (opened) close();
  rows.forEach((row, i) => {
    if (i === index) row.firstElementChild.setAttribute('aria-current', 'true'); else row.firstElementChild.removeAttribute('aria-current');
  });
};
addEventListener('hashchange', follow);
addEventListener('keydown', e => { if (e.key === 'Escape' && opened) location.hash = '#list'; });
let resized = 0;
addEventListener('resize', () => { clearTimeout(resized); resized = setTimeout(() => opened && draw(), 100); });
follow();
})();
