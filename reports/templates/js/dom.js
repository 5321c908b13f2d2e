// Making elements. Text is only ever set as text: nothing a guest printed is parsed as markup.

const SVG = 'http://www.w3.org/2000/svg';

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  for (const child of children) {
    if (child !== null && child !== undefined) node.append(child);
  }
  return node;
}

const el = (name, attributes, ...children) =>
  fill(document.createElement(name), attributes, children);

const svg = (name, attributes, ...children) =>
  fill(document.createElementNS(SVG, name), attributes, children);

// 0.400 s, 12.34 s, 2 h 3 min: as precise as a reader needs.
function seconds(t) {
  if (t >= 7200) return `${Math.floor(t / 3600)} h ${Math.round((t % 3600) / 60)} min`;
  if (t >= 1000) return `${t.toFixed(0)} s`;
  return `${t.toFixed(t >= 100 ? 1 : 3)} s`;
}

function milliseconds(ms) {
  return ms >= 1000 ? `${(ms / 1000).toFixed(ms >= 10000 ? 1 : 2)} s` : `${Math.round(ms)} ms`;
}

const plural = (count, word) => `${count} ${word}${count === 1 ? '' : 's'}`;

// The last value of [[time, value], …] at or before a time.
function at(series, time) {
  let value = null;
  for (const [t, v] of series) {
    if (t > time + 1e-9) break;
    value = v;
  }
  return value;
}

// The state a moment after a packet: the sampler looks a few milliseconds later.
const stateAt = (plot, time) => at(plot.states, time + 0.005) || '';
