// Areas by step and tool, tinted by how many of the cores asked for were busy.

const LEAST_NAME = 30; // pixels

function startTreemap(data) {
  const tree = data.tree;
  const element = byId('tree-chart');
  if (!tree.steps.length) { element.hidden = true; return; }
  const total = tree.steps.reduce((sum, step) => sum + step.value, 0);
  const amount = (value) => (tree.unit === 'cpu' ? duration(value) : money(value, tree.unit));
  const mix = (share) => {
    const [from, to, page] = ['runnable', 'cpu', 'page'].map((name) => color(name).match(/[\d.]+/g).map(Number));
    return (fade) => `rgb(${[0, 1, 2].map((i) => {
      const full = known(share) ? from[i] + (to[i] - from[i]) * share : (page[i] + (isDark() ? 110 : 150)) / 2;
      return Math.round(full * fade + page[i] * (1 - fade));
    }).join(',')})`;
  };
  const node = (step) => {
    const tint = mix(step.used);
    return {
      name: step.name, value: step.value, used: step.used,
      itemStyle: { color: tint(0.6), borderColor: tint(0.85), borderWidth: 0, gapWidth: 1 },
      upperLabel: { backgroundColor: tint(isDark() ? 0.62 : 0.5) },
      children: step.tools.map(([name, value], place) => ({
        name, value, step: step.name,
        itemStyle: { color: tint(Math.max(isDark() ? 0.28 : 0.2, (isDark() ? 0.46 : 0.38) - place * 0.05)) },
      })),
    };
  };
  // A name cut to a letter tells nothing, and a figure cut in two something wrong: what has no room
  // is left to the tooltip.
  const pen = document.createElement('canvas').getContext('2d');
  const fits = (text, width, weight) => {
    pen.font = `${weight} 12px ${FONT}`;
    return pen.measureText(text).width <= width;
  };
  const labelled = (p, figure, padding, weight, between) => {
    const width = drawn.instance.getModel().getSeriesByIndex(0).getData().getItemLayout(p.dataIndex).width - padding;
    if (width < LEAST_NAME && !fits(p.name, width, weight)) return '';
    const beside = between === '\n' ? figure : p.name + between + figure;
    return fits(beside, width, weight) ? p.name + between + figure : p.name;
  };
  const drawn = chart(element, () => ({
    ...baseOption(),
    tooltip: {
      ...baseOption().tooltip,
      formatter: (p) => {
        const step = p.data?.step;
        if (!p.name) return tip('All steps', [['all', amount(total)]]);
        return tip(p.name, [
          [tree.unit === 'cpu' ? 'CPU time' : 'cost', amount(p.value)], ['of all', percent(p.value / total)],
          ...(known(p.data?.used) ? [['cores asked for, busy', percent(p.data.used)]] : []),
        ], step ? `in ${step}` : null);
      },
    },
    series: [{
      type: 'treemap', roam: false, nodeClick: false, breadcrumb: { show: false },
      left: 0, right: 0, top: 0, bottom: 0, squareRatio: 1.1, visibleMin: 60,
      label: {
        color: color('ink'), fontSize: 12, overflow: 'truncate', padding: [2, 2], position: 'insideTopLeft',
        formatter: (p) => labelled(p, percent(p.value / total), 6, 400, '\n'), lineHeight: 16,
      },
      upperLabel: { show: true, height: 22, color: color('ink'), fontWeight: 600, fontSize: 12, overflow: 'truncate', padding: [0, 6],
        formatter: (p) => labelled(p, amount(p.value), 14, 600, '  ') },
      itemStyle: { borderColor: color('page'), gapWidth: 2 },
      levels: [
        { itemStyle: { borderColor: color('page'), borderWidth: 0, gapWidth: 3 }, upperLabel: { show: false } },
        { itemStyle: { borderWidth: 0, gapWidth: 1 } },
        {},
      ],
      emphasis: { upperLabel: { show: true }, itemStyle: { borderColor: color('ink') } },
      data: tree.steps.map(node),
    }],
  }));
}
