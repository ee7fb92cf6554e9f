"""The page's style sheet: on a wall, on a telephone, on A4 paper; nothing is loaded."""

STYLE = """
:root { color-scheme: light; --ink: #1b1f24; --soft: #57606a; --rule: #d0d7de;
  --done: #1a7f37; --failed: #b3261e; --unfinished: #6e7781; --bar: #0b5cad; }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1rem; max-width: 76rem; color: var(--ink); background: #fff;
  font: 1rem/1.45 system-ui, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
h1 { font-size: 1.6rem; margin: 0 0 .2rem; }
h2 { font-size: 1.15rem; margin: 2rem 0 .6rem; }
p { margin: .3rem 0; }
.soft { color: var(--soft); }
.mono { font-family: ui-monospace, "DejaVu Sans Mono", Consolas, monospace; font-size: .85em;
  overflow-wrap: anywhere; }
.whole { white-space: nowrap; }
dl.sums { display: grid; grid-template-columns: repeat(auto-fit, minmax(8.5rem, 1fr)); gap: .6rem;
  margin: 1rem 0; }
dl.sums div { border: 1px solid var(--rule); border-radius: .4rem; padding: .5rem .7rem; }
dl.sums dt { color: var(--soft); font-size: .85rem; }
dl.sums dd { margin: 0; font-size: 1.5rem; font-weight: 600; }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 27rem), 1fr));
  gap: 0 2rem; align-items: start; }
svg { display: block; width: 100%; max-width: 38rem; height: auto; }
svg text { font-size: 13px; fill: var(--ink); }
.done { fill: var(--done); } .failed { fill: var(--failed); }
.unfinished { fill: var(--unfinished); }
svg .on-done, svg .on-failed, svg .on-unfinished { fill: #fff; font-weight: 600; }
.bar { fill: var(--bar); } .grid { stroke: var(--rule); }
.dot { fill: var(--bar); fill-opacity: .45; } .whisker { stroke: var(--ink); }
.box { fill: none; stroke: var(--ink); } .median { stroke: var(--failed); stroke-width: 2.5; }
table { border-collapse: collapse; width: 100%; font-size: .88rem; }
caption { text-align: left; color: var(--soft); padding-bottom: .3rem; }
th, td { text-align: left; vertical-align: top; padding: .3rem .5rem;
  border-bottom: 1px solid var(--rule); overflow-wrap: anywhere; }
th { font-weight: 600; } thead th { border-bottom: 2px solid var(--ink); }
tbody th { min-width: 7em; } td:not(.number) { min-width: 4em; }
.hash { display: inline-block; min-width: 22ch; }
td.number, th.number { text-align: right; white-space: nowrap; }
.stand { font-weight: 600; }
.stand-done { color: var(--done); } .stand-failed { color: var(--failed); }
.stand-unfinished, .stand-retired { color: var(--soft); }
footer { margin-top: 2rem; font-size: .85rem; }
@media (max-width: 46rem) {
  thead { display: block; position: absolute; width: 1px; height: 1px; overflow: hidden;
    clip-path: inset(50%); }
  caption, table, tbody, tr, td, tbody th { display: block; }
  tr { border: 1px solid var(--rule); border-radius: .4rem; margin-bottom: .6rem; padding: .3rem; }
  td, tbody th, td.number { border: 0; text-align: left; padding: .1rem .4rem;
    white-space: normal; }
  td::before { content: attr(data-name) ": "; color: var(--soft); }
}
@page { size: A4; margin: 12mm; }
@media print {
  body { padding: 0; max-width: none; font-size: 9pt; }
  h1 { font-size: 15pt; } h2 { font-size: 11pt; break-after: avoid; margin: 12pt 0 4pt; }
  table { font-size: 7.5pt; } th, td { padding: 2pt 3pt; }
  thead { display: table-header-group; }
  tr, svg, dl.sums div { break-inside: avoid; }
  .plots { grid-template-columns: 1fr 1fr; gap: 0 8mm; }
  * { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
}
"""
