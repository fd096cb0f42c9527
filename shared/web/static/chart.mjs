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
import { fit, wholeLabels } from "./axis.mjs";
import { LEAST } from "./bands.mjs";
import { colours, frameOptions, minute } from "./look.mjs";
import { picture } from "./picture.mjs";
import { candlePlan, lengths, linePlan } from "./series.mjs";
import { bounded, EVERYTHING, lacking, momentAt, placed, widened, wish, within } from "./travel.mjs";

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
    const axis = wholeLabels(library, () => this.scale);
    this.chart = library.createChartEx(this.holder, axis, frameOptions(this.colour));
    this.scale = this.chart.timeScale();
    this.series = this.plan.make(this.chart, library, this.colour);
    this.hold(data, EVERYTHING);
    fit(this.scale, data.time.length);
    this.chart.subscribeCrosshairMove((at) => this.showLegend(at.time));
    this.chart.subscribeDblClick(() => this.reset());
    if (this.refetches) this.refetchOnMoves();
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
    this.asked = asked;
    if (asked === EVERYTHING) this.whole = { from: data.time[0], to: data.time.at(-1) };
    this.plan.fill(this.series, data, this.colour);
    this.showLegend();
    this.summarise();
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
    this.chart.applyOptions(frameOptions(this.colour));
    this.plan.paint(this.series, this.colour);
    this.plan.fill(this.series, this.data, this.colour);
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

  showLegend(time) {
    const index = time === undefined ? this.data.time.length - 1 : this.data.time.indexOf(time);
    if (index < 0) return;
    const say = (name, text) => {
      const place = this.legend.querySelector(`[data-name="${CSS.escape(name)}"]`);
      if (place) place.textContent = text;
    };
    for (const [name, text] of this.plan.values(this.data, index)) say(name, text);
    say("time", `${minute(this.data.time[index])} UTC`);
    // in one place: a legend that grows under the pointer would move the chart
    say("length", (time === undefined ? "" : this.shadeAt(index)) || lengths(this.data));
  }

  // What the band under the pointer stands for: it may be wider than its bar.
  shadeAt(index) {
    const { shade } = this.data;
    const seen = this.scale.getVisibleLogicalRange();
    if (!shade || !seen) return "";
    const reach = Math.floor((LEAST / 2) * ((seen.to - seen.from) / this.scale.width()));
    const count = shade[index] || Math.max(...shade.slice(Math.max(index - reach, 0), index + reach + 1));
    return count ? `${count.toLocaleString("en")} gap ${count === 1 ? "minute" : "minutes"}` : "";
  }

  summarise() {
    const { time } = this.data;
    const day = (at) => new Date(at * 1000).toISOString().slice(0, 10);
    const ends = this.plan.values(this.data, time.length - 1).map(([name, text]) => `${this.plan.label(name)} ${text}`);
    const long = lengths(this.data);
    this.group.querySelector("[data-summary]").textContent =
      `${time.length.toLocaleString("en")} points from ${day(time[0])} to ${day(time.at(-1))} UTC${long && `, ${long}`}; `
      + `at the end ${ends.join(", ")}.`;
  }

  // What a picture of the chart says on top: whose page, which chart, what is on the screen.
  title() {
    const seen = this.scale.getVisibleLogicalRange();
    const { time } = this.data;
    const [from, to] = [Math.max(Math.ceil(seen.from), 0), Math.min(Math.floor(seen.to), time.length - 1)];
    const span = `${minute(time[from])} to ${minute(time[to])} UTC`;
    const name = this.group.querySelector("h2").textContent;
    return [document.querySelector("h1")?.textContent.trim(), name, span, lengths(this.data)].filter(Boolean).join(" · ");
  }

  picture() {
    const drawn = this.chart.takeScreenshot();
    return picture(drawn, { title: this.title(), key: this.plan.key(this.colour), colour: this.colour,
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
}
