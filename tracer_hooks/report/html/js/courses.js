// What the hosts did and what the tasks did, over the same time.

function startCourses(data) {
  const grid = { left: 44, right: 12, top: 10, bottom: 26 };
  const end = data.end;
  const hosts = data.hosts;
  const course = data.course;
  const at = (ends, x) => Math.max(0, ends.findIndex((edge) => edge >= x));
  if (hosts && byId('host-chart')) {
    chart(byId('host-chart'), () => ({
      ...baseOption(), grid,
      tooltip: {
        ...baseOption().tooltip, trigger: 'axis',
        formatter: (points) => {
          const place = at(hosts.end_s, points[0].value[0]);
          return tip(clock(points[0].value[0], end), [
            ['busy', percent(hosts.busy_share[place])],
            ['waiting for I/O', percent(hosts.iowait_share[place])],
          ]);
        },
      },
      xAxis: timeAxis(end),
      yAxis: amountAxis((v) => `${Math.round(v * 100)} %`, { max: 1, interval: 0.25 }),
      series: [
        area('busy', spans(hosts.end_s, hosts.busy_share), 'host', 'all'),
        area('waiting for I/O', spans(hosts.end_s, hosts.iowait_share), 'iowait', 'all'),
      ],
    }), 'courses');
  }
  if (!course || !byId('tasks-chart')) return;
  const unknown = course.running.map((all, place) => Math.max(0, PARTS.reduce((rest, part) => rest - course[part][place], all)));
  chart(byId('tasks-chart'), () => ({
    ...baseOption(), grid,
    tooltip: {
      ...baseOption().tooltip, trigger: 'axis',
      formatter: (points) => {
        const place = at(course.end_s, points[0].value[0]);
        return tip(clock(points[0].value[0], end), [
          ...data.parts.map(([part, title]) => [title, number(course[part][place])]),
          ...(unknown[place] > 0.001 ? [['not known', number(unknown[place])]] : []),
        ], `${number(course.running[place])} tasks`);
      },
    },
    xAxis: timeAxis(end),
    yAxis: amountAxis((v) => count(v), { minInterval: 1, max: Math.max(1, Math.ceil(Math.max(...course.running) - 0.01)) }),
    series: [
      ...data.parts.map(([part, title]) => area(title, spans(course.end_s, course[part]), part, 'all')),
      area('not known', spans(course.end_s, unknown), 'line', 'all'),
    ],
  }), 'courses');
}
