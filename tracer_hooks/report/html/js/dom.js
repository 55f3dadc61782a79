// Elements made of text and attributes: no string is ever read as markup.

const byId = (id) => document.getElementById(id);
const SVG = 'http://www.w3.org/2000/svg';

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === 'on') {
      for (const [event, handler] of Object.entries(value)) node.addEventListener(event, handler);
    } else {
      node.setAttribute(name, value === true ? '' : value);
    }
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function svgBar(pieces) {
  // `pieces`: [class, start, length], of 100.
  const bar = document.createElementNS(SVG, 'svg');
  for (const [name, value] of Object.entries({
    class: 'bar', viewBox: '0 0 100 10', preserveAspectRatio: 'none', 'aria-hidden': 'true',
  })) bar.setAttribute(name, value);
  for (const [kind, start, length] of pieces) {
    if (!(length > 0)) continue;
    const rect = document.createElementNS(SVG, 'rect');
    rect.setAttribute('class', kind);
    rect.setAttribute('x', start.toFixed(3));
    rect.setAttribute('width', length.toFixed(3));
    rect.setAttribute('height', '10');
    bar.append(rect);
  }
  return bar;
}
