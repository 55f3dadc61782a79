// The table of tasks: sorts, filters, and only has the rows that are on the screen.

const SPARE_ROWS = 12;
const PRINTED_ROWS = 60;

function startTable(data, openTask) {
  const { tasks } = data;
  const columns = columnsOf(data);
  const view = { sort: 'wall', descending: true, find: '', step: '', status: '', verdict: '' };
  const table = byId('tasks-table');
  const scroll = byId('tasks-scroll');
  const [head, body] = [table.tHead, table.tBodies[0]];
  let rows = [];
  let shown = [-1, -1];
  let rowHeight = 34;
  let printing = false;

  const heads = columns.map((column) => {
    const button = el('button', { type: 'button', class: 'sort', on: { click: () => sortBy(column) } }, column.title);
    return el('th', { scope: 'col', class: [column.numeric && 'num', column.kind].filter(Boolean).join(' ') || null }, button);
  });
  head.append(el('tr', { 'aria-rowindex': 1 }, ...heads));
  table.setAttribute('aria-colcount', columns.length);

  function sortBy(column) {
    if (view.sort === column.id) view.descending = !view.descending;
    else { view.sort = column.id; view.descending = Boolean(column.numeric || column.bar); }
    update();
  }

  function cell(column, row) {
    if (column.bar) {
      const shares = sharesOf(tasks, row);
      let at = 0;
      const pieces = (shares ?? []).map((share, place) => { const piece = [`f-${PARTS[place]}`, at, share * 100]; at += share * 100; return piece; });
      const spoken = shares ? data.parts.map(([, title], place) => `${title} ${percent(shares[place])}`).join(', ') : 'not measured';
      return el('td', { class: 'bars' }, svgBar(pieces), el('span', { class: 'vh' }, spoken));
    }
    if (column.status) {
      const status = column.value(row) ?? 'unknown';
      return el('td', {}, status === 'succeeded' ? status : el('span', { class: `status s-${/^[a-z]+$/.test(status) ? status : 'unknown'}` }, status));
    }
    return el('td', { class: [column.numeric ? 'num' : 'text name', column.kind].filter(Boolean).join(' ') }, column.show(row));
  }

  function line(place) {
    const row = rows[place];
    const name = tasks.name[row] ?? tasks.id[row];
    const open = el('button', { type: 'button', class: 'open', title: name, 'data-row': row, 'data-place': place, on: { click: () => openTask(row) } }, name);
    return el('tr', { 'aria-rowindex': place + 2 }, el('th', { scope: 'row' }, open), ...columns.slice(1).map((column) => cell(column, row)));
  }

  function space(count) {
    if (count <= 0) return null;
    const filler = el('td', { colspan: columns.length });
    filler.style.height = `${count * rowHeight}px`;
    return el('tr', { class: 'space', 'aria-hidden': 'true' }, filler);
  }

  function paint(force = false) {
    const first = printing ? 0 : Math.max(0, Math.floor(scroll.scrollTop / rowHeight) - SPARE_ROWS);
    const visible = Math.ceil((scroll.clientHeight || 400) / rowHeight);
    const last = printing ? Math.min(rows.length, PRINTED_ROWS) : Math.min(rows.length, first + visible + 2 * SPARE_ROWS);
    if (!force && first === shown[0] && last === shown[1]) return;
    shown = [first, last];
    const focused = document.activeElement?.dataset?.place;
    const lines = [];
    for (let place = first; place < last; place += 1) lines.push(line(place));
    body.replaceChildren(...[printing ? null : space(first), ...lines, printing ? null : space(rows.length - last)].filter(Boolean));
    if (known(focused)) body.querySelector(`[data-place="${focused}"]`)?.focus({ preventScroll: true });
    const measured = lines[0]?.offsetHeight;
    if (measured && !printing && Math.abs(measured - rowHeight) > 0.5) { rowHeight = measured; paint(true); }
  }

  function update() {
    rows = rowsOf(data, columns, view);
    columns.forEach((column, place) => {
      heads[place].setAttribute('aria-sort', column.id !== view.sort ? 'none' : view.descending ? 'descending' : 'ascending');
    });
    table.setAttribute('aria-rowcount', rows.length + 1);
    byId('found').textContent = rows.length === tasks.count
      ? `${count(rows.length)} attempts` : `${count(rows.length)} of ${count(tasks.count)} attempts`;
    scroll.scrollTop = 0;
    paint(true);
  }

  // Arrow keys walk from task to task, also to those that are not on the screen yet.
  body.addEventListener('keydown', (event) => {
    const place = Number(event.target.dataset?.place);
    const page = Math.floor(scroll.clientHeight / rowHeight) - 1;
    const to = { ArrowDown: place + 1, ArrowUp: place - 1, PageDown: place + page, PageUp: place - page, Home: 0, End: rows.length - 1 }[event.key];
    if (to === undefined || Number.isNaN(place)) return;
    event.preventDefault();
    const target = Math.max(0, Math.min(rows.length - 1, to));
    const top = target * rowHeight;
    const room = scroll.clientHeight - 2.2 * rowHeight;
    if (top < scroll.scrollTop) scroll.scrollTop = top;
    else if (top > scroll.scrollTop + room) scroll.scrollTop = top - room;
    paint();
    body.querySelector(`[data-place="${target}"]`)?.focus({ preventScroll: true });
  });
  scroll.addEventListener('scroll', () => requestAnimationFrame(() => paint()), { passive: true });
  new ResizeObserver(() => paint()).observe(scroll);

  startFilters(data, view, update);
  const note = data.tasks.count > PRINTED_ROWS ? `On paper: the first ${PRINTED_ROWS} of ${count(tasks.count)} attempts, in the order chosen.` : '';
  update();
  return {
    print(now) { printing = now; byId('tasks-note').textContent = now ? note : ''; paint(true); },
  };
}

function startFilters(data, view, update) {
  const { tasks } = data;
  const fill = (select, column) => {
    const names = column.names.filter((_, place) => column.rows.includes(place)).sort(NAMES.compare);
    select.append(...names.map((name) => el('option', { value: name }, name)));
    return names.length;
  };
  fill(byId('by-step'), tasks.step);
  fill(byId('by-status'), tasks.status);
  byId('by-verdict-label').hidden = !fill(byId('by-verdict'), tasks.verdict);
  const read = () => {
    view.find = byId('find').value;
    for (const name of ['step', 'status', 'verdict']) view[name] = byId(`by-${name}`).value;
    update();
  };
  const form = byId('filters');
  form.addEventListener('input', read);
  form.addEventListener('submit', (event) => event.preventDefault());
  form.hidden = false;
}
