// One phone: its steps, its diagnosis, and what can be done.

import { $, make, setAttribute, setText, sign } from "./dom.js";
import { cable, clock, duration, who } from "./words.js";

const MARKS = { done: "done", skipped: "was done already", failed: "failed", begun: "under way" };
const MARK_SIGNS = { done: "done", skipped: "done", failed: "failed", begun: "running" };

export class Details {
  // order(name, label, more) gives the bench an order; closed(key) is called when it was closed;
  // isPrivate() says whether nobody else can read what is sent.
  constructor(store, order, closed, isPrivate) {
    this.store = store;
    this.order = order;
    this.closed = closed;
    this.isPrivate = isPrivate;
    this.field = $("pin-text");
    $("details-pin").addEventListener("submit", (event) => {
      event.preventDefault();
      this.keyIn();
    });
    this.box = $("details");
    this.key = "";
    this.lit = new Set();
    $("details-close").addEventListener("click", () => this.close());
    for (const button of this.buttons) button.addEventListener("click", () => this.press(button));
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && this.key) this.close();
    });
  }

  get buttons() {
    return this.box.querySelectorAll("[data-order]");
  }

  open(key) {
    this.key = key;
    this.field.value = "";
    this.box.hidden = false;
    setText($("details-said"), "");
    this.show();
    ($("details-pin").hidden ? $("details-title") : this.field).focus();
  }

  close() {
    const key = this.key;
    this.key = "";
    this.field.value = "";
    this.box.hidden = true;
    this.closed(key);
  }

  show() {
    if (!this.key) return;
    const port = this.store.ports.get(this.key) ?? nothing(this.key);
    setAttribute(this.box, "data-kind", port.kind);
    setText($("details-title"), `${port.label}: ${port.state}`);
    setText($("details-cable"), cable(port));
    setText($("details-hand"), port.hand);
    $("details-hand").hidden = !port.hand;
    this.pin(port);
    this.trouble(port.trouble, port.kind);
    this.facts(port);
    this.steps(port.steps);
    this.allow(port);
  }

  // The field for a PIN that the port waits for, where one may be sent.
  pin(port) {
    const asks = port.bench === this.store.name ? port.asks : "";
    const form = $("details-pin");
    const hadFocus = form.contains(document.activeElement);
    setText($("pin-label"), asks || "PIN");
    form.hidden = !asks || !this.isPrivate();
    $("details-far").hidden = !asks || this.isPrivate();
    if (!form.hidden) return;
    this.field.value = "";
    if (hadFocus) $("details-title").focus();
  }

  async keyIn() {
    const pin = this.field.value;
    this.field.value = "";
    if (pin) await this.give("pin", { pin });
  }

  notTyped() {
    this.field.value = "";
    this.say("That came from a scanner. Please type it.", true);
  }

  trouble(trouble, kind) {
    const box = $("details-trouble");
    box.hidden = !trouble;
    const lines = trouble ? [["", `${trouble.code} ${trouble.what}`], ["Likely cause", trouble.cause], ["What to do", trouble.remedy]] : [];
    if (trouble?.retryable && kind !== "failed") lines.push(["", "The bench tries again by itself."]);
    replace(box, lines.filter(([, text]) => text), ([title, text]) => {
      const line = make("p");
      if (title) line.append(make("b", "", `${title}: `));
      line.append(text);
      return line;
    });
  }

  facts(port) {
    const since = port.since ? clock(this.store.now - port.since) : "";
    const end = port.notAfter ? new Date(port.notAfter * 1000).toISOString().slice(0, 10) : "";
    const facts = [
      ["For", [who(port), port.user].filter((text, at, all) => text && all.indexOf(text) === at).join(", ")],
      ["Phone", [port.phone, port.serial].filter(Boolean).join(", ")],
      ["MAC", port.mac],
      ["In this state", since],
      ["Attempt", port.attempt > 1 ? String(port.attempt) : ""],
      ["Certificate", port.thumbprint],
      ["Valid until", end],
      ["Port", [port.address, port.bench].filter(Boolean).join(", ")],
      ["Job", port.job === null ? "" : String(port.job)],
    ].filter(([, text]) => text);
    replace($("details-facts"), facts, ([title, text]) => {
      const pair = make("div");
      pair.append(make("dt", "", title), make("dd", "", text));
      return pair;
    });
  }

  steps(steps) {
    replace($("details-steps"), steps, (step) => {
      const line = make("li");
      line.append(sign(MARK_SIGNS[step.mark] ?? "running"), make("span", "step", step.name));
      const took = step.mark === "done" || step.mark === "failed" ? duration(step.ms) : "";
      line.append(make("span", "took", [MARKS[step.mark] ?? step.mark, took].filter(Boolean).join(", ")));
      if (step.learnt) line.append(make("span", "learnt", step.learnt));
      return line;
    });
  }

  allow(port) {
    const isOurs = port.bench === this.store.name;
    const isThere = !["empty", "away"].includes(port.kind);
    const allowed = { retry: Boolean(port.trouble), skip: !port.mayUnplug, light: isThere };
    if (!isThere) this.lit.delete(port.key);
    for (const button of this.buttons) {
      setAttribute(button, "aria-disabled", !(isOurs && allowed[button.dataset.order]));
      button.title = isOurs ? "" : `That is done at bench ${port.bench}.`;
    }
    const light = this.box.querySelector('[data-order="light"]');
    setAttribute(light, "aria-pressed", this.lit.has(this.key));
  }

  async press(button) {
    if (button.getAttribute("aria-disabled") === "true") return;
    const { key } = this;
    const isLit = this.lit.has(key);
    const name = button.dataset.order === "light" && isLit ? "dark" : button.dataset.order;
    const answer = await this.give(name);
    if (answer.ok && name === "light") this.lit.add(key);
    if (answer.ok && name === "dark") this.lit.delete(key);
    this.show();
  }

  // Gives an order for the port that is shown, and says what became of it unless another is by now.
  async give(name, more = {}) {
    const { key } = this;
    const answer = await this.order(name, this.store.ports.get(key).label, more);
    if (key === this.key) this.say(answer.text, !answer.ok);
    return answer;
  }

  say(text, isBad) {
    setText($("details-said"), text);
    $("details-said").classList.toggle("bad", isBad);
  }
}

// Rebuilds a list only when it has changed: what is selected or read there stays.
function replace(box, items, build) {
  const fresh = JSON.stringify(items);
  if (box.dataset.shown === fresh) return;
  box.dataset.shown = fresh;
  box.replaceChildren(...items.map(build));
}

function nothing(key) {
  const [bench, label] = key.split("\u0000");
  return { key, bench, label, state: "empty", kind: "empty", mayUnplug: true, hand: "", asks: "", trouble: null, steps: [], since: 0, attempt: 1, job: null, user: "", name: "", phone: "", serial: "", mac: "", thumbprint: "", notAfter: null, address: "" };
}
