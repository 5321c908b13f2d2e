// The sequence diagram: packets between the kernel under test and its peer, the socket's state
// beside them, and every RTO with what came of it.

function sequenceRows(plot) {
  const rows = [];
  for (const [t, out, text] of plot.packets) rows.push({ t, kind: out ? 'out' : 'in', text });
  for (const { t, rto_ms: rto, came, words } of plot.expiries) {
    if (plot.left_out && t > plot.left_out.from && t < plot.left_out.to) continue;
    rows.push({
      t, kind: 'rto', refused: came === 'nothing',
      text: `RTO${rto ? ` of ${milliseconds(rto)}` : ''} fires: ${words}`,
    });
  }
  if (plot.left_out) {
    rows.push({ t: plot.left_out.from, kind: 'gap', text: `${plural(plot.left_out.count, 'packet')} left out, see the capture` });
  }
  for (const [t, state] of plot.states) {
    if (!rows.some((row) => Math.abs(row.t - t) < 0.02)) rows.push({ t, kind: 'state', text: state });
  }
  // At the same time the timer comes before what it sends; packets keep the capture's order.
  const rank = (row) => (row.kind === 'rto' ? 0 : 1);
  return rows
    .map((row, n) => ({ ...row, n }))
    .sort((a, b) => a.t - b.t || rank(a) - rank(b) || a.n - b.n);
}

function sequence(plot, name) {
  const rows = sequenceRows(plot);
  const [kernel, peer, top, step] = [206, 600, 44, 30];
  const height = top + rows.length * step + 14;
  const y = (n) => top + n * step + 18;
  const title = `Sequence diagram of ${name}`;
  const refused = rows.filter((row) => row.refused).length;
  const description = `${plural(plot.packets.length, 'packet')}, ${plural(plot.timeouts.length, 'RTO expiry').replace(/expirys$/, 'expiries')}, ${refused} of them without a packet.`;
  const root = svg('svg', {
    class: 'sequence', viewBox: `0 0 660 ${height}`, role: 'img', 'aria-label': `${title}. ${description}`,
    'data-packets': rows.filter((r) => r.kind === 'in' || r.kind === 'out').length,
    'data-timeouts': plot.timeouts.length, 'data-refused': refused,
  });
  const text = (x, yy, words, attributes) => root.append(svg('text', { x, y: yy, ...attributes }, words));

  for (const [x, words] of [[kernel, 'kernel under test'], [peer, 'peer']]) {
    root.append(svg('line', { x1: x, x2: x, y1: top - 8, y2: height - 6, class: 'life' }));
    text(x, 22, words, { class: 'head', 'text-anchor': 'middle' });
  }
  text(8, 22, 'time', { class: 'head' });
  text(82, 22, 'state', { class: 'head' });

  // The state's band: one piece for each state, its name at the first row.
  let piece = null;
  rows.forEach((row, n) => {
    const state = stateAt(plot, row.t);
    if (!piece || piece.state !== state) {
      piece = { state, from: n };
      if (state) text(82, y(n) + 4, state, { class: state === 'GONE' ? 'state gone' : 'state' });
    }
    if (state && state !== 'GONE') {
      // A gap where a state begins.
      const gap = piece.from === n ? 3 : 0;
      root.append(svg('rect', { x: 190, y: y(n) - step / 2 + gap, width: 6, height: step - gap, class: 'band' }));
    }
  });

  let last = null;
  rows.forEach((row, n) => {
    const yy = y(n);
    const stamp = seconds(row.t);
    if (stamp !== last) text(70, yy + 4, stamp, { class: 'time', 'text-anchor': 'end' });
    last = stamp;
    if (row.kind === 'in' || row.kind === 'out') {
      const fin = /^F|^[A-Z]*F/.test(row.text) ? ' fin' : '';
      const again = row.kind === 'out' && plot.retransmissions.some((r) => Math.abs(r - row.t) < 0.0005) ? ' again' : '';
      const [from, to] = row.kind === 'out' ? [kernel, peer] : [peer, kernel];
      const tip = to > from ? to - 8 : to + 8;
      root.append(svg('line', { x1: from, x2: tip, y1: yy, y2: yy, class: `packet ${row.kind}${fin}${again}` }));
      root.append(svg('path', { d: `M${to} ${yy}L${tip} ${yy - 4}L${tip} ${yy + 4}Z`, class: `tip ${row.kind}${fin}${again}` }));
      const words = row.text.length > 58 ? `${row.text.slice(0, 57)}…` : row.text;
      const label = svg('text', { x: (kernel + peer) / 2, y: yy - 5, class: `label${fin}`, 'text-anchor': 'middle' }, words);
      label.append(svg('title', {}, row.text));
      root.append(label);
    } else if (row.kind === 'rto') {
      const style = row.refused ? 'timer refused' : 'timer';
      root.append(svg('circle', { cx: kernel, cy: yy, r: 6, class: style }));
      root.append(svg('path', { d: `M${kernel} ${yy - 3.5}V${yy}L${kernel + 2.5} ${yy + 1.5}`, class: 'hand' }));
      if (row.refused) {
        root.append(svg('line', { x1: kernel + 8, x2: kernel + 40, y1: yy, y2: yy, class: 'stub' }));
        root.append(svg('path', { d: `M${kernel + 42} ${yy - 5}l10 10m0 -10l-10 10`, class: 'cross' }));
      }
      text(kernel + (row.refused ? 62 : 14), yy + 4, row.text, { class: row.refused ? 'note refused' : 'note' });
    } else {
      text(kernel + 14, yy + 4, row.kind === 'gap' ? `⋮ ${row.text}` : row.text === 'GONE' ? 'the kernel no longer knows the socket' : '', { class: 'note' });
    }
  });
  return root;
}
