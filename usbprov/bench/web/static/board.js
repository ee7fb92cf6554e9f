// The board: puts the parts together and tells them what is new.

import { drawCurves } from "./curves.js";
import { Details } from "./details.js";
import { $, make, setAttribute, setText, sign } from "./dom.js";
import { Link } from "./link.js";
import { Scan } from "./scan.js";
import { Sound } from "./sound.js";
import { Store } from "./store.js";
import { Tiles } from "./tiles.js";
import { byLabel, clock, need, remaining, who } from "./words.js";

const FOOT = "usbprov-board-foot";
const SAID = 12000; // ms for which what an order did is shown
const SUMS = [
  ["failed", "failed"],
  ["hand", "need a hand"],
  ["away", "pulled early"],
  ["done", "to unplug"],
  ["running", "at work"],
];

const store = new Store();
const sound = new Sound();
const tiles = new Tiles(store, (key) => details.open(key));
const details = new Details(store, (...order) => link.order(...order), (key) => tiles.focus(key), () => link.isPrivate);
const link = new Link({ state, up, lost, refused });
new Scan(scan, () => details.notTyped());

let isDrawn = true;

function state(news) {
  const changed = store.take(news);
  announce(changed);
  tiles.show();
  details.show();
  head();
  needs();
  isDrawn = false;
}

function head() {
  const { own } = store;
  setText($("name"), store.name);
  document.title = own ? `${own.done}/${own.roster} · ${store.name} · usbprov bench` : "usbprov bench";
  if (own) shift(own);
  const rates = [...store.benches.values()].filter((bench) => bench.perHour !== null);
  const items = SUMS.map(([kind, words]) => [kind, store.count(kind), words]).filter(([kind, count]) => count || kind === "failed");
  if (rates.length) items.push(["", Math.round(rates.reduce((sum, bench) => sum + bench.perHour, 0)), "an hour"]);
  replace($("sums"), items, ([kind, count, words]) => {
    const item = make("li", kind ? `sum sum-${kind}` : "sum");
    if (kind) item.append(sign(kind));
    item.append(make("b", "", String(count)), ` ${words}`);
    return item;
  });
}

function shift(own) {
  const bar = $("shift");
  const left = own.left !== null && own.done < own.roster ? remaining(own.left) : "";
  const text = [`${own.done} of ${own.roster} done`, left].filter(Boolean).join(", ");
  setAttribute(bar, "aria-valuemax", Math.max(1, own.roster));
  setAttribute(bar, "aria-valuenow", Math.min(own.done, Math.max(1, own.roster)));
  setAttribute(bar, "aria-valuetext", text);
  setText($("shift-text"), text);
  $("shift-bar").style.width = `${own.roster ? (100 * own.done) / own.roster : 0}%`;
}

// Everything that waits for somebody: what failed first, and what has waited longest first.
function needs() {
  const order = ["failed", "hand", "away"];
  const ports = [...store.ports.values()].filter((port) => order.includes(port.kind));
  ports.sort((a, b) => order.indexOf(a.kind) - order.indexOf(b.kind) || a.since - b.since || byLabel(a, b));
  const items = ports.map((port) => [port.key, port.kind, port.label, what(port), need(port)]);
  replace($("needs"), items, ([key, kind, label, told, advice]) => {
    const item = make("li");
    const button = make("button", "need");
    button.type = "button";
    button.append(sign(kind), make("b", "", label), make("span", "", [told, advice].filter(Boolean).join(" – ")));
    button.addEventListener("click", () => details.open(key));
    item.append(button);
    return item;
  });
  if (!items.length && !$("needs").firstChild) $("needs").append(make("li", "none", "Nothing waits for you."));
}

function what(port) {
  return port.kind === "failed" && port.trouble ? `${port.trouble.code} ${port.trouble.what}` : who(port);
}

function announce(changed) {
  const of = (kind) => changed.filter((port) => port.kind === kind).sort(byLabel);
  const failed = of("failed");
  if (failed.length) {
    sound.play();
    $("urgent").textContent = failed.map((port) => `${port.label} failed: ${port.trouble?.what ?? ""}`).join(". ");
  }
  const quiet = [
    ...[...of("hand"), ...of("away")].map((port) => `${port.label}: ${need(port)}`),
    ...of("done").map((port) => `${port.label}: done, unplug`),
  ];
  if (quiet.length) $("polite").textContent = quiet.join(". ");
}

let saidTimer = 0;

async function scan(text) {
  const answer = await link.order("scan", text);
  say(answer.text, !answer.ok);
}

function say(text, isBad) {
  const box = $("link");
  clearTimeout(saidTimer);
  box.classList.toggle("bad", isBad);
  box.classList.toggle("said", true);
  setText(box, text);
  saidTimer = setTimeout(() => {
    box.classList.remove("bad", "said");
    setText(box, "Connected");
  }, SAID);
}

function up() {
  $("banner").hidden = true;
  document.body.dataset.link = "up";
  if (!$("link").classList.contains("said")) setText($("link"), "Connected");
}

function lost(text) {
  document.body.dataset.link = "lost";
  banner(`${text} What is shown may be old. Trying again …`);
  setText($("link"), "Not connected");
}

function refused() {
  document.body.dataset.link = "refused";
  banner("This board is open to its link only. Open the link that usbprov bench run has printed.");
  setText($("link"), "Not connected");
}

function banner(text) {
  setText($("banner"), text);
  $("banner").hidden = false;
}

function foot(isShown) {
  $("foot").hidden = !isShown;
  setAttribute($("foot-switch"), "aria-pressed", isShown);
  localStorage.setItem(FOOT, isShown ? "shown" : "hidden");
  tiles.fit();
}

function replace(box, items, build) {
  const fresh = JSON.stringify(items);
  if (box.dataset.shown === fresh) return;
  const focused = [...box.querySelectorAll("button")].indexOf(document.activeElement);
  box.dataset.shown = fresh;
  box.replaceChildren(...items.map(build));
  if (focused >= 0) box.querySelectorAll("button")[focused]?.focus();
}

function tick() {
  details.show();
  if (isDrawn || $("foot").hidden) return;
  isDrawn = store.finished.length === 0;
  drawCurves(store);
}

$("foot-switch").addEventListener("click", () => foot($("foot").hidden));
foot(localStorage.getItem(FOOT) !== "hidden");
drawCurves(store);
setInterval(tick, 1000);
link.open();
