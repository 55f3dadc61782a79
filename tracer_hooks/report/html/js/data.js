// The data of the page: compressed JSON in base64, inside an inert <template>.

async function unpacked(element) {
  const bytes = Uint8Array.from(atob(element.content.textContent.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('gzip'));
  return JSON.parse(await new Response(stream).text());
}

// A column of few different texts, or of numbers, read by row.
const wordAt = (column, row) => (known(column.rows[row]) ? column.names[column.rows[row]] : null);

const PARTS = ['cpu', 'runnable', 'disk', 'network', 'idle'];

// The shares of an attempt's wall time by PARTS, or null where a part is not known.
function sharesOf(tasks, row) {
  const parts = PARTS.map((part) => tasks[`w_${part}`][row]);
  if (!parts.every(known)) return null;
  const whole = parts.reduce((sum, part) => sum + part, 0);
  return whole > 0 ? parts.map((part) => part / whole) : null;
}

function dominant(shares) {
  return shares.indexOf(Math.max(...shares));
}
