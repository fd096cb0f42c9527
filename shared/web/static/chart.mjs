// Time charts: wraps lightweight-charts for [data-chart] holders that macros.html makes.
//
// data-chart   "lines" or "candles"
// data-url     JSON, columnar: {"time": [epoch seconds, rising], "<name>": [number or null, ...], ...};
//              candles need "open", "high", "low", "close" and may have "volume".
//              "shade": what is wrong with each bar as a count, a band behind those above 0.
//              "timeframe": "1m", "candle": "65m": how long the bars are, and the candles made of them.
//              "markers": [{"time", "side": "long" | "short" | "exit", "text"}] puts arrows on the first series.
// data-series  JSON list: [{"name", "label", "tone": "s1|bench|hit|s4|s5|up|down", "dash", "scale": "left|right",
//              "format": "number|percent|price|money|small", "level", "names": {"0": what a state is called, ...}}]
// data-band    "true": series of the right scale get a pane of their own below, so lines never cross and each axis
//              labels its own values only
// data-refetch "true": the server answers ?from&to (epoch seconds, to is not included; without one to the end of
//              history) with finer bars after a zoom. A link [data-follow] gets the same ?from&to
import { fit, timeAxis } from "./axis.mjs";
import { colours, frameOptions } from "./look.mjs";
import { Moments } from "./moments.mjs";
import { picture } from "./picture.mjs";
import { candlePlan, linePlan } from "./series.mjs";
import { bounded, EVERYTHING, lacking, momentAt, placed, widened, wish, within } from "./travel.mjs";
import { showLegend, summarise, title } from "./words.mjs";

// a screen that many times as wide as all of history
const ENOUGH = 1.2;
const charts = new Map();

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

class TimeChart {
  constructor(holder) {
    this.holder = holder;
    this.group = holder.closest("[data-figure]");
    this.legend = this.group.querySelector(".legend");
    this.plan = holder.dataset.chart === "candles" ? candlePlan(holder) : linePlan(holder);
    this.refetches = holder.dataset.refetch === "true";
  }

  async draw() {
    const library = window.LightweightCharts;
    const data = await this.fetchData(EVERYTHING);
    this.colour = colours();
    const axis = timeAxis(library, () => this.scale, (at) => this.moments.read(at));
    this.chart = library.createChartEx(this.holder, axis, this.frame());
    this.scale = this.chart.timeScale();
    this.series = this.plan.make(this.chart, library, this.colour);
    this.hold(data, EVERYTHING);
    fit(this.scale, data.time.length);
    this.chart.subscribeCrosshairMove((at) => showLegend(this, at.time));
    this.chart.subscribeDblClick(() => this.reset());
    if (this.refetches) this.refetchOnMoves();
  }

  frame() {
    return frameOptions(this.colour, (time) => this.moments.full(time));
  }

  async fetchData(asked) {
    const answer = await fetch(this.spanned(this.holder.dataset.url, asked), { headers: { Accept: "application/json" } });
    if (!answer.ok) {
      const told = await answer.json().catch(() => null);
      throw new Error(told?.detail ?? `the data answered ${answer.status}`);
    }
    return answer.json();
  }

  spanned(address, asked) {
    const url = new URL(address, location.href);
    for (const [name, at] of Object.entries(asked)) if (at !== null) url.searchParams.set(name, at);
    return url;
  }

  // From now on these are the bars at hand.
  hold(data, asked) {
    this.data = data;
    this.moments = new Moments(data);
    this.asked = asked;
    if (asked === EVERYTHING) this.whole = { from: data.time[0], to: data.time.at(-1) };
    this.plan.fill(this.series, data, this.colour);
    showLegend(this);
    summarise(this);
    const link = this.group.querySelector("[data-follow]");
    if (link) link.href = this.spanned(link.dataset.follow, asked);
  }

  // New bars, and the screen where it belongs over them. That is no move, but may still be worth finer bars.
  show(data, asked, place) {
    this.silent = true;
    this.hold(data, asked);
    if (place) this.scale.setVisibleLogicalRange(place);
    else fit(this.scale, data.time.length);
    requestAnimationFrame(() => {
      this.silent = false;
      if (this.refetches) this.refetch();
    });
  }

  repaint() {
    this.colour = colours();
    this.chart.applyOptions(this.frame());
    this.plan.paint(this.series, this.colour);
    this.plan.fill(this.series, this.data, this.colour);
  }

  // In another zone. The library weighs ticks only when times change, so all are taken away and given back.
  rezone() {
    const place = this.scale.getVisibleLogicalRange();
    this.silent = true;
    this.plan.fill(this.series, { time: [] }, this.colour);
    this.show(this.data, this.asked, place);
  }

  refetchOnMoves() {
    this.scale.subscribeVisibleLogicalRangeChange(() => {
      if (this.silent) return;
      clearTimeout(this.timer);
      this.timer = setTimeout(() => this.refetch(), 120);
    });
  }

  // An answer that was overtaken by another wish is not shown.
  newest() {
    clearTimeout(this.timer);
    const turn = this.turn = (this.turn ?? 0) + 1;
    return () => turn === this.turn;
  }

  async refetch() {
    const seen = this.scale.getVisibleLogicalRange();
    const bars = this.data.time.length;
    // zooming out ends where all of history is seen: beyond there it would only shrink
    if (this.asked === EVERYTHING && seen.to - seen.from > bars * ENOUGH + 3) { fit(this.scale, bars); return; }
    let wanted = wish(seen, this.data, this.asked);
    if (!wanted) return;
    const current = this.newest();
    for (;;) {
      const asked = bounded(wanted, this.whole);
      if (asked.from === this.asked.from && asked.to === this.asked.to) return;
      const data = await this.fetchData(asked).catch(() => null);
      if (!current() || !data?.time.length) return;
      const kept = placed(this.scale.getVisibleLogicalRange(), this.data.time, data.time);
      const place = within(kept, data.time.length, asked);
      const still = lacking(place, data.time, asked);
      if (!still.left && !still.right) { this.show(data, asked, place); return; }
      wanted = widened(wanted, this.data.time, still);
    }
  }

  // Bars of elsewhere, null when there are none or another wish came after this one. Moves until then ask for nothing.
  async jump(asked) {
    const current = this.newest();
    this.silent = true;
    const data = await this.fetchData(asked).catch(() => null);
    if (!current()) return null;
    this.silent = false;
    return data?.time.length ? data : null;
  }

  // All of history, as it was in the beginning.
  async reset() {
    const data = this.refetches ? await this.jump(EVERYTHING) : this.data;
    if (!data) return;
    this.show(data, EVERYTHING, null);
    for (const side of ["left", "right"]) this.chart.priceScale(side).applyOptions({ autoScale: true });
  }

  // The end of history, with as many bars on the screen as before.
  async end() {
    if (this.asked.to === null) { this.scale.scrollToRealTime(); return; }
    const seen = this.scale.getVisibleLogicalRange();
    const span = momentAt(this.data.time, seen.to) - momentAt(this.data.time, seen.from);
    const asked = { ...bounded({ from: this.whole.to - 3 * span }, this.whole), to: null };
    const data = await this.jump(asked);
    if (!data) return;
    const bars = data.time.length;
    this.show(data, asked, { from: bars - Math.min(seen.to - seen.from, bars), to: bars + 1 });
  }

  picture() {
    const drawn = this.chart.takeScreenshot();
    return picture(drawn, { title: title(this), key: this.plan.key(this.colour), colour: this.colour,
      font: getComputedStyle(document.body).fontFamily, ratio: drawn.width / this.holder.clientWidth });
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
  ArrowLeft: ({ scale }) => scale.scrollToPosition(scale.scrollPosition() - 20, false),
  ArrowRight: ({ scale }) => scale.scrollToPosition(scale.scrollPosition() + 20, false),
  Home: (chart) => chart.reset(),
  End: (chart) => chart.end(),
  "+": ({ scale }) => zoom(scale, 0.7),
  "=": ({ scale }) => zoom(scale, 0.7),
  "-": ({ scale }) => zoom(scale, 1.4),
};

function zoom(scale, factor) {
  const range = scale.getVisibleLogicalRange();
  if (!range) return;
  const middle = (range.from + range.to) / 2;
  const half = ((range.to - range.from) / 2) * factor;
  scale.setVisibleLogicalRange({ from: middle - half, to: middle + half });
}

function pressed(event) {
  const chart = charts.get(event.currentTarget);
  if (!chart || !(event.key in KEYS)) return;
  KEYS[event.key](chart);
  event.preventDefault();
}

function savePicture(holder, button) {
  const link = document.createElement("a");
  link.download = `${button.dataset.png || "chart"}.png`;
  link.href = charts.get(holder).picture().toDataURL("image/png");
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
  addEventListener("zone", () => { for (const chart of charts.values()) chart.rezone(); });
}
