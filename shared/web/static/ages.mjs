// Ages on the page grow: "4 s ago" is never older than it says. In the words of formats.py's `seen`.

const YEAR = 365.25 * 86400;
const UNITS = [[86400, "d"], [3600, "h"], [60, "min"]];
const EVERY_MS = 1_000;

// Ages are measured by the server's clock, which the page brings along: the reader's may be set otherwise.
const apart = Date.parse(document.body.dataset.now) - performance.timeOrigin - (performance.getEntriesByType("navigation")[0]?.responseStart ?? 0);

export function age(iso) {
  const seconds = Math.max(0, (Date.now() + apart - Date.parse(iso)) / 1000);
  if (seconds >= 2 * YEAR) return `${Math.floor(seconds / YEAR)} y ago`;
  for (const [size, unit] of UNITS) if (seconds >= size) return `${Math.floor(seconds / size)} ${unit} ago`;
  return `${Math.floor(seconds)} s ago`;
}

export function startAges() {
  setInterval(() => {
    if (document.hidden) return;
    for (const place of document.querySelectorAll("time[data-age]")) {
      const words = age(place.dataset.age);
      if (place.textContent !== words) place.textContent = words;
    }
  }, EVERY_MS);
}
