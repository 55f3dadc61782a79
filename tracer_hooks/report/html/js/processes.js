// The process tree of one attempt, each line with when it lived.

const DEPTH = 12;

function processTable(page, wall) {
  const lines = page.processes.map(([depth, tool, worker, many, began, lived, cpu, peak, exit, signal]) => {
    const indent = el('span', { class: 'indent', 'aria-hidden': 'true' });
    indent.style.width = `${Math.min(depth, DEPTH) * 0.9}rem`;
    const end = known(lived) ? began + lived : wall;
    const start = wall > 0 && known(began) ? Math.max(0, Math.min(99.5, (100 * began) / wall)) : 0;
    const length = wall > 0 && known(began) ? Math.max(0.5, Math.min(100 - start, (100 * (end - began)) / wall)) : 0;
    const ended = signal ? `signal ${signal}` : exit ? `exit ${exit}` : '';
    return el('tr', {},
      el('th', { scope: 'row' }, indent, el('span', { class: 'vh' }, `level ${depth + 1}: `),
        el('span', { class: 'name' }, tool),
        worker ? el('span', { class: 'worker' }, ' worker') : null, many > 1 ? ` ×${count(many)}` : '', ended ? el('span', { class: 'exit' }, ` ${ended}`) : null),
      el('td', { class: 'life' }, svgBar([['f-tool', start, length]])),
      el('td', { class: 'num' }, known(began) ? duration(Math.max(0, began)) : UNKNOWN),
      el('td', { class: 'num' }, duration(lived)),
      el('td', { class: 'num' }, duration(cpu)),
      el('td', { class: 'num' }, size(peak)));
  });
  const titles = [['Process'], ['When it lived'], ['Began', 'num'], ['Lived', 'num'], ['CPU time', 'num'], ['Memory peak', 'num']];
  return el('div', { class: 'scroll', role: 'region', 'aria-label': 'Processes', tabindex: 0 },
    el('table', { class: 'plain tree' },
      el('thead', {}, el('tr', {}, ...titles.map(([title, kind]) => el('th', { scope: 'col', class: kind }, title)))),
      el('tbody', {}, ...lines)));
}
