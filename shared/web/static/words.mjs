// What a chart says in words: its legend, a summary for those who do not see it, the title of its picture.
import { LEAST } from "./bands.mjs";
import { lengths } from "./series.mjs";

// time: of the bar under the pointer; without one the last bar's values are told
export function showLegend(chart, time) {
  const { data, legend, moments, plan } = chart;
  const index = time === undefined ? data.time.length - 1 : data.time.indexOf(time);
  if (index < 0) return;
  const say = (name, text) => {
    const place = legend.querySelector(`[data-name="${CSS.escape(name)}"]`);
    if (place) place.textContent = text;
  };
  for (const [name, text] of plan.values(data, index)) say(name, text);
  say("time", moments.full(data.time[index]));
  // in one place: a legend that grows under the pointer would move the chart
  say("length", (time === undefined ? "" : shadeAt(chart, index)) || lengths(data));
}

// What the band under the pointer stands for: it may be wider than its bar.
function shadeAt({ data, scale }, index) {
  const { shade } = data;
  const seen = scale.getVisibleLogicalRange();
  if (!shade || !seen) return "";
  const reach = Math.floor((LEAST / 2) * ((seen.to - seen.from) / scale.width()));
  const count = shade[index] || Math.max(...shade.slice(Math.max(index - reach, 0), index + reach + 1));
  return count ? `${count.toLocaleString("en")} gap ${count === 1 ? "minute" : "minutes"}` : "";
}

export function summarise({ data, group, moments, plan }) {
  const { time } = data;
  const ends = plan.values(data, time.length - 1).map(([name, text]) => `${plan.label(name)} ${text}`);
  const long = lengths(data);
  group.querySelector("[data-summary]").textContent =
    `${time.length.toLocaleString("en")} points from ${moments.day(time[0])} to ${moments.day(time.at(-1))}`
    + `${moments.zone()}${long && `, ${long}`}; at the end ${ends.join(", ")}.`;
}

// Whose page, which chart, what is on the screen.
export function title({ data, group, moments, scale }) {
  const seen = scale.getVisibleLogicalRange();
  const { time } = data;
  const [from, to] = [Math.max(Math.ceil(seen.from), 0), Math.min(Math.floor(seen.to), time.length - 1)];
  const span = `${moments.text(time[from])} to ${moments.full(time[to])}`;
  const name = group.querySelector("h2").textContent;
  return [document.querySelector("h1")?.textContent.trim(), name, span, lengths(data)].filter(Boolean).join(" · ");
}
