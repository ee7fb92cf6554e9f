// Views in words and numbers.

export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (n) => String(n).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}:${two(whole % 60)}`;
  return `${Math.floor(whole / 3600)} h ${two(Math.floor((whole % 3600) / 60))}`;
}

export function remaining(seconds) {
  const minutes = Math.round(seconds / 60);
  if (minutes < 1) return "under a minute left";
  const hours = Math.floor(minutes / 60);
  return hours ? `${hours} h ${String(minutes % 60).padStart(2, "0")} min left` : `${minutes} min left`;
}

export function duration(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 10000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`;
}

export function who(port) {
  return port.name || port.user.replace(/^sip:/, "") || port.serial || port.mac;
}

export function signOf(port) {
  return port.kind === "running" && port.trouble ? "retry" : port.kind;
}

// What somebody must do at a port, or "".
export function need(port) {
  if (port.kind === "failed") return port.trouble ? port.trouble.remedy : "Show it to whoever runs the bench.";
  if (port.kind === "away") return port.hand || "Plug it in again, at any port.";
  return port.kind === "hand" ? port.hand || port.state : "";
}

export function cable(port) {
  if (port.state === "empty") return "Nothing is plugged in.";
  if (port.kind === "away") return "The phone is away; its job goes on when it is back.";
  return port.mayUnplug ? "It may be unplugged." : "Do not unplug.";
}

// A port in a sentence, for those who hear the board.
export function spoken(port) {
  const parts = [`${port.label}: ${port.state}`, who(port)];
  if (port.kind === "failed" && port.trouble) parts.push(`${port.trouble.code} ${port.trouble.what}`);
  if (port.percent !== null) parts.push(`${port.percent} %`);
  if (port.attempt > 1) parts.push(`attempt ${port.attempt}`);
  if (port.hand) parts.push(port.hand);
  if (!port.mayUnplug && port.kind !== "away") parts.push("do not unplug");
  return parts.filter(Boolean).join(", ");
}

// A2 comes before A10.
export function byLabel(a, b) {
  return a.label.localeCompare(b.label, "en", { numeric: true });
}
