// The connection to the bench: the key, the stream of events, and what to do when it breaks.

const FIRST_WAIT = 500; // ms before the first new attempt; doubled with each
const LONGEST_WAIT = 15000;
const SILENCE = 10000; // ms without a word, not even a beat, after which the stream is dead

export class Link {
  // told: state(news), up(), lost(text), refused(), ended()
  constructor(told) {
    this.told = told;
    this.command = "";
    this.isPrivate = false; // whether nobody else can read what is sent
    this.wait = FIRST_WAIT;
    this.source = null;
    this.timer = 0;
    this.watchdog = 0;
    window.addEventListener("online", () => this.retryNow());
    window.addEventListener("hashchange", () => this.open());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.retryNow();
    });
  }

  async open() {
    this.close();
    try {
      const answer = await this.enter();
      if (answer.status === 401) return this.told.refused();
      if (!answer.ok) throw new Error(answer.statusText);
      const told = await answer.json();
      this.command = told.command;
      this.isPrivate = told.private;
      this.listen();
    } catch {
      this.lost();
    }
  }

  // The token stands behind the # of the link. It is changed for a cookie and taken off the
  // address, where somebody might read or copy it.
  async enter() {
    const token = new URLSearchParams(location.hash.slice(1)).get("token");
    if (!token) return fetch("/session", { cache: "no-store" });
    const answer = await fetch("/session", { method: "POST", headers: { "X-Board-Token": token } });
    history.replaceState(null, "", location.pathname);
    return answer;
  }

  listen() {
    this.source = new EventSource("/events");
    this.source.addEventListener("state", (event) => {
      this.heard();
      this.wait = FIRST_WAIT;
      this.told.up();
      this.told.state(JSON.parse(event.data));
    });
    this.source.addEventListener("beat", () => this.heard());
    this.source.addEventListener("end", () => this.lost("The bench has ended."));
    this.source.addEventListener("error", () => this.lost());
    this.heard();
  }

  heard() {
    clearTimeout(this.watchdog);
    this.watchdog = setTimeout(() => this.lost(), SILENCE);
  }

  lost(text = "Connection lost.") {
    this.close();
    this.told.lost(text);
    this.timer = setTimeout(() => this.open(), this.wait * (0.8 + 0.4 * Math.random()));
    this.wait = Math.min(2 * this.wait, LONGEST_WAIT);
  }

  retryNow() {
    if (this.timer) this.open();
  }

  close() {
    clearTimeout(this.timer);
    clearTimeout(this.watchdog);
    this.timer = 0;
    this.source?.close();
    this.source = null;
  }

  // Gives the bench an order; returns { ok, text }. More is what it carries besides.
  async order(order, of, more = {}) {
    try {
      const answer = await fetch("/order", {
        method: "POST",
        headers: { "Content-Type": "application/json", "X-Board-Command": this.command },
        body: JSON.stringify({ order, of, ...more }),
      });
      const told = await answer.json();
      if (answer.ok) return { ok: true, text: told.said };
      const text = [told.code, told.problem, told.remedy].filter(Boolean).join(" – ");
      return { ok: false, text };
    } catch {
      return { ok: false, text: "That did not reach the bench: connection lost." };
    }
  }
}
