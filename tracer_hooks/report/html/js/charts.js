// What the charts share: when they are drawn, how they follow theme and size, axes and tooltips.

const charts = new Set();

// A chart in `element`, drawn by `option()` when it first comes near the screen.
function chart(element, option, group) {
  const self = { element, instance: null, option };
  self.draw = () => {
    if (!self.instance) {
      self.instance = echarts.init(element, null, { renderer: 'canvas' });
      if (group) { self.instance.group = group; echarts.connect(group); }
      self.started?.(self.instance);
    }
    self.instance.setOption(option(), { notMerge: true });
  };
  self.dispose = () => { observer.disconnect(); sizes.disconnect(); charts.delete(self); self.instance?.dispose(); };
  const observer = new IntersectionObserver((entries) => {
    if (entries.some((entry) => entry.isIntersecting)) { observer.disconnect(); self.draw(); }
  }, { rootMargin: '400px' });
  observer.observe(element);
  const sizes = new ResizeObserver(() => {
    if (!self.instance) return;
    self.instance.resize();
    self.resized?.();
  });
  sizes.observe(element);
  charts.add(self);
  return self;
}

function redrawCharts() {
  for (const one of charts) if (one.instance) one.draw();
}

// A canvas keeps the width of the window, where paper would cut it off: what A4 and Letter have
// between their margins, in CSS pixels. The style sheet makes up for what they differ in.
const PAPER = 700;
function chartsOnPaper(now) {
  const page = byId('timeline').clientWidth;
  for (const one of charts) {
    if (now && !one.instance) one.draw(); // not seen yet
    one.instance?.resize({ width: now ? Math.floor((PAPER * one.element.clientWidth) / page) : 'auto' });
    if (one.instance) one.draw(); // at once: no frame passes before the page is printed
  }
}

const FONT = getComputedStyle(document.body).fontFamily;

function baseOption() {
  return {
    animation: false,
    textStyle: { fontFamily: FONT, fontSize: 12, color: color('soft') },
    tooltip: {
      confine: true, transitionDuration: 0, padding: [8, 12], borderWidth: 1, extraCssText: '',
      backgroundColor: color('raised'), borderColor: color('strong-line'),
      axisPointer: { lineStyle: { color: color('strong-line') } },
    },
  };
}

// Where people expect marks on a clock.
const TICKS = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600, 43200, 86400];
function ticks(span) {
  const step = span / 6;
  const interval = TICKS.find((tick) => tick >= step);
  if (span < 6 || !interval) return { splitNumber: 5, interval: span < 6 ? undefined : 86400 * Math.ceil(step / 86400) };
  return { interval };
}

function timeAxis(end, extra = {}) {
  return {
    type: 'value', min: 0, max: end, ...ticks(end),
    axisLine: { lineStyle: { color: color('strong-line') } },
    axisTick: { show: false }, splitLine: { show: false },
    axisLabel: {
      color: color('soft'), hideOverlap: true, showMaxLabel: false, formatter: (v) => clock(v, end),
    },
    axisPointer: { label: { show: false } },
    ...extra,
  };
}

function amountAxis(formatter, extra = {}) {
  return {
    type: 'value', min: 0, splitNumber: 3,
    axisLine: { show: false }, axisTick: { show: false },
    splitLine: { lineStyle: { color: color('line') } },
    axisLabel: { color: color('soft'), formatter },
    ...extra,
  };
}

// What a tooltip says, as elements.
function tip(title, pairs, line = null) {
  return el('div', { class: 'tip' },
    el('b', {}, title), line && el('p', {}, line),
    pairs.length ? el('dl', {}, ...pairs.flatMap(([name, value]) => [el('dt', {}, name), el('dd', {}, value)])) : null);
}

// Points for a line that holds its value over each span.
function spans(ends, values) {
  const points = [];
  ends.forEach((end, place) => {
    points.push([place ? ends[place - 1] : 0, values[place]], [end, values[place]]);
  });
  return points;
}

function area(name, points, fill, stack) {
  return {
    name, type: 'line', stack, data: points, symbol: 'none', sampling: undefined,
    lineStyle: { width: stack ? 0 : 1.5, color: color(fill) },
    areaStyle: { color: color(fill), opacity: stack ? 0.92 : 0.18 },
    emphasis: { disabled: true }, connectNulls: false,
  };
}
