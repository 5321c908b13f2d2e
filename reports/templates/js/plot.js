// The time plot: when the RTO timer fired, when FINs were on the wire, and sk_wmem_alloc, for TUN
// and its loopback control on one axis. Time is logarithmic: back-off doubles, so healthy
// retransmissions stand evenly spaced.

function timeScale(panels) {
  const times = panels.flatMap(({ plot }) => [
    ...plot.timeouts, ...plot.fins, ...plot.wmem_alloc.map((p) => p[0]), ...plot.states.map((p) => p[0]),
  ]).filter((t) => t > 0);
  const low = Math.max(1e-3, Math.min(...times, 1));
  const high = Math.max(...times, low * 10);
  const [from, to] = [Math.log10(low * 0.9), Math.log10(high * 1.1)];
  const x = (t) => 152 + (Math.log10(Math.max(t, low)) - from) / (to - from) * 488;
  const ticks = [];
  for (let decade = Math.ceil(from); decade <= to; decade++) ticks.push(10 ** decade);
  return { x, ticks };
}

const tickWords = (t) => (t >= 1 ? `${t} s` : `${Math.round(t * 1000)} ms`);

function timePlot(panels, name) {
  const { x, ticks } = timeScale(panels);
  const [tall, head] = [152, 8];
  const height = head + panels.length * tall + 34;
  const most = Math.max(1, ...panels.flatMap(({ plot }) => plot.wmem_alloc.map((p) => p[1])));
  const words = panels.map(({ title, plot }) =>
    `${title}: ${plot.timeouts.length} RTO expiries, ${plot.fins.length} FINs on the wire, sk_wmem_alloc at most ${Math.max(0, ...plot.wmem_alloc.map((p) => p[1]))}`);
  const root = svg('svg', {
    class: 'plot', viewBox: `0 0 660 ${height}`, role: 'img',
    'aria-label': `Time plot of ${name}. ${words.join('. ')}.`,
    'data-timeouts': panels[0].plot.timeouts.length, 'data-fins': panels[0].plot.fins.length,
    'data-wmem-max': Math.max(0, ...panels[0].plot.wmem_alloc.map((p) => p[1])),
    'data-panels': panels.length,
  });
  const text = (xx, y, said, attributes) => root.append(svg('text', { x: xx, y, ...attributes }, said));
  const bottom = head + panels.length * tall;

  for (const t of ticks) {
    root.append(svg('line', { x1: x(t), x2: x(t), y1: head + 24, y2: bottom, class: 'grid' }));
    text(x(t), bottom + 14, tickWords(t), { class: 'axis', 'text-anchor': 'middle' });
  }
  text(396, bottom + 30, 'script’s clock, logarithmic', { class: 'axis', 'text-anchor': 'middle' });

  panels.forEach(({ title, plot, trouble }, n) => {
    const y = head + n * tall;
    text(4, y + 14, title, { class: 'head' });
    const tracks = [
      ['timer', 'RTO expiries', plot.timeouts, y + 42],
      [trouble ? 'fin few' : 'fin', 'FINs on the wire', plot.fins, y + 68],
    ];
    for (const [style, label, times, yy] of tracks) {
      text(144, yy + 4, `${label}: ${times.length}`, { class: 'axis', 'text-anchor': 'end' });
      root.append(svg('line', { x1: 152, x2: 640, y1: yy, y2: yy, class: 'track' }));
      for (const t of times) {
        const mark = style === 'timer'
          ? svg('circle', { cx: x(t), cy: yy, r: 5, class: 'mark timer' })
          : svg('path', { d: `M${x(t)} ${yy - 7}l6 7l-6 7l-6 -7Z`, class: `mark ${style}` });
        mark.append(svg('title', {}, seconds(t)));
        root.append(mark);
      }
    }
    const [floor, ceiling] = [y + 136, y + 90];
    const level = (v) => floor - (v / most) * (floor - ceiling);
    text(144, y + 108, 'sk_wmem_alloc', { class: 'axis', 'text-anchor': 'end' });
    const peak = Math.max(0, ...plot.wmem_alloc.map((p) => p[1]));
    text(144, y + 122, plot.wmem_alloc.length ? `at most ${peak}` : 'not sampled', { class: 'axis', 'text-anchor': 'end' });
    root.append(svg('line', { x1: 152, x2: 640, y1: floor, y2: floor, class: 'track' }));
    if (plot.wmem_alloc.length) {
      let d = '';
      let before = null;
      for (const [t, v] of plot.wmem_alloc) {
        d += before === null ? `M${x(t)} ${level(v)}` : `H${x(t)}V${level(v)}`;
        before = v;
      }
      d += 'H640';
      root.append(svg('path', { d: `${d}V${floor}H${x(plot.wmem_alloc[0][0])}Z`, class: trouble ? 'area bad' : 'area' }));
      root.append(svg('path', { d, class: trouble ? 'level bad' : 'level' }));
    }
  });
  return root;
}
