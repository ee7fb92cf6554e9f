// The curves, drawn as SVG: phones an hour, seconds a phone, and the times of the steps.

import { $, draw } from "./dom.js";
import { duration } from "./words.js";

const SAMPLES = 72;
const WIDTH = 420;
const HEIGHT = 132;
const LEFT = 44;
const RIGHT = 10;
const TOP = 12;
const BOTTOM = 20;
const LONGEST_WINDOW = 900; // seconds that a point of the rate looks back, as the bench's own rate
const LEAST_WINDOW = 20;
const NEIGHBOURS = 9; // phones whose median makes a point

export function drawCurves(store) {
  const end = store.now;
  const begin = Math.min(store.own?.started ?? end, store.finished[0]?.[0] ?? end, end - LEAST_WINDOW);
  curve($("rate"), "Phones per hour", rates(store.finished, begin, end), begin, end);
  curve($("time"), "Seconds per phone", times(store.finished, end), begin, end);
  bars($("steps"), store.steps);
}

function rates(finished, begin, end) {
  if (!finished.length) return [];
  const whole = end - begin;
  const window = Math.min(LONGEST_WINDOW, Math.max(LEAST_WINDOW, whole / 6));
  const at = finished.map(([time]) => time).sort((a, b) => a - b);
  const points = [];
  for (let n = 1; n <= SAMPLES; n += 1) {
    const now = begin + (whole * n) / SAMPLES;
    const passed = Math.min(window, now - begin);
    const count = at.filter((time) => time > now - passed && time <= now).length;
    if (passed >= Math.min(window, LEAST_WINDOW)) points.push([now, (count * 3600) / passed]);
  }
  return points;
}

function times(finished, end) {
  const ordered = [...finished].sort((a, b) => a[0] - b[0]);
  const points = ordered.map(([time], at) => {
    const near = ordered.slice(Math.max(0, at - NEIGHBOURS + 1), at + 1).map(([, ms]) => ms);
    return [Math.min(time, end), near.sort((a, b) => a - b)[Math.floor(near.length / 2)] / 1000];
  });
  const every = Math.ceil(points.length / SAMPLES);
  return points.filter((_, at) => at % every === 0 || at === points.length - 1);
}

function curve(svg, title, points, begin, end) {
  const parts = frame(svg);
  if (!points.length) return empty(svg, parts, title);
  const most = nice(Math.max(...points.map(([, value]) => value)));
  const x = (time) => LEFT + ((time - begin) / (end - begin)) * (WIDTH - LEFT - RIGHT);
  const y = (value) => HEIGHT - BOTTOM - (value / most) * (HEIGHT - TOP - BOTTOM);
  for (const part of [0, 0.5, 1]) parts.push(...rule(y(most * part), figure(most * part)));
  const line = points.map(([time, value]) => `${x(time).toFixed(1)},${y(value).toFixed(1)}`);
  const foot = y(0);
  parts.push(draw("path", { class: "area", d: `M${x(points[0][0]).toFixed(1)},${foot} L${line.join(" L")} L${x(points.at(-1)[0]).toFixed(1)},${foot} z` }));
  parts.push(draw("polyline", { class: "line", points: line.join(" ") }));
  const [lastX, lastY] = line.at(-1).split(",");
  parts.push(draw("circle", { class: "dot", cx: lastX, cy: lastY, r: 4 }));
  parts.push(...ends(begin, end));
  svg.replaceChildren(...parts);
  const top = Math.max(...points.map(([, value]) => value));
  svg.setAttribute("aria-label", `${title}: ${figure(points.at(-1)[1])} now, ${figure(top)} at most`);
}

function bars(svg, steps) {
  const parts = frame(svg);
  const shown = [...steps].filter((step) => step.p90 > 0).sort((a, b) => b.median - a.median).slice(0, 6);
  if (!shown.length) return empty(svg, parts, "Step times");
  const most = Math.max(...shown.map((step) => step.p90));
  const left = 82;
  const wide = WIDTH - left - 70;
  shown.forEach((step, at) => {
    const y = 12 + at * 21;
    parts.push(draw("text", { class: "name", x: left - 8, y: y + 5, "text-anchor": "end" }, step.name));
    parts.push(draw("rect", { class: "range", x: left, y: y - 3, width: Math.max(2, (wide * step.p90) / most), height: 6 }));
    parts.push(draw("rect", { class: "bar", x: left, y: y - 6, width: Math.max(2, (wide * step.median) / most), height: 12 }));
    parts.push(draw("text", { class: "figure", x: left + Math.max(2, (wide * step.p90) / most) + 7, y: y + 5 }, duration(step.median)));
  });
  svg.replaceChildren(...parts);
  svg.setAttribute("aria-label", `Step times, median: ${shown.map((s) => `${s.name} ${duration(s.median)}`).join(", ")}`);
}

function frame(svg) {
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  return [];
}

function empty(svg, parts, title) {
  parts.push(draw("text", { class: "none", x: WIDTH / 2, y: HEIGHT / 2, "text-anchor": "middle" }, "no phone is done yet"));
  svg.replaceChildren(...parts);
  svg.setAttribute("aria-label", `${title}: none yet`);
}

function rule(y, text) {
  return [
    draw("line", { class: "rule", x1: LEFT, x2: WIDTH - RIGHT, y1: y, y2: y }),
    draw("text", { class: "figure", x: LEFT - 6, y: y + 5, "text-anchor": "end" }, text),
  ];
}

function ends(begin, end) {
  const hour = (time) => new Date(time * 1000).toTimeString().slice(0, 5);
  return [
    draw("text", { class: "figure", x: LEFT, y: HEIGHT - 3 }, hour(begin)),
    draw("text", { class: "figure", x: WIDTH - RIGHT, y: HEIGHT - 3, "text-anchor": "end" }, hour(end)),
  ];
}

function figure(value) {
  return value >= 10 || value === 0 ? String(Math.round(value)) : value.toFixed(1);
}

// The next round number: 1, 2, 4, 6, 8 or 10 times a power of ten.
function nice(value) {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 4, 6, 8, 10].find((step) => step * power >= value) * power;
}
