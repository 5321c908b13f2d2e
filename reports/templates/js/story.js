// One cell's story, made when it is first opened.

const section = (title, ...children) => el('section', {}, el('h4', {}, title), ...children);

const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1);

function witnesses(list) {
  const rows = list.map((w) => el('tr', { class: `says-${w.says}` },
    el('th', { scope: 'row' }, w.witness), el('td', {}, el('b', {}, w.says)), el('td', {}, w.reading)));
  const head = ['witness', 'says', 'reading'].map((word) => el('th', { scope: 'col' }, word));
  return el('table', { class: 'witnesses' }, el('thead', {}, el('tr', {}, ...head)), el('tbody', {}, ...rows));
}

function packetTable(plot) {
  const rows = plot.packets.map(([t, out, text]) => el('tr', {},
    el('td', {}, seconds(t)), el('td', {}, out ? 'sent' : 'received'),
    el('td', {}, stateAt(plot, t)), el('td', {}, el('code', {}, text))));
  const head = ['time', 'by the kernel', 'state', 'packet'].map((word) => el('th', { scope: 'col' }, word));
  return el('details', { class: 'inner' }, el('summary', {}, 'the packets as a table'),
    el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': 'packets' },
      el('table', {}, el('thead', {}, el('tr', {}, ...head)), el('tbody', {}, ...rows))));
}

function failure(f) {
  const rows = f.mismatches.map((m) => el('tr', {},
    el('th', { scope: 'row' }, m.field), el('td', {}, m.expected), el('td', {}, m.actual)));
  const head = ['field', 'expected', 'came'].map((word) => el('th', { scope: 'col' }, word));
  return section('The script',
    el('p', {}, f.line ? `Line ${f.line}: ${f.summary}` : f.summary),
    rows.length ? el('table', {}, el('thead', {}, el('tr', {}, ...head)), el('tbody', {}, ...rows)) : null,
    f.detail ? el('pre', { tabindex: 0 }, f.detail) : null);
}

function files(cell) {
  const base = cell.folder.split('/').map(encodeURIComponent).join('/');
  const items = cell.files.map((name) =>
    el('li', {}, el('a', { href: `${base}/${encodeURIComponent(name)}` }, name)));
  return items.length ? section('Files', el('ul', { class: 'files' }, ...items)) : null;
}

function command(cell) {
  const button = el('button', { type: 'button' }, 'Copy');
  button.addEventListener('click', () => {
    const done = (word) => { button.textContent = word; };
    if (navigator.clipboard) {
      navigator.clipboard.writeText(cell.command).then(() => done('Copied'), () => done('Not allowed here'));
    } else {
      done('Not allowed here');
    }
  });
  return section('Again', el('div', { class: 'command' }, el('code', {}, cell.command), button));
}

const hasPlot = (plot) => plot && (plot.packets.length || plot.timeouts.length || plot.fins.length || plot.wmem_alloc.length);

function story(cell, cells) {
  const notes = [cell.remark, cell.mechanism && `Mechanism: ${cell.mechanism}.`, cell.standing,
    cell.earlier && `Earlier attempts in this run: ${cell.earlier}.`].filter(Boolean);
  const out = [el('ul', { class: 'notes' }, ...notes.map((note) => el('li', {}, sentence(note))))];
  // What failed comes before what it looked like.
  if (cell.failure) out.push(failure(cell.failure));
  for (const f of cell.findings) {
    out.push(section(`Console: ${f.kind}`, el('pre', { tabindex: 0, class: 'wrap' }, [f.headline, ...f.frames.map((frame) => `    ${frame}`)].join('\n'))));
  }
  const pictures = [];
  if (hasPlot(cell.plot)) {
    const control = cell.control === null ? null : cells[cell.control];
    const panels = [{ title: cell.lane_title, plot: cell.plot, trouble: cell.status === 'orphan-bug' }];
    if (control && hasPlot(control.plot)) panels.push({ title: control.lane_title, plot: control.plot, trouble: control.status === 'orphan-bug' });
    const scroll = (label, child) => el('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': label }, child);
    if (cell.plot.packets.length) {
      pictures.push(section('Packets and state', scroll('sequence diagram', sequence(cell.plot, cell.name)), packetTable(cell.plot)));
    }
    pictures.push(el('div', {},
      section('Timer and wire', scroll('time plot', timePlot(panels, cell.name)),
        control ? null : el('p', { class: 'muted' }, 'No loopback control was run beside it.')),
      cell.witnesses.length ? section('Witnesses', witnesses(cell.witnesses)) : null));
  } else if (cell.witnesses.length) {
    pictures.push(section('Witnesses', witnesses(cell.witnesses)));
  }
  out.push(el('div', { class: 'pictures' }, ...pictures));
  if (cell.ss) out.push(section(el('code', {}, 'ss -tinom'), el('pre', { tabindex: 0, class: 'wrap' }, cell.ss)));
  if (cell.console) {
    out.push(el('details', { class: 'inner' }, el('summary', {}, 'the console, beginning and end'), el('pre', { tabindex: 0, class: 'wrap' }, cell.console)));
  }
  out.push(files(cell), command(cell));
  if (cell.time) out.push(el('p', { class: 'muted' }, cell.time));
  return out.filter(Boolean);
}
