// What a chart draws: lines with a legend, or candles with volume and markers.
import { Bands } from "./bands.mjs";

const DASHED = 2;
const STEPS = 1;

const FORMATS = {
  number: (value) => signless(value.toFixed(2)),
  price: (value) => signless(value.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 })),
  small: (value) => signless(Math.abs(value) >= 10 ? value.toFixed(1) : value.toPrecision(3)),
  money: (value) => signless(Math.round(value).toLocaleString("en")),
  percent: (value) => `${signless((value * 100).toFixed(1))} %`,
};

// a true minus, and no sign on what rounds to zero
function signless(text) {
  return /[1-9]/.test(text) ? text.replace("-", "−") : text.replace("-", "");
}

const format = (name) => FORMATS[name] ?? FORMATS.number;

// no price is below zero, but an axis may reach there for room: it has no labels then
const onAxis = (read) => (value) => (value < 0 ? "" : read(value));

const UNITS = { m: " min", h: " h", d: "-day", w: "-week" };

// "65m" -> "65 min", "5d" -> "5-day"
const long = (length) => `${length.slice(0, -1)}${UNITS[length.at(-1)]}`;

// how long candles are, and the bars they were made of; nothing where the data do not say
export function lengths({ timeframe, candle }) {
  if (!candle) return "";
  return candle === timeframe ? `${long(candle)} candles` : `${long(timeframe)} bars, drawn as ${long(candle)} candles`;
}

// how a series' values read: states have names, and nothing lies between two states
function reading(spec) {
  return spec.names ? (value) => (Number.isInteger(value) ? spec.names[value] ?? "" : "") : format(spec.format);
}

function points(data, name) {
  const values = data[name] ?? [];
  return data.time.map((time, index) => (values[index] === null || values[index] === undefined
    ? { time } : { time, value: values[index] }));
}

function markersOf(data, colour) {
  const looks = {
    long: { position: "belowBar", shape: "arrowUp", color: colour.up },
    short: { position: "aboveBar", shape: "arrowDown", color: colour.down },
    exit: { position: "aboveBar", shape: "circle", color: colour.muted },
  };
  return (data.markers ?? []).map(({ time, side, text }) => ({ time, text, ...looks[side] }));
}

export function linePlan(holder) {
  const specs = JSON.parse(holder.dataset.series);
  const paneOf = (spec) => (holder.dataset.band === "true" && (spec.scale ?? "right") === "right" ? 1 : 0);
  let markers = null;
  const look = (spec, colour) => ({
    color: colour[spec.tone ?? "s1"], lineWidth: spec.dash ? 1 : 2, lineStyle: spec.dash ? DASHED : 0,
    priceScaleId: spec.scale ?? "right", priceLineVisible: false, lastValueVisible: true,
    priceFormat: { type: "custom", minMove: spec.names ? 1 : 0.0001, 
      formatter: spec.format === "price" ? onAxis(reading(spec)) : reading(spec) },
    lineType: spec.names ? STEPS : 0,
  });
  return {
    label: (name) => specs.find((spec) => spec.name === name)?.label ?? name,
    key: (colour) => specs.map((spec) => [spec.label, colour[spec.tone ?? "s1"]]),
    make(chart, library, colour) {
      for (const side of ["left", "right"]) {
        chart.priceScale(side).applyOptions({ visible: specs.some((spec) => (spec.scale ?? "right") === side) });
      }
      const made = specs.map((spec) => chart.addSeries(library.LineSeries, look(spec, colour), paneOf(spec)));
      const panes = chart.panes();
      if (panes.length > 1) panes.forEach((pane, index) => pane.setStretchFactor(index ? 1 : 3));
      specs.forEach((spec, index) => {
        if (spec.level !== undefined) {
          made[index].createPriceLine({ price: spec.level, color: colour.edge, lineWidth: 1, lineStyle: DASHED, axisLabelVisible: false });
        }
      });
      markers = library.createSeriesMarkers(made[0], []);
      return made;
    },
    paint: (series, colour) => series.forEach((one, index) => one.applyOptions(look(specs[index], colour))),
    fill(series, data, colour) {
      series.forEach((one, index) => one.setData(points(data, specs[index].name)));
      markers.setMarkers(markersOf(data, colour));
    },
    values: (data, index) => specs.map((spec) => {
      const value = data[spec.name]?.[index];
      return [spec.name, value === null || value === undefined ? "–" : reading(spec)(value)];
    }),
  };
}

export function candlePlan(holder) {
  const specs = JSON.parse(holder.dataset.series || "[]");
  const lines = linePlan({ dataset: { series: JSON.stringify(specs), band: holder.dataset.band } });
  let markers = null;
  // up candles are hollow, down candles filled: shape tells the direction as well as colour does
  const look = (colour) => ({
    upColor: "transparent", borderUpColor: colour.up, wickUpColor: colour.up,
    downColor: colour.down, borderDownColor: colour.down, wickDownColor: colour.down, priceLineVisible: false,
    priceFormat: { type: "custom", minMove: 0.01, formatter: onAxis(format("price")) },
    lastValueVisible: false, // its label would take the hollow body's colour; the legend has the close
  });
  const volumeLook = (colour) => ({ color: colour.line, priceScaleId: "volume", priceFormat: { type: "volume" },
    priceLineVisible: false, lastValueVisible: false });
  return {
    label: (name) => ({ open: "open", high: "high", low: "low", close: "close" }[name] ?? lines.label(name)),
    key: lines.key,
    make(chart, library, colour) {
      chart.priceScale("right").applyOptions({ visible: true, scaleMargins: { top: 0.06, bottom: 0.2 } });
      const volume = chart.addSeries(library.HistogramSeries, volumeLook(colour));
      chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.86, bottom: 0 } });
      const candles = chart.addSeries(library.CandlestickSeries, look(colour));
      // bands where data.shade is above zero: what they mean is the page's to say
      const shade = new Bands(chart);
      shade.paint(colour.hit);
      candles.attachPrimitive(shade);
      markers = library.createSeriesMarkers(candles, []);
      return { shade, volume, candles, lines: specs.length ? lines.make(chart, library, colour) : [] };
    },
    paint(series, colour) {
      series.candles.applyOptions(look(colour));
      series.volume.applyOptions(volumeLook(colour));
      series.shade.paint(colour.hit);
      if (specs.length) lines.paint(series.lines, colour);
    },
    fill(series, data, colour) {
      const { time, open, high, low, close, volume } = data;
      series.candles.setData(time.map((at, i) => (open[i] === null
        ? { time: at } : { time: at, open: open[i], high: high[i], low: low[i], close: close[i] })));
      series.volume.setData(volume ? time.map((at, i) => ({ time: at, value: volume[i] ?? 0 })) : []);
      // a minute has nothing missing in it, only before the next one
      series.shade.set(data.shade ?? [], data.candle === "1m" ? 0.5 : 0);
      markers.setMarkers(markersOf(data, colour));
      if (specs.length) lines.fill(series.lines, data, colour);
    },
    values(data, index) {
      const prices = ["open", "high", "low", "close"].map((name) => {
        const value = data[name][index];
        return [name, value === null ? "–" : format("price")(value)];
      });
      return specs.length ? [...prices, ...lines.values(data, index)] : prices;
    },
  };
}
