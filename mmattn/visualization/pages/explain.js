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
  const frames = video.images.map((text, k) => {
    const frame = make('div', 'frame'), image = make('img'), cover = make('canvas');
    image.width = video.width;
    image.height = video.height;
    image.alt = `Frame ${video.numbers[k]} of ${video.name}`;
    frame.append(image, cover);
    strip.append(frame);
    const [left, top, right, bottom] = video.box.map((x) => 100 * x);
    const box = { left, top, width: right - left, height: bottom - top };
    for (const side in box) cover.style[side] = box[side] + '%';
    return { image, cover };
  });
  const meter = make('div', 'meter'), bar = make('div'), note = make('p', 'note');
  meter.append(bar);
  root.append(strip, note, meter);
  byId('cards').append(root);
  return { video, root, frames, bar, note, near: false };
});
const names = [...new Set(cards.flatMap((card) => card.video.maps.map((map) => map.key)))];
byId('map').replaceChildren(...names.map((name) => new Option(name, name)));
byId('map').value = names.find((name) => !name.startsWith('center over ')) ?? names[0];

const chosen = (card) => card.video.maps.find((one) => one.key === byId('map').value);
function draw(card) {
  const map = chosen(card), share = byId('share').value / 100, kind = byId('kind').value;
  if (card.near) cover(card);
  if (!map) {
    card.note.textContent = 'This video has no such map.';
    card.bar.style.width = '0';
  } else {
    const at = share * (map[kind].length - 1), low = Math.floor(at), high = Math.ceil(at);
    const score = map[kind][low] + (at - low) * (map[kind][high] - map[kind][low]);
    card.note.textContent = `score ${score.toFixed(3)}` + (map.uniform ? ', the map is uniform' : '');
    card.bar.style.width = 100 * Math.max(0, Math.min(1, score)) + '%';
  }
}
// What is taken away is black on a canvas with one pixel for each cell of the map.
function cover(card) {
  const map = chosen(card), share = byId('share').value / 100, kind = byId('kind').value;
  card.frames.forEach(({ cover }, k) => {
    const [h, w] = map ? map.grid : [1, 1];
    cover.width = w;  // empties it
    cover.height = h;
    if (!map) return;
    const context = cover.getContext('2d');
    map.ranks[Math.min(k, map.ranks.length - 1)].forEach((rank, cell) => {
      const gone = kind === 'deletion' ? rank < share : rank >= share;
      if (gone) context.fillRect(cell % w, Math.floor(cell / w), 1, 1);
    });
  });
}
function drawAll() {
  byId('percent').value = byId('share').value + ' %';
  cards.forEach(draw);
}
// A card gets its pictures and covers when it comes near the view, so that a page of many
// opens at once. Other pictures follow when there is time: begun by printing, they come late.
const fill = (card) => card.frames.forEach(({ image }, k) => {
  if (!image.hasAttribute('src')) image.src = 'data:image/jpeg;base64,' + card.video.images[k];
});
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    const card = cards.find((one) => one.root === entry.target);
    card.near = entry.isIntersecting;
    if (!card.near) continue;
    fill(card);
    draw(card);
  }
}, { rootMargin: '400px' });
cards.forEach((card) => watcher.observe(card.root));
const later = window.requestIdleCallback || ((work) => setTimeout(work, 50));
const fillNext = (index) => {
  if (index === cards.length) return;
  fill(cards[index]);
  later(() => fillNext(index + 1));
};
addEventListener('load', () => later(() => fillNext(0)));
addEventListener('beforeprint', () => cards.forEach((card) => { fill(card); cover(card); }));
for (const id of ['map', 'kind', 'share']) byId(id).oninput = drawAll;
drawAll();
