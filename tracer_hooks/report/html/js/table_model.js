// Which rows the table of tasks shows, and in which order; the columns that it has.

const STEP = (tasks, row) => wordAt(tasks.step, row);

function columnsOf(data) {
  const { tasks } = data;
  const minor = (column) => ({ ...column, kind: 'minor' }); // paper has no room for it
  const any = (values) => values.some(known);
  const some = (values) => values.some((value) => value > 0);
  const figure = (id, title, show, key = id) => ({
    id, title, value: (row) => tasks[key][row], show: (row) => show(tasks[key][row], row), numeric: true,
  });
  const text = (id, title) => ({ id, title, value: (row) => wordAt(tasks[id], row), show: (row) => wordAt(tasks[id], row) ?? UNKNOWN });
  const asked = (value, request, show) => (known(request) ? `${show(value)} of ${plainly(show(request))}` : show(value));
  const all = [
    { id: 'name', title: 'Task', value: (row) => tasks.name[row] ?? tasks.id[row] },
    text('step', 'Step'),
    any(tasks.sample.rows) && minor(text('sample', 'Sample')),
    { id: 'status', title: 'Status', value: (row) => wordAt(tasks.status, row), status: true },
    any(tasks.verdict.rows) && { ...text('verdict', 'Verdict'), show: (row) => wordAt(tasks.verdict, row) ?? UNKNOWN },
    any(tasks.attempt.filter((attempt) => attempt > 1)) && figure('attempt', 'Attempt', count),
    figure('start', 'Start', (value) => (known(value) ? begun(value, data.end) : UNKNOWN)),
    figure('wall', 'Wall', duration),
    { id: 'waits', title: 'Where it went', value: (row) => sharesOf(tasks, row)?.[0] ?? null, bar: true },
    figure('cpu', 'CPU time', duration),
    figure('cores', 'Cores', (value, row) => asked(value, tasks.coresAsked[row], (v) => cores(v))),
    figure('memory', 'Memory peak', (value, row) => asked(value, tasks.memoryAsked[row], size)),
    any(tasks.cost) && figure('cost', 'Cost', (value) => money(value, data.tree.unit)),
    minor(figure('read', 'Read', size)),
    minor(figure('written', 'Written', size)),
    some(tasks.received) && minor(figure('received', 'Received', size)),
    some(tasks.sent) && minor(figure('sent', 'Sent', size)),
    minor(figure('processes', 'Processes', (value, row) => (known(value) && tasks.bound[row] ? `≤ ${count(value)}` : count(value)))),
  ];
  return all.filter(Boolean);
}

function compare(a, b) {
  if (!known(a) || !known(b)) return known(b) - known(a); // what is not known comes last, either way
  return typeof a === 'string' ? NAMES.compare(a, b) : a - b;
}
const NAMES = new Intl.Collator('en', { numeric: true });

function rowsOf(data, columns, view) {
  const { tasks } = data;
  const wanted = view.find.toLowerCase().split(/\s+/).filter(Boolean);
  const is = (column, name) => !name || wordAt(column, view.row) === name;
  const rows = [];
  for (let row = 0; row < tasks.count; row += 1) {
    view.row = row;
    if (!is(tasks.step, view.step) || !is(tasks.status, view.status) || !is(tasks.verdict, view.verdict)) continue;
    if (wanted.length) {
      const there = `${tasks.name[row]}\n${tasks.id[row]}\n${STEP(tasks, row)}\n${wordAt(tasks.sample, row)}`.toLowerCase();
      if (!wanted.every((word) => there.includes(word))) continue;
    }
    rows.push(row);
  }
  const column = columns.find(({ id }) => id === view.sort);
  const values = new Map(rows.map((row) => [row, column.value(row)]));
  const sign = view.descending ? -1 : 1;
  rows.sort((a, b) => {
    const [x, y] = [values.get(a), values.get(b)];
    return (known(x) && known(y) ? sign : 1) * compare(x, y) || a - b;
  });
  return rows;
}
