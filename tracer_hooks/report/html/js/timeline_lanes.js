// Where each attempt is drawn: steps below one another, in each as many lanes as ran side by side.

function lanesOf(tasks) {
  const steps = new Map();
  const order = [];
  for (let row = 0; row < tasks.count; row += 1) {
    if (!known(tasks.start[row]) || !known(tasks.wall[row])) continue;
    order.push(row);
  }
  order.sort((a, b) => tasks.start[a] - tasks.start[b]);
  for (const row of order) {
    const name = wordAt(tasks.step, row) ?? '(no step)';
    if (!steps.has(name)) steps.set(name, { name, free: [], items: [] });
    const step = steps.get(name);
    const start = tasks.start[row];
    let lane = step.free.findIndex((until) => until <= start);
    if (lane < 0) lane = step.free.length;
    step.free[lane] = start + tasks.wall[row];
    step.items.push({ row, lane });
  }
  return [...steps.values()];
}

// Heights in pixels: steps with their top, lanes of `height`, and all together.
function layout(steps, most) {
  const lanes = steps.reduce((sum, step) => sum + step.free.length, 0);
  const gap = steps.length > 60 ? 1 : 5;
  // A step with few lanes needs room for its name.
  const least = steps.length > 60 ? 9 : 14;
  const height = Math.max(2, Math.min(15, (most - steps.length * gap) / Math.max(lanes, 1)));
  let top = 2;
  for (const step of steps) {
    step.top = top;
    step.laneHeight = Math.max(height, Math.min(15, least / step.free.length));
    step.height = step.laneHeight * step.free.length;
    top += step.height + gap;
  }
  return top;
}

// What is drawn of `steps` between two moments on `width` pixels: bars too narrow to be told apart
// are one. Each: [start, end, top, height, row or -1, how many, shares or null].
function drawn(data, steps, from, to, width) {
  const { tasks } = data;
  const pixel = (to - from) / Math.max(width, 1);
  const bars = [];
  for (const step of steps) {
    const open = [];
    for (const { row, lane } of step.items) {
      const start = tasks.start[row];
      const end = start + tasks.wall[row];
      if (end < from || start > to) continue;
      const shares = sharesOf(tasks, row);
      const last = open[lane];
      if (last && end - start < 2 * pixel && start - last[1] < pixel && last[1] - last[0] < 4 * pixel) {
        last[1] = Math.max(last[1], end);
        last[5] += 1;
        last[4] = -1;
        if (last[6] && shares) last[6] = last[6].map((share, part) => share + (shares[part] - share) / last[5]);
        continue;
      }
      open[lane] = [start, end, step.top + lane * step.laneHeight, step.laneHeight, row, 1, shares];
      bars.push(open[lane]);
    }
  }
  return bars;
}
