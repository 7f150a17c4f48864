'use strict';
const byId = (id) => document.getElementById(id);
const held = (kind) => [...document.querySelectorAll(`script[data-kind="${kind}"]`)];
const settings = JSON.parse(held('settings')[0].textContent);
const videos = held('video');
const state = { video: null, index: 0, frames: [], at: 0, timer: null };
const nearest = (numbers, number) => {
  let best = 0;
  numbers.forEach((n, k) => {
    if (Math.abs(n - number) < Math.abs(numbers[best] - number)) best = k;
  });
  return best;
};
const options = (select, names) => {
  select.replaceChildren(...names.map((name, k) => new Option(name, k)));
};
const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));

class Panel {
  constructor() {
    this.root = byId('panel').content.firstElementChild.cloneNode(true);
    byId('panels').append(this.root);
    this.find = (name) => this.root.querySelector(name);
    this.find('.model').onchange = () => this.pickModel();
    this.find('.map').onchange = () => this.draw();
    this.find('.ramp').style.background = `linear-gradient(to right, ${settings.colors.map((color) => `rgb(${color})`)})`;
    const chart = this.find('.weights');
    chart.onclick = (event) => {
      if (!this.map?.weights) return;
      const place = chart.getBoundingClientRect();
      const share = (event.clientX - place.left) / place.width;
      const numbers = this.map.numbers;
      const k = Math.min(numbers.length - 1, Math.floor(share * numbers.length));
      go(nearest(state.frames, numbers[k]));
    };
  }
  open(index) {
    const models = state.video.models;
    options(this.find('.model'), models.map((model) => model.name));
    this.find('.model').value = Math.min(index, models.length - 1);
    this.pickModel(index >= models.length ? index : 0);
  }
  pickModel(skip = 0) {
    this.model = state.video.models[this.find('.model').value];
    const maps = this.model.maps;
    options(this.find('.map'), maps.map((map) => map.name));
    if (maps.length) this.find('.map').value = Math.min(skip, maps.length - 1);
    this.images = this.model.images.map((text) => {
      const image = new Image();
      image.onload = () => this.draw();
      image.src = 'data:image/jpeg;base64,' + text;
      return image;
    });
    const rows = this.model.top.map((entry) => {
      const row = document.createElement('tr');
      for (const [name, text] of [['', entry.name], ['score', entry.score.toFixed(3)], ['bar', '']]) {
        const cell = document.createElement('td');
        cell.className = name;
        cell.textContent = text;
        row.append(cell);
      }
      const bar = document.createElement('div');
      bar.style.width = 100 * Math.max(0, Math.min(1, entry.score)) + '%';
      row.lastChild.append(bar);
      return row;
    });
    this.find('tbody').replaceChildren(...rows);
    this.draw();
  }
  get map() {
    return this.model.maps[this.find('.map').value];
  }
  draw() {
    if (this.root.hidden || !this.model) return;
    const number = state.frames[state.at];
    const k = nearest(this.model.numbers, number);
    this.drawFrame(k);
    this.drawWeights(this.model.numbers[k]);
  }
  drawFrame(k) {
    const canvas = this.find('.frame');
    const { width, height } = this.model;
    if (canvas.width !== width || canvas.height !== height) {
      canvas.width = width;
      canvas.height = height;
    }
    const image = this.images[k];
    const map = this.map;
    canvas.setAttribute('aria-label', `Frame ${this.model.numbers[k]}` + (map ? `, ${map.name}` : ''));
    if (!image.complete || !image.naturalWidth) return;
    const context = canvas.getContext('2d', { willReadFrequently: true });
    context.drawImage(image, 0, 0, width, height);
    const note = this.find('.scale-note');
    this.find('.ramp').hidden = !map?.heat || byId('kind').value === 'none';
    if (!map?.heat) {
      this.outline(context, map);
      note.textContent = map ? 'This map has no places, only weights of frames.' : 'This model hands out no map.';
      return;
    }
    const format = (value) => Number(value).toPrecision(3);
    note.textContent = `Blue to red; values of the video ${format(map.heat.low)} to ${format(map.heat.high)}`;
    if (byId('kind').value !== 'none') this.paint(context, map, k);
    this.outline(context, map);
  }
  outline(context, map) {
    const { width, height } = this.model;
    const [left, top, right, bottom] = map?.box ?? this.model.box;
    if (right - left >= 1 && bottom - top >= 1) return;
    context.strokeStyle = '#fff';
    context.strokeRect(left * width + 0.5, top * height + 0.5, (right - left) * width - 1, (bottom - top) * height - 1);
  }
  paint(context, map, k) {
    const { width, height } = this.model;
    const [left, top, right, bottom] = map.box ?? this.model.box;
    const x0 = Math.round(left * width), x1 = Math.round(right * width);
    const y0 = Math.round(top * height), y1 = Math.round(bottom * height);
    const values = enlarge(map, k, y1 - y0, x1 - x0);
    const shown = context.getImageData(0, 0, width, height);
    const data = shown.data;
    const kind = byId('kind').value, alpha = +byId('alpha').value, threshold = +byId('threshold').value;
    const hot = (y, x) => y >= 0 && x >= 0 && y < y1 - y0 && x < x1 - x0 && values[y * (x1 - x0) + x] >= threshold;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const p = 4 * (y * width + x), v = y - y0, u = x - x0;
        if (y < y0 || y >= y1 || x < x0 || x >= x1) {
          if (!map.box) for (let c = 0; c < 3; c++) data[p + c] >>= 1;
        } else if (kind === 'contour') {
          const edge = hot(v, u) && !(hot(v - 1, u) && hot(v + 1, u) && hot(v, u - 1) && hot(v, u + 1));
          if (edge) [data[p], data[p + 1], data[p + 2]] = [255, 255, 0];
        } else if (kind === 'heat' || hot(v, u)) {
          const color = settings.colors[Math.min(255, Math.floor(values[v * (x1 - x0) + u] * 256))];
          for (let c = 0; c < 3; c++) data[p + c] = alpha * color[c] + (1 - alpha) * data[p + c];
        }
      }
    }
    context.putImageData(shown, 0, 0);
  }
  drawWeights(number) {
    const canvas = this.find('.weights'), note = this.find('.weight-note'), map = this.map;
    canvas.hidden = !map?.weights;
    note.textContent = '';
    if (!map?.weights) return;
    const width = (canvas.width = Math.max(200, canvas.clientWidth)), height = (canvas.height = 90);
    const context = canvas.getContext('2d'), count = map.weights.length;
    const style = getComputedStyle(document.documentElement);
    const top = Math.max(...map.weights), uniform = 1 / count, now = nearest(map.numbers, number);
    map.weights.forEach((weight, k) => {
      const x = (k * width) / count, size = top > 0 ? ((height - 4) * weight) / top : 0;
      context.fillStyle = style.getPropertyValue(k === now ? '--now' : '--bar');
      context.fillRect(x, height - size, Math.max(1, width / count - (width / count > 4 ? 1 : 0)), size);
      if (k === now) context.fillRect(x, 0, Math.max(2, width / count), 3);
    });
    context.setLineDash([5, 3]);
    context.strokeStyle = style.color;
    const y = height - ((height - 4) * uniform) / top;
    context.beginPath();
    context.moveTo(0, y);
    context.lineTo(width, y);
    context.stroke();
    note.textContent = `Frame ${map.numbers[now]}: share ${map.weights[now].toPrecision(3)}, uniform ${uniform.toPrecision(3)} (dashed)`;
  }
}

function scaled(map) {
  const heat = map.heat;
  heat.bytes ??= bytes(heat.levels);
  const scale = byId('scale').value;
  if (heat.scale === scale) return heat.values;
  const span = heat.high > heat.low ? heat.high - heat.low : 1;
  const raw = Float32Array.from(heat.bytes, (q) => heat.low + (q / 255) * span);
  const size = heat.height * heat.width;
  const low = scale === 'range' ? heat.low : 0;
  for (let start = 0; start < raw.length; start += size) {
    const part = raw.subarray(start, start + size);
    const high = scale === 'frame' ? Math.max(...part) : heat.high;
    const width = Math.max(high - low, Number.MIN_VALUE);
    part.forEach((value, k) => { part[k] = Math.min(1, Math.max(0, (value - low) / width)); });
  }
  heat.scale = scale;
  return (heat.values = raw);
}

function enlarge(map, k, height, width) {
  const { height: h, width: w } = map.heat, size = h * w;
  const values = scaled(map).subarray(k * size, (k + 1) * size);
  const large = new Float32Array(height * width);
  const place = (i, n, m) => {
    if (map.cells) { const j = Math.min(m - 1, Math.floor((i * m) / n)); return [j, j, 0]; }
    const at = Math.max(0, ((i + 0.5) * m) / n - 0.5), j = Math.min(m - 1, Math.floor(at));
    return [j, Math.min(m - 1, j + 1), at - j];
  };
  const columns = Array.from({ length: width }, (_, x) => place(x, width, w));
  for (let y = 0; y < height; y++) {
    const [a, b, v] = place(y, height, h);
    for (let x = 0; x < width; x++) {
      const [c, d, u] = columns[x];
      large[y * width + x] =
        (1 - v) * ((1 - u) * values[a * w + c] + u * values[a * w + d]) +
        v * ((1 - u) * values[b * w + c] + u * values[b * w + d]);
    }
  }
  return large;
}

const panels = [new Panel(), new Panel()];

function draw() {
  const number = state.frames[state.at];
  const fps = state.video.models[0].fps;
  byId('where').value = `frame ${number}` + (fps ? `, ${(number / fps).toFixed(2)} s` : '');
  byId('scrub').setAttribute('aria-valuetext', byId('where').value);
  panels.forEach((panel) => panel.draw());
}
function go(at) {
  state.at = at;
  byId('scrub').value = at;
  draw();
}
function openVideo(index) {
  stop();
  state.index = index;
  state.video = JSON.parse(videos[index].textContent);
  byId('name').textContent = state.video.name;
  byId('finding').textContent = state.video.models.map(({ name, outcome }) => `${name}: ${outcome}`).join('; ');
  [...byId('gallery').children].forEach((button, k) => button.setAttribute('aria-current', k === index));
  state.frames = [...new Set(state.video.models.flatMap((model) => model.numbers))].sort((a, b) => a - b);
  state.at = 0;
  byId('scrub').max = state.frames.length - 1;
  byId('scrub').value = 0;
  panels.forEach((panel, k) => panel.open(k));
  draw();
}
function showPanels() {
  panels[1].root.hidden = !byId('compare').checked;
  document.body.classList.toggle('two', byId('compare').checked);
  if (state.video) draw();
}
function stop() {
  clearTimeout(state.timer);
  state.timer = null;
  byId('play').textContent = '\u25B6';
  byId('play').setAttribute('aria-label', 'Play');
}
function step() {
  if (state.at + 1 >= state.frames.length) return stop();
  const gap = state.frames[state.at + 1] - state.frames[state.at];
  const fps = state.video.models[0].fps || 25;
  state.timer = setTimeout(() => { go(state.at + 1); step(); }, (1000 * gap) / fps / +byId('speed').value);
}
function toggle() {
  if (state.timer) return stop();
  if (state.at + 1 >= state.frames.length) go(0);
  byId('play').textContent = '\u23F8';
  byId('play').setAttribute('aria-label', 'Pause');
  step();
}

byId('gallery').append(...videos.map(({ dataset }, k) => {
  const button = document.createElement('button'), image = new Image(), found = document.createElement('span');
  image.loading = 'lazy';
  image.alt = '';
  image.src = 'data:image/jpeg;base64,' + dataset.picture;
  found.textContent = dataset.found;
  button.append(image, dataset.name, found);
  button.onclick = () => openVideo(k);
  return button;
}));
byId('gallery').hidden = videos.length < 2;
for (const name of ['kind', 'scale', 'alpha', 'threshold']) {
  byId(name).value = settings[name];
  byId(name).oninput = draw;
}
byId('scrub').oninput = () => { stop(); go(+byId('scrub').value); };
byId('play').onclick = toggle;
byId('compare').onchange = showPanels;
addEventListener('resize', () => state.video && draw());
addEventListener('keydown', (event) => {
  const { key, target } = event;
  if (target.matches('select, input') || event.ctrlKey || event.metaKey || event.altKey || !state.video) return;
  if (target.matches('button') && key === ' ') return;
  const moves = { ArrowLeft: -1, ArrowRight: 1 }, turns = { n: 1, p: -1 };
  if (key in moves) {
    stop();
    go(Math.max(0, Math.min(state.frames.length - 1, state.at + moves[key])));
  } else if (key in turns) {
    openVideo(Math.max(0, Math.min(videos.length - 1, state.index + turns[key])));
    byId('gallery').children[state.index].scrollIntoView({ block: 'nearest' });
  } else if (key === ' ') toggle();
  else return;
  event.preventDefault();
});
byId('broken').append(...held('broken').map((element) => {
  const { name, message } = JSON.parse(element.textContent);
  const line = document.createElement('p');
  line.textContent = `${name} could not be read: ${message}`;
  return line;
}));
if (videos.length) {
  const first = JSON.parse(videos[0].textContent);
  byId('compare').checked = first.models.length > 1;
  showPanels();
  openVideo(0);
} else {
  byId('player').hidden = true;
}
