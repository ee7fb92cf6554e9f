// The ports as tiles, laid out as the hubs lie, as large as they fit.

import { $, make, setAttribute, setText, sign } from "./dom.js";
import { keyOf } from "./store.js";
import { signOf, spoken, who } from "./words.js";

const GAP = 6;
const HUB_GAP = 14;
const HEAD = 30; // px of a hub's name, which stands upright beside its ports
const LEAST = { width: 92, height: 48 };
const MOST = { width: 420, height: 240 };
const LONG = 12; // letters; the words of a state that has more are written smaller
const MARGIN = 1.15; // a tile is wider than its text by so many sizes of it
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Tiles {
  constructor(store, chosen) {
    this.store = store;
    this.chosen = chosen; // called with the key of a port
    this.box = $("hubs");
    this.tiles = new Map();
    this.layout = "";
    this.current = "";
    this.words = measureWords(this.box.dataset.states.split("|"), getComputedStyle(this.box).fontFamily);
    new ResizeObserver(() => this.fit()).observe(this.box);
    window.addEventListener("resize", () => this.roomAgain());
    this.box.addEventListener("keydown", (event) => this.move(event));
    this.box.addEventListener("focusin", (event) => this.mark(event.target));
  }

  show() {
    const benches = [...this.store.benches.values()].map((bench) => [bench.name, bench.absent]);
    const layout = JSON.stringify([this.store.hubs, benches]);
    if (layout !== this.layout) {
      this.layout = layout;
      this.build();
    }
    for (const [key, tile] of this.tiles) this.fill(tile, this.store.ports.get(key));
  }

  build() {
    const focused = document.activeElement?.dataset?.key;
    this.tiles.clear();
    const many = this.store.benches.size > 1 || new Set(this.store.hubs.map((h) => h.bench)).size > 1;
    const hubs = this.store.hubs.filter((hub) => hub.tiles.length);
    this.box.replaceChildren(...hubs.map((hub, at) => this.hub(hub, at, many)));
    if (!this.tiles.has(this.current)) this.current = this.tiles.keys().next().value ?? "";
    this.mark(this.tiles.get(this.current));
    this.roomAgain();
    if (focused) this.tiles.get(focused)?.focus();
  }

  hub(hub, at, many) {
    const box = make("section", "hub");
    const absent = this.store.benches.get(hub.bench)?.absent;
    const name = absent ? `${hub.bench} (${absent})` : hub.bench;
    const title = make("h2", "", many ? `${name} · ${hub.name}` : hub.name);
    title.id = `hub-${at}`;
    box.setAttribute("aria-labelledby", title.id);
    const grid = make("div", "tiles");
    grid.style.gridTemplateColumns = `repeat(${hub.columns}, var(--tile-width))`;
    for (const place of hub.tiles) grid.append(this.tile(hub.bench, place));
    box.append(title, grid);
    return box;
  }

  tile(bench, place) {
    const tile = make("button", "tile");
    tile.type = "button";
    tile.tabIndex = -1;
    tile.dataset.key = keyOf(bench, place.label);
    tile.dataset.label = place.label;
    tile.style.gridRow = String(place.row + 1);
    tile.style.gridColumn = String(place.column + 1);
    tile.append(make("span", "label", place.label), make("span", "mark"), make("span", "who"));
    tile.append(make("span", "state"), make("span", "bar"));
    tile.addEventListener("click", () => this.chosen(tile.dataset.key));
    this.tiles.set(tile.dataset.key, tile);
    return tile;
  }

  fill(tile, port) {
    const [, mark, person, state, bar] = tile.children;
    const kind = port?.kind ?? "empty";
    const image = port ? signOf(port) : "empty";
    setAttribute(tile, "data-kind", kind);
    if (tile.dataset.sign !== image) {
      tile.dataset.sign = image;
      mark.replaceChildren(sign(image));
    }
    const words = port?.state ?? "empty";
    setText(person, port ? who(port) : "");
    setText(state, words);
    state.classList.toggle("long", words.length > LONG);
    bar.style.width = `${port?.percent ?? 0}%`;
    setAttribute(tile, "aria-label", port ? spoken(port) : `${tile.dataset.label}: empty`);
  }

  // Chooses how many hubs lie side by side, so that text is as large as can be.
  fit() {
    const hubs = this.store.hubs.filter((hub) => hub.tiles.length);
    const space = { width: this.box.clientWidth, height: this.box.clientHeight };
    if (!hubs.length || !space.width) return;
    let best = null;
    for (let across = 1; across <= hubs.length; across += 1) {
      const found = measure(hubs, across, space, this.words.usual + MARGIN);
      if (!best || found.text > best.text) best = found;
    }
    this.box.style.setProperty("--across", String(best.across));
    this.box.style.setProperty("--tile-width", `${best.width}px`);
    this.box.style.setProperty("--tile-height", `${best.height}px`);
    this.box.style.setProperty("--text", `${best.text}px`);
    this.box.style.setProperty("--long", String(Math.min(1, this.words.usual / this.words.long)));
    this.box.dataset.shape = best.shape;
    if (this.box.scrollHeight > this.box.clientHeight + 1) document.body.dataset.room = "little";
  }

  // Where there is little room the curves make way, so that every tile is seen; see the style.
  roomAgain() {
    delete document.body.dataset.room;
    this.fit();
  }

  mark(target) {
    if (!target?.dataset?.key) return;
    const before = this.tiles.get(this.current);
    if (before) before.tabIndex = -1;
    this.current = target.dataset.key;
    target.tabIndex = 0;
  }

  move(event) {
    const from = event.target.closest(".tile");
    if (!from || event.altKey || event.ctrlKey || event.metaKey) return;
    const all = [...this.tiles.values()];
    const to = event.key in ARROWS ? nearest(from, all, ARROWS[event.key]) : { Home: all[0], End: all.at(-1) }[event.key];
    if (!to) return;
    event.preventDefault();
    to.focus();
    to.scrollIntoView({ block: "nearest" });
  }

  focus(key) {
    (this.tiles.get(key) ?? this.tiles.get(this.current))?.focus();
  }
}

function measure(hubs, across, space, widthInText) {
  let columns = 0;
  let rows = 0;
  const lines = Math.ceil(hubs.length / across);
  for (let at = 0; at < hubs.length; at += across) {
    const line = hubs.slice(at, at + across);
    columns = Math.max(columns, ...line.map((hub) => hub.columns));
    rows += Math.max(...line.map((hub) => hub.rows));
  }
  const width = (space.width - (across - 1) * HUB_GAP - across * HEAD) / across / columns - GAP;
  const height = (space.height - (lines - 1) * HUB_GAP) / rows - GAP;
  const fits = { width: clamp(width, "width"), height: clamp(height, "height") };
  const shape = fits.width > 1.9 * fits.height ? "wide" : "tall";
  const text = Math.floor(Math.min(fits.width / widthInText, fits.height / (shape === "wide" ? 3.05 : 4.5)));
  return { across, shape, text, ...fits };
}

// How wide the words of the states are, in sizes of the text: fonts differ.
function measureWords(states, family) {
  const pen = document.createElement("canvas").getContext("2d");
  pen.font = `600 100px ${family}`;
  const widest = (words) => Math.max(...words.map((word) => pen.measureText(word).width / 100));
  return { usual: widest(states.filter((word) => word.length <= LONG)), long: widest(states) };
}

function clamp(value, side) {
  return Math.floor(Math.min(MOST[side], Math.max(LEAST[side], value)));
}

// The nearest tile that lies in a direction, as one sees it.
function nearest(from, all, [x, y]) {
  const here = middle(from);
  let best = null;
  let least = Infinity;
  for (const tile of all) {
    const there = middle(tile);
    const ahead = (there.x - here.x) * x + (there.y - here.y) * y;
    const aside = Math.abs((there.x - here.x) * y) + Math.abs((there.y - here.y) * x);
    const far = ahead + 4 * aside;
    if (tile !== from && ahead > 4 && far < least) [best, least] = [tile, far];
  }
  return best;
}

function middle(tile) {
  const box = tile.getBoundingClientRect();
  return { x: box.x + box.width / 2, y: box.y + box.height / 2 };
}
