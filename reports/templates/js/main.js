// Opens what is asked for: by click, by permalink, for the printer.

let parsed = null;
function cellData() {
  parsed = parsed || JSON.parse(document.getElementById('data').textContent);
  return parsed;
}

function render(details) {
  const body = details.querySelector('.body');
  if (body.dataset.done) return;
  body.dataset.done = 'yes';
  const cells = cellData();
  body.append(...story(cells[Number(details.dataset.n)], cells));
}

const clear = filters();

document.addEventListener('toggle', (event) => {
  const details = event.target;
  if (details.open && details.matches('details.cell')) render(details);
}, true);

// A permalink opens its cell, whatever the filters hide.
function follow() {
  let name;
  try {
    name = decodeURIComponent(location.hash.slice(1));
  } catch {
    return;
  }
  const target = name && document.getElementById(name);
  if (!target) return;
  if (target.closest('[hidden]')) clear();
  if (target.matches('details.cell')) {
    render(target);
    target.open = true;
    target.querySelector('summary').focus({ preventScroll: true });
  } else if (target.matches('.square')) {
    const heading = target.querySelector('h3');
    heading.focus({ preventScroll: true });
  }
  target.scrollIntoView({ block: 'start' });
}
window.addEventListener('hashchange', follow);
// After the browser's own jump to the fragment, which would take the focus away again.
window.addEventListener('load', () => setTimeout(follow));

// On paper nothing can be opened: what is wrong is, up to a number a printer can bear.
let opened = [];
window.addEventListener('beforeprint', () => {
  opened = [...document.querySelectorAll('details.cell[data-unexpected]:not([open])')].slice(0, 40);
  for (const details of opened) {
    render(details);
    details.open = true;
  }
});
window.addEventListener('afterprint', () => {
  for (const details of opened) details.open = false;
});
