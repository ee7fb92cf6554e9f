// Two falling tones when a phone has failed: off until somebody switches them on. A browser lets
// no page make a sound before it was clicked or typed into, so after a reload it waits for that.

import { $, setAttribute, setText } from "./dom.js";

const KEPT = "usbprov-board-sound";
const TONES = [[660, 0], [440, 0.22]];
const SECONDS = 0.2;

export class Sound {
  constructor() {
    this.button = $("sound");
    this.context = null;
    this.isOn = localStorage.getItem(KEPT) === "on";
    this.button.addEventListener("click", () => this.turn(!this.isOn));
    for (const kind of ["pointerdown", "keydown"]) document.addEventListener(kind, () => this.allow());
    this.show();
  }

  async turn(isOn) {
    this.isOn = isOn;
    localStorage.setItem(KEPT, isOn ? "on" : "off");
    await this.allow();
    this.play(); // lets one hear that it is on, and how loud
  }

  async allow() {
    if (this.isOn) {
      this.context ??= new AudioContext();
      if (this.context.state === "suspended") await this.context.resume().catch(() => {});
    }
    this.show();
  }

  show() {
    const waits = this.isOn && this.context?.state !== "running";
    setAttribute(this.button, "aria-pressed", this.isOn);
    setText(this.button, `Sound on failure: ${waits ? "on, click to allow" : this.isOn ? "on" : "off"}`);
  }

  play() {
    if (!this.isOn || this.context?.state !== "running") return;
    const begin = this.context.currentTime;
    for (const [pitch, after] of TONES) this.tone(pitch, begin + after);
  }

  tone(pitch, at) {
    const tone = this.context.createOscillator();
    const loud = this.context.createGain();
    tone.frequency.value = pitch;
    loud.gain.setValueAtTime(0.0001, at);
    loud.gain.exponentialRampToValueAtTime(0.5, at + 0.02);
    loud.gain.exponentialRampToValueAtTime(0.0001, at + SECONDS);
    tone.connect(loud).connect(this.context.destination);
    tone.start(at);
    tone.stop(at + SECONDS);
  }
}
