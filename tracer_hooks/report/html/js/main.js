// Everything starts here, once the data is unpacked.

async function start() {
  startTheme();
  const data = await unpacked(byId('data'));
  document.documentElement.dataset.ready = 'true';
  if (!byId('tasks-table')) return;
  const openTask = startDialog(data);
  startCourses(data);
  startTimeline(data, openTask);
  startTreemap(data);
  const table = startTable(data, openTask);
  theme.listeners.push(() => redrawCharts());
  const paper = (now) => {
    theme.onPaper = now;
    themeChanged();
    table.print(now);
    chartsOnPaper(now);
  };
  addEventListener('beforeprint', () => paper(true));
  addEventListener('afterprint', () => paper(false));
  document.documentElement.dataset.drawn = 'true';
}

start().catch((error) => {
  console.error(error);
  byId('main').prepend(el('p', { class: 'notice wide' },
    `The charts could not be drawn (${error.message}). They need a browser of 2024 or later; the rest of the page is complete.`));
});
