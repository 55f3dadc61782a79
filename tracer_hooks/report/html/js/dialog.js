// The page of one attempt, in a sheet beside the report.

function startDialog(data) {
  const dialog = byId('task');
  let course = null;
  dialog.addEventListener('close', () => { course?.dispose(); course = null; dialog.replaceChildren(); });
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
  return (row) => {
    course?.dispose();
    course = null;
    const page = data.pages[row];
    const box = page?.course ? el('div', { class: 'chart', role: 'img', 'aria-label': 'Its course: what it did, cores, memory and bytes over time' }) : null;
    dialog.replaceChildren(el('div', { class: 'sheet' }, ...sheet(data, row, page, box, () => dialog.close())));
    if (!dialog.open) dialog.showModal();
    dialog.scrollTop = 0;
    if (box) { course = courseChart(box, data, row, page); }
  };
}

function sheet(data, row, page, box, close) {
  const { tasks } = data;
  const name = tasks.name[row] ?? tasks.id[row];
  const status = wordAt(tasks.status, row) ?? 'unknown';
  const facts = [wordAt(tasks.step, row), wordAt(tasks.sample, row), tasks.id[row] !== name ? tasks.id[row] : null, wordAt(tasks.host, row)];
  const many = page?.attempts.length > 1 ? `attempt ${tasks.attempt[row]} of ${page.attempts.length}` : null;
  const shares = sharesOf(tasks, row);
  const command = `tracer-hooks show ${quoted(data.run)} ${quoted(tasks.id[row] ?? '')}`
    + (tasks.last[row] ? '' : ` --attempt ${tasks.attempt[row]}`)
    + (data.store ? ` --store ${quoted(data.store)}` : '');
  return [
    el('div', { class: 'sheet-top' },
      el('h2', { id: 'task-name' }, el('span', { class: 'name' }, name), el('span', { class: `status s-${/^[a-z]+$/.test(status) ? status : 'unknown'}` }, status)),
      el('button', { type: 'button', class: 'close', autofocus: true, on: { click: close } }, 'Close'),
      el('p', { class: 'name' }, [...facts, many].filter(Boolean).join(' · '))),
    ...verdictOf(tasks, row, page),
    figures(tasks, row, data.tree.unit),
    ...(shares ? [wholeBar(data, shares)] : []),
    ...(page?.ending.length ? [el('h3', {}, 'How it ended'), el('div', { class: 'why' }, ...page.ending.map((line) => el('p', {}, line)))] : []),
    ...(page?.command ? [el('pre', { class: 'command', tabindex: 0, 'aria-label': 'Command' }, page.command)] : []),
    ...(box ? [el('h3', {}, 'Its course'), box] : []),
    ...(page?.moments.length ? [el('ul', { class: 'known' }, ...page.moments.map(([at, what, said]) =>
      el('li', {}, el('b', {}, `${duration(at)}: ${what}`), said ? ` (${said})` : '')))] : []),
    ...(page?.attempts.length > 1 ? attemptsOf(page) : []),
    ...(page?.processes.length ? [el('h3', {}, 'Processes'), processTable(page, tasks.wall[row]),
      page.processesLeftOut > 0 ? el('p', { class: 'note' }, `${count(page.processesLeftOut)} more groups of processes are left out here.`) : ''] : []),
    ...(page?.said.length ? [el('h3', {}, 'What happened'), el('ul', { class: 'known' }, ...page.said.map((line) => el('li', {}, line)))] : []),
    page ? el('p', { class: 'note' }, 'In the terminal: ', el('code', {}, command))
      : el('p', { class: 'notice' }, `This file holds the course and the processes of the ${count(Object.keys(data.pages).length)} attempts that tell most; this one is not among them. To see it: `, el('code', {}, command)),
  ];
}

function figures(tasks, row, unit) {
  const of = (value, request, show) => (known(request) ? `${show(value)} of ${plainly(show(request))}` : show(value));
  const pairs = [
    ['wall time', duration(tasks.wall[row])],
    ['CPU time', duration(tasks.cpu[row])],
    [known(tasks.coresAsked[row]) ? 'cores used of asked' : 'cores used', of(tasks.cores[row], tasks.coresAsked[row], cores)],
    [known(tasks.memoryAsked[row]) ? 'memory peak of asked' : 'memory peak', of(tasks.memory[row], tasks.memoryAsked[row], size)],
    ['read', size(tasks.read[row])],
    ['written', size(tasks.written[row])],
    ['processes', `${known(tasks.processes[row]) && tasks.bound[row] ? '≤ ' : ''}${count(tasks.processes[row])}`],
  ];
  if (tasks.received[row] > 0 || tasks.sent[row] > 0) pairs.push(['received', size(tasks.received[row])], ['sent', size(tasks.sent[row])]);
  if (known(tasks.cost[row])) pairs.push(['cost', money(tasks.cost[row], unit)]);
  return el('dl', { class: 'figures' }, ...pairs.map(([title, value]) => el('div', {}, el('dt', {}, title), figureOf(value))));
}

// The figure large, and what was asked for beside it small.
function figureOf(value) {
  const [used, ...of] = value.split(' of ');
  return el('dd', {}, used, of.length ? el('span', { class: 'of' }, ` of ${of.join(' of ')}`) : null);
}

function verdictOf(tasks, row, page) {
  const label = wordAt(tasks.verdict, row);
  if (!label) return [];
  const sure = known(tasks.confidence[row]) ? ` (${percent(tasks.confidence[row])} sure)` : '';
  const why = page?.because ? `: ${page.because}.` : '.';
  return [el('p', { class: 'judged' }, el('b', {}, label), `${sure}${why} ${page?.advice ?? ''}`)];
}

function wholeBar(data, shares) {
  let at = 0;
  const pieces = shares.map((share, place) => { const piece = [`f-${PARTS[place]}`, at, share * 100]; at += share * 100; return piece; });
  const legend = data.parts.map(([part, title], place) =>
    el('li', {}, el('i', { class: `key b-${part}`, 'aria-hidden': 'true' }), `${title} `, el('b', {}, percent(shares[place]))));
  return el('figure', { class: 'whole' }, svgBar(pieces), el('figcaption', {}, el('ul', { class: 'legend' }, ...legend)));
}

function attemptsOf(page) {
  return [el('h3', {}, 'Attempts'), el('ul', { class: 'known' }, ...page.attempts.map(([attempt, status, wall]) =>
    el('li', {}, `Attempt ${attempt}: ${status ?? 'status unknown'} after ${duration(wall)}`)))];
}

function courseChart(element, data, row, page) {
  const { tasks } = data;
  const { course } = page;
  const end = course.end[course.end.length - 1];
  const worth = (...names) => names.some((name) => course[name].some((value) => value > 0));
  const rows = [
    { title: 'what it did', high: 1, stack: PARTS, show: (v) => `${Math.round(v * 100)} %`, max: 1, small: true },
    { title: 'cores', lines: [['cores', 'cores', 'cpu']], show: number, limit: tasks.coresAsked[row] },
    { title: 'memory', lines: [['memory', 'memory', 'host']], show: size, limit: tasks.memoryAsked[row] },
    worth('disk_read', 'disk_write') && { title: 'disk, per second', lines: [['read', 'disk_read', 'disk'], ['written', 'disk_write', 'runnable']], show: size },
    worth('network_rx', 'network_tx') && { title: 'network, per second', lines: [['received', 'network_rx', 'network'], ['sent', 'network_tx', 'host']], show: size },
  ].filter(Boolean);
  const top = page.moments.length ? 26 : 8;
  let y = top;
  for (const one of rows) { one.top = y + 28; one.height = one.small ? 40 : 74; y = one.top + one.height + 8; }
  element.style.height = `${y + 26}px`;
  const moments = { silent: true, symbol: 'none', animation: false, lineStyle: { color: color('bad'), type: 'solid', width: 1.5 },
    data: page.moments.map(([at]) => ({ xAxis: Math.min(at, end) })) };
  return chart(element, () => ({
    ...baseOption(),
    tooltip: {
      ...baseOption().tooltip, trigger: 'axis',
      formatter: (points) => {
        const x = points[0].value[0];
        const place = Math.max(0, course.end.findIndex((edge) => edge >= x));
        return tip(clock(Number(x.toPrecision(4)), end), [
          ...data.parts.map(([part, title]) => [title, percent(course[part][place])]),
          ...rows.flatMap((one) => (one.lines ?? []).map(([name, key]) => [one.title.includes('per') ? `${name} per second` : name, one.show(course[key][place])])),
          ['processes', count(course.processes[place])],
        ]);
      },
    },
    axisPointer: { link: [{ xAxisIndex: 'all' }] },
    grid: rows.map((one) => ({ left: 64, right: 10, top: one.top, height: one.height })),
    xAxis: rows.map((one, place) => timeAxis(end, { gridIndex: place, axisLabel: { ...timeAxis(end).axisLabel, show: place === rows.length - 1 } })),
    yAxis: rows.map((one, place) => {
      const most = one.lines ? Math.max(...one.lines.flatMap(([, key]) => course[key].map((v) => v ?? 0))) : 1;
      // What was asked for belongs into the picture, as long as it does not flatten the course.
      const reach = known(one.limit) && one.limit < 8 * most ? Math.max(one.limit, most) : most;
      const max = one.max ?? roundAbove(reach * 1.04, one.show === size ? 2 : 10);
      return amountAxis((v) => plainly(one.show(v)), {
        gridIndex: place, max, interval: max / 2, name: one.title, nameLocation: 'end', nameGap: 13,
        nameTextStyle: { align: 'left', color: color('ink'), fontWeight: 600, padding: [0, 0, 0, -56] },
        axisLabel: { color: color('soft'), formatter: (v) => plainly(one.show(v)), show: !one.small, fontSize: 11 },
        splitLine: { show: !one.small, lineStyle: { color: color('line') } },
      });
    }),
    series: rows.flatMap((one, place) => {
      const lines = one.stack
        ? one.stack.map((part) => area(part, spans(course.end, course[part]), part, 'states'))
        : one.lines.map(([name, key, fill]) => area(name, spans(course.end, course[key]), fill));
      const first = lines[0];
      const limit = known(one.limit) && !one.stack ? [{ yAxis: one.limit, lineStyle: { color: color('soft'), type: 'dashed', width: 1 },
        label: { show: true, formatter: 'asked for', position: 'insideEndTop', color: color('soft'), fontSize: 11 } }] : [];
      first.markLine = { ...moments, label: { show: false }, data: [
        ...page.moments.map(([at, what]) => ({ xAxis: Math.min(at, end),
          label: { show: place === 0, formatter: () => what, position: 'end', color: color('bad'), fontWeight: 600 } })), ...limit] };
      return lines.map((line) => ({ ...line, xAxisIndex: place, yAxisIndex: place }));
    }),
  }));
}
