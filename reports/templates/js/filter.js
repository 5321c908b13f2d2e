// Filters over the list of cells, and which combinations of the matrix are left by them.

function filters() {
  const form = document.getElementById('filters');
  const count = document.getElementById('count');
  const cells = [...document.querySelectorAll('details.cell')].map((node) => ({
    node, square: node.closest('.square'),
    kernel: node.dataset.kernel, driver: node.dataset.driver, scenario: node.dataset.scenario,
    status: node.dataset.status, unexpected: 'unexpected' in node.dataset,
    text: `${node.id} ${node.textContent}`.toLowerCase(),
  }));
  const squares = new Map();
  for (const link of document.querySelectorAll('#matrix a')) {
    squares.set(decodeURIComponent(link.hash.slice(1)), link.closest('td'));
  }

  function apply() {
    const values = new FormData(form);
    const [kernel, driver, scenario, status] = ['kernel', 'driver', 'scenario', 'status'].map((n) => values.get(n));
    const words = (values.get('text') || '').toLowerCase().split(/\s+/).filter(Boolean);
    const left = new Set();
    let shown = 0;
    for (const cell of cells) {
      const fits = (!kernel || cell.kernel === kernel) && (!driver || cell.driver === driver)
        && (!scenario || cell.scenario === scenario)
        && (!status || (status === 'unexpected' ? cell.unexpected : cell.status === status))
        && words.every((word) => cell.text.includes(word));
      cell.node.hidden = !fits;
      if (fits) {
        shown += 1;
        left.add(cell.square);
      }
    }
    for (const square of document.querySelectorAll('.square')) {
      square.hidden = !left.has(square);
      const td = squares.get(square.id);
      if (td) td.classList.toggle('filtered', square.hidden);
    }
    count.textContent = shown === cells.length ? plural(shown, 'cell') : `${shown} of ${plural(cells.length, 'cell')}`;
  }

  form.hidden = false;
  form.addEventListener('input', apply);
  form.addEventListener('reset', () => setTimeout(apply));
  form.addEventListener('submit', (event) => event.preventDefault());
  apply();
  return () => { form.reset(); apply(); };
}
