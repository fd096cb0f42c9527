// How the screen moves over a history of which the chart holds a part.
//
// `asked` is the part at hand: {from, to} in epoch seconds, null for an end of history. The screen is a place among
// bars ({from, to} as indices, also beyond the ends), never a span of time: where history has holes of years, how far
// a bar is from the next says nothing.
export const EVERYTHING = { from: null, to: null };

// a screen that holds less than this share of the bars at hand is worth finer ones
const FINER_BELOW = 1 / 5;
// what is asked for grows by this until it reaches over a hole
const GROWTH = 4;

const between = (value, low, high) => Math.min(Math.max(value, low), high);

// index of the last of `times` (rising) at or before `at`, 0 when there is none
function indexAt(times, at) {
  let [low, high] = [0, times.length - 1];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (times[middle] <= at) low = middle; else high = middle - 1;
  }
  return low;
}

// Where the screen `seen` over the bars `held` lies over `fresh`, the same history in more or fewer bars.
export function placed(seen, held, fresh) {
  const last = held.length - 1;
  const left = between(Math.floor(seen.from), 0, last);
  const right = between(Math.ceil(seen.to), left, last);
  const [from, to] = [indexAt(fresh, held[left]), indexAt(fresh, held[right])];
  const scale = to > from ? (to - from) / (right - left) : 1;
  return { from: from + (seen.from - left) * scale, to: to + (seen.to - right) * scale };
}

// The same screen moved so that it shows bars, where it hangs over an end of history.
export function within(place, bars, asked) {
  const over = asked.to === null ? Math.max(place.to - (bars + 1), 0) : 0;
  const under = asked.from === null ? Math.max(-1 - (place.from - over), 0) : 0;
  return { from: place.from - over + under, to: place.to - over + under };
}

// The moment at an index; beyond the bars at hand a guess, as if they went on as they are on average.
export function momentAt(times, index) {
  const last = times.length - 1;
  const step = last ? (times[last] - times[0]) / last : 60;
  if (index < 0) return times[0] + index * step;
  return index > last ? times[last] + (index - last) * step : times[Math.round(index)];
}

// Whether the screen reaches beyond the bars at hand although history goes on there; half a bar more is the axis' own.
export function lacking(seen, held, asked) {
  return { left: asked.from !== null && seen.from < -1, right: asked.to !== null && seen.to > held.length + 2 };
}

// What to ask for so that the screen can be filled, with a screen more to either side; null when all is well as it is.
export function wish(seen, data, asked) {
  const { left, right } = lacking(seen, data.time, asked);
  const width = seen.to - seen.from;
  const finest = data.candle !== undefined && data.candle === data.timeframe;
  if (!left && !right && (finest || width >= data.time.length * FINER_BELOW)) return null;
  return { from: momentAt(data.time, seen.from - width), to: momentAt(data.time, seen.to + width) };
}

// The same wish, reaching further where the answer to it still leaves the screen empty.
export function widened(wanted, times, { left, right }) {
  const [first, last] = [times[0], times.at(-1)];
  return { from: left ? first - (first - wanted.from) * GROWTH : wanted.from,
    to: right ? last + (wanted.to - last) * GROWTH : wanted.to };
}

// A wish in whole seconds; beyond the first and the last bar of all it is for an end of history, and
// both are EVERYTHING itself.
export function bounded(wanted, whole) {
  const asked = { from: wanted.from <= whole.from ? null : Math.floor(wanted.from),
    to: wanted.to >= whole.to ? null : Math.ceil(wanted.to) };
  return asked.from === null && asked.to === null ? EVERYTHING : asked;
}
