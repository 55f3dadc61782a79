// Light and dark: the system's choice until the reader makes one; light on paper.

const theme = { listeners: [], onPaper: false };
const dark = matchMedia('(prefers-color-scheme: dark)');

function isDark() {
  if (theme.onPaper) return false;
  const chosen = document.documentElement.dataset.theme;
  return chosen ? chosen === 'dark' : dark.matches;
}

function themeChanged() {
  byId('theme').setAttribute('aria-pressed', String(isDark()));
  theme.colors = null;
  for (const listener of theme.listeners) listener();
}

// The colour that a style sheet's variable stands for at the moment, as rgb().
function color(name, alpha = 1) {
  theme.colors ??= new Map();
  if (!theme.colors.has(name)) {
    const probe = el('i', { class: 'vh' });
    probe.style.color = `var(--${name})`;
    document.body.append(probe);
    theme.colors.set(name, getComputedStyle(probe).color.match(/[\d.]+/g).slice(0, 3).join(','));
    probe.remove();
  }
  return `rgba(${theme.colors.get(name)},${alpha})`;
}

function startTheme() {
  const button = byId('theme');
  button.hidden = false;
  button.addEventListener('click', () => {
    document.documentElement.dataset.theme = isDark() ? 'light' : 'dark';
    themeChanged();
  });
  dark.addEventListener('change', themeChanged);
  button.setAttribute('aria-pressed', String(isDark()));
}
