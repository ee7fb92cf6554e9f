// What the page knows of the benches: the newest of everything, and what has just changed.

export const keyOf = (bench, label) => `${bench}\u0000${label}`;

export class Store {
  constructor() {
    this.name = "";
    this.hubs = [];
    this.steps = [];
    this.finished = [];
    this.ports = new Map();
    this.benches = new Map();
    this.offset = 0; // seconds that the bench's clock is ahead of this computer's
    this.began = false;
  }

  get now() {
    return Date.now() / 1000 + this.offset;
  }

  // Returns the ports that have come into another state; none the first time.
  take(news) {
    this.offset = news.now - Date.now() / 1000;
    const before = this.ports;
    if (news.whole) this.forget(news.name);
    if (news.hubs) this.hubs = news.hubs;
    if (news.steps) this.steps = news.steps;
    this.finished.push(...news.finished);
    for (const bench of news.benches) this.benches.set(bench.name, bench);
    for (const port of news.ports) port.key = keyOf(port.bench, port.label);
    const changed = news.ports.filter((port) => isChanged(before.get(port.key), port));
    for (const port of news.ports) this.ports.set(port.key, port);
    const isFirst = !this.began;
    this.began = true;
    return isFirst ? [] : changed;
  }

  forget(name) {
    this.name = name;
    this.ports = new Map();
    this.benches = new Map();
    this.finished = [];
  }

  get own() {
    return this.benches.get(this.name);
  }

  count(kind) {
    let count = 0;
    for (const port of this.ports.values()) count += port.kind === kind;
    return count;
  }
}

function isChanged(before, port) {
  return !before || before.state !== port.state || before.kind !== port.kind;
}
