// How a chart looks: the page's colours, read anew with each theme, and what of the frame depends on them.
const TOKENS = ["bg", "surface", "fg", "muted", "line", "edge", "up", "down", "s1", "bench", "hit", "s4", "s5"];

export function colours() {
  const probe = document.createElement("span");
  document.body.append(probe);
  const found = {};
  for (const token of TOKENS) {
    probe.style.color = `var(--${token})`;
    found[token] = getComputedStyle(probe).color;
  }
  probe.remove();
  return found;
}

// `say` writes the time under the crosshair
export function frameOptions(colour, say) {
  return {
    autoSize: true,
    layout: { background: { color: "transparent" }, textColor: colour.muted, fontSize: 11, attributionLogo: true,
      fontFamily: getComputedStyle(document.body).fontFamily,
      panes: { separatorColor: colour.line, separatorHoverColor: colour.edge, enableResize: false } },
    grid: { vertLines: { visible: false }, horzLines: { color: colour.line } },
    crosshair: { mode: 0, vertLine: { color: colour.edge, labelBackgroundColor: colour.edge },
      horzLine: { color: colour.edge, labelBackgroundColor: colour.edge } },
    // a label that does not fit in whole at an edge is not drawn cut. Which scales there are is the plan's to say: these
    // options are set anew with each theme
    leftPriceScale: { entireTextOnly: true, borderColor: colour.line, scaleMargins: { top: 0.08, bottom: 0.08 } },
    rightPriceScale: { entireTextOnly: true, borderColor: colour.line, scaleMargins: { top: 0.08, bottom: 0.08 } },
    timeScale: { timeVisible: true, secondsVisible: false, borderColor: colour.line, rightOffset: 2, minBarSpacing: 0.01,
      enableConflation: true },
    localization: { timeFormatter: say },
  };
}
