//! The report's style sheet.

/// Colours are told apart in grey too, by lightness and by dash.
pub(crate) const STYLE: &str = "
:root { color-scheme: light dark; --ink: #1b1f24; --paper: #ffffff; --grid: #d8dde3; --history: #8a94a0;
  --median: #1f6feb; --upper: #0b3d91; --request: #d1480b; --actual: #11845b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ec; --paper: #14171a; --grid: #33393f; --history: #76808a;
  --median: #6ea8ff; --upper: #b7d3ff; --request: #ff8a4c; --actual: #4ccb97; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper); max-width: 68rem;
  margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2rem; } h3 { font-size: 1rem; margin: 1.6rem 0 0.2rem; }
small { font-weight: normal; opacity: 0.7; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; display: block; overflow-x: auto; }
th, td { padding: 0.25rem 0.6rem; border-bottom: 1px solid var(--grid); text-align: right; }
th:first-child, td:first-child, td:nth-child(7) { text-align: left; }
a { color: inherit; }
.finding { font-weight: 600; margin: 0.2rem 0; } .warning { border-left: 3px solid var(--request); padding-left: 0.6rem; }
.note { margin: 0.1rem 0; opacity: 0.8; font-size: 0.9rem; }
.legend span { margin-right: 1.2rem; padding-left: 1.4rem; position: relative; }
.legend span::before { content: ''; position: absolute; left: 0; top: 50%; width: 1.1rem; border-top: 3px solid; }
.legend .history::before { color: var(--history); } .legend .median::before { color: var(--median); border-top-style: dotted; }
.legend .upper::before { color: var(--upper); } .legend .request::before { color: var(--request); }
.legend .now::before { color: var(--request); border-top: 2px dashed; }
.legend .actual::before { color: var(--actual); }
svg { width: 100%; height: auto; display: block; } svg text { fill: currentColor; font-size: 11px; opacity: 0.75; }
polyline { fill: none; stroke-width: 1.2; } .grid { stroke: var(--grid); stroke-width: 1; }
.history { stroke: var(--history); } .median { stroke: var(--median); stroke-dasharray: 2 3; }
.upper { stroke: var(--upper); } .request { stroke: var(--request); stroke-width: 2; } .actual { stroke: var(--actual); }
.now { stroke: var(--request); stroke-dasharray: 5 4; opacity: 0.8; }
";
