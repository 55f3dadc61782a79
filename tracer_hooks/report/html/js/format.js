// Figures as people read them; the same rules as tracer_hooks/report/units.py.

const UNKNOWN = '\u2013';
const known = (value) => value !== null && value !== undefined;

function number(value) {
  if (!known(value)) return UNKNOWN;
  if (value === 0) return '0';
  const size = Math.abs(value);
  if (size >= 99.95) return Math.round(value).toLocaleString('en-US');
  const digits = Math.max(0, 2 - Math.floor(Math.log10(size)));
  return digits > 6 ? value.toExponential(0) : Number(value.toPrecision(3)).toFixed(
    Math.max(0, 2 - Math.floor(Math.log10(Math.abs(Number(value.toPrecision(3)))))));
}

const count = (value) => (known(value) ? Math.round(value).toLocaleString('en-US') : UNKNOWN);

function duration(seconds) {
  if (!known(seconds)) return UNKNOWN;
  if (Math.abs(seconds) < 1e-9) return '0 s'; // what is left of sums and differences
  if (seconds < 9.995e-7) return '<1 µs';
  if (seconds < 0.0009995) return `${number(seconds * 1e6)} µs`;
  if (seconds < 0.9995) return `${number(seconds * 1e3)} ms`;
  if (seconds < 59.95) return `${number(seconds)} s`;
  const two = (value) => String(value).padStart(2, '0');
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)}m ${two(whole % 60)}s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 1440) return `${Math.floor(minutes / 60)}h ${two(minutes % 60)}m`;
  const hours = Math.round(seconds / 3600);
  return `${Math.floor(hours / 24)}d ${two(hours % 24)}h`;
}

function size(value) {
  if (!known(value)) return UNKNOWN;
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB'];
  let place = 0;
  while (value >= 999.5 && place < units.length - 1) { value /= 1024; place += 1; }
  return place === 0 ? `${Math.round(value)} B` : `${number(value)} ${units[place]}`;
}

function percent(share) {
  if (!known(share)) return UNKNOWN;
  const text = `${Math.round(share * 100)} %`;
  return text === '0 %' && share > 0 ? '<1 %' : text;
}

// On an axis: no more than it needs.
function clock(seconds, span) {
  if (span < 1) return `${Number((seconds * 1000).toPrecision(3))} ms`;
  if (span < 120) return `${Number(seconds.toPrecision(4))} s`;
  if (span < 7200) return `${Number((seconds / 60).toPrecision(3))} min`;
  return `${Number((seconds / 3600).toPrecision(4))} h`;
}

function quoted(text) {
  // A word for a POSIX shell.
  return /^[A-Za-z0-9_@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

const SIGNS = { USD: '$' };
function money(value, currency) {
  if (!known(value)) return UNKNOWN;
  const sign = SIGNS[currency] ?? `${currency} `;
  return value > 0 && value < 0.0001 ? `<${sign}0.0001` : `${sign}${number(value)}`;
}

// The next figure that is round where people count in tens, or in powers of two.
function roundAbove(value, base) {
  if (!(value > 0)) return 1;
  if (base === 2) return 2 ** Math.ceil(Math.log2(value));
  const power = 10 ** Math.floor(Math.log10(value));
  return power * [1, 2, 4, 5, 10].find((step) => step * power >= value);
}

// A round figure without the noughts that measuring adds: 4 GiB, 1.5.
const plainly = (text) => (text.includes('.') ? text.replace(/\.?0+(?= |$)/, '') : text);

// When it began: with one decimal where the run is short.
function begun(seconds, span) {
  if (!known(seconds)) return UNKNOWN;
  return span < 120 ? `${seconds.toFixed(1)} s` : duration(seconds);
}

const cores = (value) => (!known(value) ? UNKNOWN : value > 0 && value < 0.005 ? '<0.01' : value < 9.995 ? trimmed(value) : number(value));
// What was asked for is whole, as a rule.
const trimmed = (value) => (Number.isInteger(value) ? String(value) : value.toFixed(2));
