'use strict';
const byId = (id) => document.getElementById(id);
const make = (tag, kind, text) => {
  const node = document.createElement(tag);
  if (kind) node.className = kind;
  if (text !== undefined) node.textContent = text;
  return node;
};
const cards = [...document.querySelectorAll('script.video')].map((held) => {
  const video = JSON.parse(held.textContent);
  const root = make('article', 'card');
  root.append(make('h3', '', video.name));
  root.append(make('p', 'note', `${video.label}, score ${video.score.toFixed(3)}`));
  const strip = make('div', 'strip');
  const canvases = video.images.map((text, k) => {
    const canvas = make('canvas');
    canvas.width = video.width;
    canvas.height = video.height;
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', `Frame ${video.numbers[k]} of ${video.name}`);
    const image = new Image();
    canvas.image = image;
    image.onload = () => draw(card);
    strip.append(canvas);
    return canvas;
  });
  const meter = make('div', 'meter'), bar = make('div'), note = make('p', 'note');
  meter.append(bar);
  root.append(strip, note, meter);
  byId('cards').append(root);
  const card = { video, root, canvases, bar, note, shown: false };
  return card;
});
const names = [...new Set(cards.flatMap((card) => card.video.maps.map((map) => map.key)))];
byId('map').replaceChildren(...names.map((name) => new Option(name, name)));

function draw(card) {
  if (!card.shown) return;
  const { video } = card, share = byId('share').value / 100, kind = byId('kind').value;
  const map = video.maps.find((one) => one.key === byId('map').value);
  if (!map) {
    card.note.textContent = 'This video has no such map.';
    card.bar.style.width = '0';
  } else {
    const at = share * (map[kind].length - 1), low = Math.floor(at), high = Math.ceil(at);
    const score = map[kind][low] + (at - low) * (map[kind][high] - map[kind][low]);
    card.note.textContent = `score ${score.toFixed(3)}` + (map.uniform ? ', the map is uniform' : '');
    card.bar.style.width = 100 * Math.max(0, Math.min(1, score)) + '%';
  }
  card.canvases.forEach((canvas, k) => {
    if (!canvas.image.naturalWidth) return;
    const context = canvas.getContext('2d');
    context.drawImage(canvas.image, 0, 0, canvas.width, canvas.height);
    const [left, top, right, bottom] = video.box;
    const x0 = left * canvas.width, y0 = top * canvas.height;
    const width = (right - left) * canvas.width, height = (bottom - top) * canvas.height;
    if (map) {
      const [h, w] = map.grid, cells = map.ranks[Math.min(k, map.ranks.length - 1)];
      context.fillStyle = 'rgba(0, 0, 0, 0.8)';
      cells.forEach((rank, cell) => {
        const gone = kind === 'deletion' ? rank < share : rank >= share;
        if (!gone) return;
        const x = cell % w, y = Math.floor(cell / w);
        context.fillRect(x0 + (x * width) / w, y0 + (y * height) / h, width / w + 0.5, height / h + 0.5);
      });
    }
    context.strokeStyle = '#fff';
    context.lineWidth = 2;
    context.strokeRect(x0 + 1, y0 + 1, width - 2, height - 2);
  });
}
function drawAll() {
  byId('percent').value = byId('share').value + ' %';
  cards.forEach(draw);
}
// A card's pictures are decoded when it comes into view: a page of many opens at once.
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const card = cards.find((one) => one.root === entry.target);
    if (!entry.isIntersecting || card.shown) continue;
    card.shown = true;
    card.canvases.forEach((canvas, k) => { canvas.image.src = 'data:image/jpeg;base64,' + card.video.images[k]; });
    draw(card);
  }
}, { rootMargin: '400px' });
cards.forEach((card) => watcher.observe(card.root));
addEventListener('beforeprint', () => {
  cards.forEach((card) => { card.shown = true; card.canvases.forEach((canvas, k) => { canvas.image.src ||= 'data:image/jpeg;base64,' + card.video.images[k]; }); });
  drawAll();
});
for (const id of ['map', 'kind', 'share']) byId(id).oninput = drawAll;
drawAll();
