// Scans: a barcode scanner types like a keyboard, only faster, and ends with Enter. What it types
// is taken wherever the focus is, and presses no button; or one keys it in.

import { $, setText } from "./dom.js";

const FASTEST_HAND = 50; // ms between two keys: no hand is as fast as a scanner
const SHORTEST = 4;

export class Scan {
  // take(text) hands a scan to the bench and says what came of it; misplaced() is told of a scan
  // into a field for a PIN: it is none, and accounts lock
  constructor(take, misplaced) {
    this.take = take;
    this.misplaced = misplaced;
    this.text = "";
    this.last = 0;
    this.field = $("scan-text");
    document.addEventListener("keydown", (event) => this.key(event), true);
    $("scan").addEventListener("submit", (event) => {
      event.preventDefault();
      this.send(this.field.value);
    });
  }

  key(event) {
    if (event.target === this.field || event.ctrlKey || event.altKey || event.metaKey) return;
    const isFast = event.timeStamp - this.last < FASTEST_HAND;
    this.last = event.timeStamp;
    if (event.key === "Enter") this.enter(event, isFast);
    else if (event.key.length === 1) this.text = (isFast ? this.text : "") + event.key;
    if (event.key === " " && this.text.length > 1) event.preventDefault();
  }

  enter(event, isFast) {
    const text = isFast ? this.text : "";
    this.text = "";
    if (text.length < SHORTEST) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.target.type === "password") this.misplaced();
    else this.send(text);
  }

  async send(text) {
    this.field.value = "";
    if (text.trim()) await this.take(text.trim());
  }
}
