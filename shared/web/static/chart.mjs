// Time charts: wraps lightweight-charts for [data-chart] holders that macros.html makes.
//
// data-chart   "lines" or "candles"
// data-url     JSON, columnar: {"time": [epoch seconds, rising], "<name>": [number or null, ...], ...};
//              candles need "open", "high", "low", "close" and may have "volume".
//              "markers": [{"time", "side": "long" | "short" | "exit", "text"}] puts arrows on the first series.
// data-series  JSON list: [{"name", "label", "tone": "s1|bench|hit|s4|s5|up|down", "dash", "scale": "left|right",
//              "format": "number|percent|price|money|small", "level", "names": {"0": what a state is called, ...}}]
// data-band    "true": series of the right scale get a pane of their own below, so lines never cross and each axis
//              labels its own values only
// data-refetch "true": the server answers ?from&to (epoch seconds) with finer bars after a zoom
import { candlePlan, linePlan } from "./series.mjs";

const TOKENS = ["bg", "fg", "muted", "line", "edge", "up", "down", "s1", "bench", "hit", "s4", "s5"];
const charts = new Map();

function colours() {
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

function loadLibrary(url) {
  if (window.LightweightCharts) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = url;
    script.onload = resolve;
    script.onerror = () => reject(new Error("the chart library could not be loaded"));
    document.head.append(script);
  });
}

function frameOptions(colour) {
  return {
    autoSize: true,
    layout: { background: { color: "transparent" }, textColor: colour.muted, fontSize: 11, attributionLogo: true,
      fontFamily: getComputedStyle(document.body).fontFamily,
      panes: { separatorColor: colour.line, separatorHoverColor: colour.edge, enableResize: false } },
    grid: { vertLines: { visible: false }, horzLines: { color: colour.line } },
    crosshair: { mode: 0, vertLine: { color: colour.edge, labelBackgroundColor: colour.edge },
      horzLine: { color: colour.edge, labelBackgroundColor: colour.edge } },
    // a label that does not fit in whole at an edge is not drawn cut
    leftPriceScale: { visible: false, entireTextOnly: true, borderColor: colour.line, scaleMargins: { top: 0.08, bottom: 0.08 } },
    rightPriceScale: { visible: false, entireTextOnly: true, borderColor: colour.line, scaleMargins: { top: 0.08, bottom: 0.08 } },
    timeScale: { timeVisible: true, secondsVisible: false, borderColor: colour.line, rightOffset: 2, minBarSpacing: 0.01,
      enableConflation: true },
    localization: { timeFormatter: (time) => `${new Date(time * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC` },
  };
}

class TimeChart {
  constructor(holder) {
    this.holder = holder;
    this.group = holder.closest("[data-figure]");
    this.legend = this.group.querySelector(".legend");
    this.plan = holder.dataset.chart === "candles" ? candlePlan(holder) : linePlan(holder);
  }

  async draw() {
    const library = window.LightweightCharts;
    this.data = await this.fetchData();
    this.whole = { from: this.data.time[0], to: this.data.time.at(-1) };
    this.colour = colours();
    this.chart = library.createChart(this.holder, frameOptions(this.colour));
    this.series = this.plan.make(this.chart, library, this.colour);
    this.fill();
    this.chart.timeScale().fitContent();
    this.chart.subscribeCrosshairMove((at) => this.showLegend(at.time));
    if (this.holder.dataset.refetch === "true") this.refetchOnZoom();
    this.showLegend();
    this.summarise();
  }

  async fetchData(range) {
    const url = new URL(this.holder.dataset.url, location.href);
    if (range) { url.searchParams.set("from", Math.floor(range.from)); url.searchParams.set("to", Math.ceil(range.to)); }
    const answer = await fetch(url, { headers: { Accept: "application/json" } });
    if (!answer.ok) {
      const told = await answer.json().catch(() => null);
      throw new Error(told?.detail ?? `the data answered ${answer.status}`);
    }
    return answer.json();
  }

  fill() {
    this.plan.fill(this.series, this.data, this.colour);
  }

  repaint() {
    this.colour = colours();
    this.chart.applyOptions(frameOptions(this.colour));
    this.plan.paint(this.series, this.colour);
    this.fill();
  }

  // Zooming in asks for the visible span with one screen to either side; panning inside that asks for nothing.
  refetchOnZoom() {
    let timer = 0;
    this.chart.timeScale().subscribeVisibleTimeRangeChange((range) => {
      if (!range || this.silent) return;
      clearTimeout(timer);
      timer = setTimeout(() => this.refetch(range), 120);
    });
  }

  // What is seen, also beyond the bars at hand: the library's own range ends where the data do.
  seen(range) {
    const { time } = this.data;
    const last = time.length - 1;
    const logical = this.chart.timeScale().getVisibleLogicalRange();
    const step = last ? (time[last] - time[0]) / last : 0;
    return {
      from: logical.from < -1 ? Math.max(this.whole.from, time[0] + logical.from * step) : range.from,
      to: logical.to > last + 3 ? Math.min(this.whole.to, time[last] + (logical.to - last) * step) : range.to,
    };
  }

  async refetch(visible) {
    const range = this.seen(visible);
    const width = range.to - range.from;
    const padded = { from: range.from - width, to: range.to + width };
    const shown = this.asked ?? { from: this.data.time[0], to: this.data.time.at(-1) };
    const inside = range.from >= shown.from && range.to <= shown.to;
    if (inside && width > (shown.to - shown.from) / 5) return;
    const data = await this.fetchData(padded).catch(() => null);
    if (!data?.time.length) return;
    this.asked = padded;
    this.data = data;
    this.silent = true;
    this.fill();
    this.chart.timeScale().setVisibleRange(range);
    requestAnimationFrame(() => { this.silent = false; });
    this.showLegend();
  }

  showLegend(time) {
    const index = time === undefined ? this.data.time.length - 1 : this.data.time.indexOf(time);
    if (index < 0) return;
    for (const [name, text] of this.plan.values(this.data, index)) {
      const place = this.legend.querySelector(`[data-name="${CSS.escape(name)}"]`);
      if (place) place.textContent = text;
    }
    const when = this.legend.querySelector("[data-name=time]");
    if (when) when.textContent = `${new Date(this.data.time[index] * 1000).toISOString().slice(0, 16).replace("T", " ")} UTC`;
  }

  summarise() {
    const { time } = this.data;
    const day = (at) => new Date(at * 1000).toISOString().slice(0, 10);
    const ends = this.plan.values(this.data, time.length - 1).map(([name, text]) => `${this.plan.label(name)} ${text}`);
    this.group.querySelector("[data-summary]").textContent =
      `${time.length.toLocaleString("en")} points from ${day(time[0])} to ${day(time.at(-1))} UTC; at the end ${ends.join(", ")}.`;
  }
}

function fail(holder, error) {
  const told = document.createElement("div");
  told.className = "empty";
  told.textContent = `This chart could not be drawn: ${error.message}. `;
  const retry = document.createElement("button");
  retry.className = "btn";
  retry.type = "button";
  retry.textContent = "Retry";
  retry.addEventListener("click", () => { told.remove(); holder.hidden = false; drawOne(holder); });
  told.append(retry);
  holder.hidden = true;
  holder.after(told);
}

async function drawOne(holder) {
  const chart = new TimeChart(holder);
  try {
    await chart.draw();
    charts.set(holder, chart);
  } catch (error) {
    chart.chart?.remove();
    fail(holder, error);
  }
}

const KEYS = {
  ArrowLeft: (scale) => scale.scrollToPosition(scale.scrollPosition() - 20, false),
  ArrowRight: (scale) => scale.scrollToPosition(scale.scrollPosition() + 20, false),
  Home: (scale) => scale.fitContent(),
  End: (scale) => scale.scrollToRealTime(),
};

function zoom(scale, factor) {
  const range = scale.getVisibleLogicalRange();
  if (!range) return;
  const middle = (range.from + range.to) / 2;
  const half = ((range.to - range.from) / 2) * factor;
  scale.setVisibleLogicalRange({ from: middle - half, to: middle + half });
}

function pressed(event) {
  const chart = charts.get(event.currentTarget)?.chart;
  if (!chart) return;
  const scale = chart.timeScale();
  if (event.key in KEYS) KEYS[event.key](scale);
  else if (event.key === "+" || event.key === "=") zoom(scale, 0.7);
  else if (event.key === "-") zoom(scale, 1.4);
  else return;
  event.preventDefault();
}

function savePicture(holder, button) {
  const link = document.createElement("a");
  link.download = `${button.dataset.png || "chart"}.png`;
  link.href = charts.get(holder).chart.takeScreenshot().toDataURL("image/png");
  link.click();
}

export async function drawAll(holders, libraryUrl) {
  await loadLibrary(libraryUrl).catch((error) => { for (const holder of holders) fail(holder, error); });
  if (!window.LightweightCharts) return;
  await Promise.all([...holders].map(async (holder) => {
    holder.addEventListener("keydown", pressed);
    holder.closest("[data-figure]").querySelector("[data-png]")
      ?.addEventListener("click", (event) => savePicture(holder, event.currentTarget));
    await drawOne(holder);
  }));
  addEventListener("theme", () => { for (const chart of charts.values()) chart.repaint(); });
}
