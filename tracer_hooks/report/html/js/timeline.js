// The timeline: a bar for each attempt, or, of very many, how many ran in each step.

const MANY_BARS = 2000;

function startTimeline(data, openTask) {
  const element = byId('timeline-chart');
  if (!data.end) { byId('timeline').hidden = true; return; }
  if (data.byStep) startAggregated(data, element);
  else startBars(data, element, openTask);
}

// `plain`: there are so many bars that each has one colour, that of what most of its time was.
function barShape(data, bar, params, api, plain) {
  const [start, end, top, height, row, , shares] = bar;
  const area = params.coordSys;
  const left = api.coord([start, 0])[0];
  const right = Math.max(api.coord([end, 0])[0], left + 1);
  const x = Math.max(left, area.x);
  const width = Math.min(right, area.x + area.width) - x;
  if (width <= 0) return null;
  const y = api.coord([0, top])[1];
  const tall = height > 3 ? height - 1 : height;
  const box = (fill, dy, dh) => ({ type: 'rect', shape: { x, y: y + dy, width, height: dh }, style: { fill } });
  const children = [];
  const page = row >= 0 ? data.pages[row] : null;
  if (!shares) {
    children.push(box(color('line'), 0, tall));
  } else if (plain) {
    children.push(box(color(PARTS[dominant(shares)]), 0, tall));
  } else if (page?.course && width > 40 && tall > 5) {
    children.push(...courseShapes(page.course, shares, left, right, [x, x + width], y, tall));
  } else if (tall > 5 && width > 5) {
    children.push(...stacked(shares, tall, box, shares));
  } else {
    children.push(box(color(PARTS[dominant(shares)]), 0, tall));
  }
  if (row >= 0) children.push(...marks(data.tasks, row, x, x + width, y, tall, left === x));
  return children.length === 1 ? children[0] : { type: 'group', children };
}

function stacked(shares, tall, box, otherwise) {
  const use = shares.every(known) ? shares : otherwise;
  const boxes = [];
  let below = tall;
  PARTS.forEach((part, place) => {
    const height = use[place] * tall;
    if (height < 0.4) return;
    below -= height;
    boxes.push(box(color(part), Math.max(0, below), height));
  });
  return boxes;
}

// Its own course: in each span the parts above one another. Each part is one shape that reaches down
// to the bottom and the next covers it, so that no seams show.
function courseShapes(course, otherwise, left, right, [from, to], y, tall) {
  const scale = (right - left) / course.end[course.end.length - 1];
  const inside = (x) => Math.max(from, Math.min(to, x));
  const tops = course.end.map((_, place) => {
    const parts = PARTS.map((part) => course[part][place]);
    let sum = 0;
    return (parts.every(known) ? parts : otherwise).map((share) => { sum += share; return Math.min(1, sum); });
  });
  const shapes = [];
  for (let part = PARTS.length - 1; part >= 0; part -= 1) {
    const points = [[from, y + tall]];
    course.end.forEach((end, place) => {
      const top = y + tall * (1 - (part === PARTS.length - 1 ? 1 : tops[place][part]));
      points.push([inside(left + scale * (place ? course.end[place - 1] : 0)), top], [inside(left + scale * end), top]);
    });
    points.push([to, y + tall]);
    shapes.push({ type: 'polygon', shape: { points }, style: { fill: color(PARTS[part]) } });
  }
  return shapes;
}

function marks(tasks, row, left, right, y, tall, begins) {
  const found = [];
  if (tasks.critical[row]) {
    found.push({ type: 'rect', silent: true, shape: { x: left, y: y + tall - 0.5, width: right - left, height: 1.8 }, style: { fill: color('ink') } });
  }
  const high = Math.max(6, Math.min(tall, 11));
  const status = wordAt(tasks.status, row);
  if (status === 'failed' || status === 'lost') {
    found.push({
      type: 'polygon', silent: true,
      shape: { points: [[right + 1, y], [right + 1, y + high], [right - high * 0.8, y + high / 2]] },
      style: { fill: color('bad'), stroke: color('page'), lineWidth: 1 },
    });
  }
  if (begins && tasks.attempt[row] > 1) {
    found.push({
      type: 'circle', silent: true, shape: { cx: left + 4, cy: y + tall / 2, r: Math.min(3.5, high / 2) },
      style: { fill: color('page'), stroke: color('accent'), lineWidth: 2 },
    });
  }
  return found;
}

function barTip(data, bar) {
  const [start, end, , , row, many, shares] = bar;
  const pairs = shares ? data.parts.map(([, title], place) => [title, percent(shares[place])]) : [];
  if (row < 0) return tip(`${count(many)} attempts`, pairs, `${duration(start)} to ${duration(end)}; zoom in to tell them apart`);
  const { tasks } = data;
  const status = wordAt(tasks.status, row);
  const again = (tasks.attempt[row] > 1 ? `, attempt ${tasks.attempt[row]}` : '') + (tasks.critical[row] ? ', on the critical path' : '');
  return tip(tasks.name[row] ?? tasks.id[row], pairs, `${duration(tasks.wall[row])}, ${status}${again}`);
}

function startBars(data, element, openTask) {
  const steps = lanesOf(data.tasks);
  const high = layout(steps, 640);
  element.style.height = `${high + 64}px`;
  let window_ = [0, data.end];
  const left = () => (element.clientWidth < 560 ? 84 : 150);
  let bars = [];
  const series = () => {
    bars = drawn(data, steps, window_[0], window_[1], element.clientWidth - left() - 12);
    return {
      id: 'bars', type: 'custom', clip: true, encode: { x: [0, 1], y: 2 }, animation: false, emphasis: { disabled: true },
      data: bars.map((bar) => bar.slice(0, 3)), progressive: 0,
      renderItem: (params, api) => barShape(data, bars[params.dataIndex], params, api, bars.length > MANY_BARS),
    };
  };
  const mids = steps.map((step) => step.top + step.height / 2);
  const names = new Map(mids.map((mid, place) => [mid, steps[place].name]));
  const self = chart(element, () => ({
    ...baseOption(),
    grid: { left: left(), right: 12, top: 6, height: high },
    tooltip: { ...baseOption().tooltip, trigger: 'item', formatter: (p) => barTip(data, bars[p.dataIndex]) },
    xAxis: timeAxis(data.end, {
      splitLine: { show: true, lineStyle: { color: color('line') } },
      axisLabel: { ...timeAxis(data.end).axisLabel, formatter: (v) => clock(v, window_[1] - window_[0]) },
    }),
    yAxis: {
      type: 'value', min: 0, max: high, inverse: true, axisLine: { show: false }, axisTick: { show: false },
      splitLine: { show: false },
      axisLabel: {
        customValues: mids, formatter: (v) => names.get(v) ?? '', color: color('ink'), fontSize: steps.length > 60 ? 9 : 12,
        width: left() - 14, overflow: 'truncate', hideOverlap: false,
      },
    },
    dataZoom: [
      { type: 'inside', zoomOnMouseWheel: 'ctrl', moveOnMouseMove: true, throttle: 50, moveOnMouseWheel: false, filterMode: 'none',
        startValue: window_[0], endValue: window_[1] },
      { type: 'slider', filterMode: 'none', height: 14, bottom: 4, brushSelect: false, showDetail: false,
        borderColor: color('line'), fillerColor: color('accent', 0.14), backgroundColor: 'transparent',
        handleStyle: { color: color('raised'), borderColor: color('accent') }, moveHandleSize: 0, showDataShadow: false,
        startValue: window_[0], endValue: window_[1] },
    ],
    series: [series()],
  }));
  let waiting = null;
  self.started = (instance) => {
    // While it moves the bars stay as they are; what can now be told apart is drawn when it rests.
    instance.on('datazoom', (event) => {
      const { start, end } = event.batch?.[0] ?? event;
      window_ = [data.end * start / 100, data.end * end / 100];
      clearTimeout(waiting);
      waiting = setTimeout(() => instance.setOption({ series: [series()], xAxis: ticks(window_[1] - window_[0]) }), 120);
    });
    instance.on('click', (event) => { const row = bars[event.dataIndex]?.[4]; if (row >= 0) openTask(row); });
  };
  self.resized = () => self.draw();
}

// A row for each step: as high as attempts ran in it, coloured by what they did.
function startAggregated(data, element) {
  const many = data.byStep.slice(0, 60);
  const row = many.length > 24 ? 16 : 26;
  element.style.height = `${many.length * row + 40}px`;
  byId('timeline-sub').textContent = 'There are too many attempts for a bar each: every row is a step, as high as attempts of it ran'
    + ' at once (its most stands at the right), coloured by what they did.'
    + (data.byStep.length > many.length ? ` ${data.byStep.length - many.length} more steps are left out.` : '');
  byId('timeline').querySelector('.screen').hidden = true;
  byId('timeline').querySelector('.marks').hidden = true;
  const ends = data.course.end_s;
  const left = () => (element.clientWidth < 560 ? 84 : 150);
  const most = many.map((step) => Math.max(...step.running, 1e-9));
  chart(element, () => ({
    ...baseOption(),
    grid: { left: left(), right: 58, top: 4, height: many.length * row },
    tooltip: {
      ...baseOption().tooltip, trigger: 'item',
      formatter: (p) => {
        const [place, span] = p.value;
        const step = many[place];
        return tip(step.step, data.parts.map(([part, title]) => [title, number(step[part][span])]),
          `${number(step.running[span])} at once, ${clock(ends[span], data.end)} into the run`);
      },
    },
    xAxis: timeAxis(data.end),
    yAxis: [
      { type: 'category', inverse: true, data: many.map((step) => step.step), axisLine: { show: false }, axisTick: { show: false },
        axisLabel: { color: color('ink'), width: left() - 14, overflow: 'truncate', interval: 0 } },
      { type: 'category', inverse: true, data: most.map((value, place) => `${number(value)}${'\u200b'.repeat(place)}`), position: 'right',
        axisLine: { show: false }, axisTick: { show: false }, axisLabel: { color: color('soft'), interval: 0 } },
    ],
    series: [{
      type: 'custom', progressive: 0, encode: { y: 0 }, clip: true,
      data: many.flatMap((step, place) => ends.map((_, span) => [place, span]).filter(([, span]) => step.running[span] > 0)),
      renderItem: (params, api) => {
        const place = api.value(0);
        const span = api.value(1);
        const step = many[place];
        const [x, middle] = api.coord([span ? ends[span - 1] : 0, place]);
        const width = api.coord([ends[span], place])[0] - x + 0.4;
        const tall = (row - 4) * (step.running[span] / most[place]);
        const bottom = middle + (row - 4) / 2;
        const whole = PARTS.reduce((sum, part) => sum + step[part][span], 0);
        const shares = whole > 0 ? PARTS.map((part) => step[part][span] / whole) : null;
        const box = (fill, dy, dh) => ({ type: 'rect', shape: { x, y: bottom - tall + dy, width, height: dh }, style: { fill } });
        return { type: 'group', children: shares ? stacked(shares, tall, box, shares) : [box(color('line'), 0, tall)] };
      },
    }],
  }));
}
