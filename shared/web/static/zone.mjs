// The zone in which moments are read: UTC, the exchange's, or the reader's own.
//
// The server writes every moment in UTC: <time datetime="2024-02-01T07:00:00Z" data-at="minute">, and the name of the
// zone beside it or over its column as <span data-zone>UTC</span>. Here both are rewritten. Days are no moments: they are
// never touched. theme.js hides what is to be rewritten until that is done, so nothing flashes.
//
// data-at     "minute" or "second": how exactly
// data-since  another moment: the day is left out where it is that moment's
const KEY = "zone";
const EXCHANGE = "America/New_York";
// names under which browsers know UTC, or say that they know nothing
const PLAIN = /^(Etc\/)?(UTC|UCT|GMT|Zulu|Universal|Greenwich|Unknown)$/;

const own = Intl.DateTimeFormat().resolvedOptions().timeZone ?? "UTC";
const ZONES = { utc: "UTC", exchange: EXCHANGE, own: PLAIN.test(own) ? "UTC" : own };
const ROUND = [...new Set(Object.values(ZONES))];
const WHAT = { utc: "", exchange: ", the exchange's", own: ", this browser's" };

const DAY = 86_400;

const clocks = new Map(); // zone -> formatter: making one takes long
const days = new Map(); // zone -> day -> how far ahead of UTC it begins

function stored() {
  let kept = null;
  try { kept = localStorage.getItem(KEY); } catch { /* storage is off */ }
  return Object.hasOwn(ZONES, kept) ? kept : "utc";
}

let zone = ZONES[stored()];

function clock() {
  if (!clocks.has(zone)) {
    clocks.set(zone, new Intl.DateTimeFormat("en-US", { timeZone: zone, hourCycle: "h23", year: "numeric",
      month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric" }));
  }
  return clocks.get(zone);
}

// "America/New_York" -> "New York"; of Etc/GMT+5 the whole, for its sign is the other way round
export const zoneName = () => (zone.startsWith("Etc/") ? zone : zone.split("/").at(-1).replaceAll("_", " "));

// Epoch seconds that, read as UTC, say what a clock in the zone says at `at`. To be read, never to be reckoned with: in
// autumn an hour comes twice.
export function wall(at) {
  if (zone === "UTC") return at;
  const day = Math.floor(at / DAY);
  const ahead = aheadOnDay(day);
  return at + (ahead === aheadOnDay(day + 1) ? ahead : aheadAt(at));
}

// How many seconds the zone is ahead of UTC.
function aheadAt(at) {
  const part = {};
  for (const { type, value } of clock().formatToParts(at * 1000)) part[type] = Number(value);
  return Date.UTC(part.year, part.month - 1, part.day, part.hour, part.minute, part.second) / 1000 - Math.floor(at);
}

// The same when a day begins in UTC: a chart reads thousands of times, and each formatted costs some 20 us.
function aheadOnDay(day) {
  const known = days.get(zone) ?? days.set(zone, new Map()).get(zone);
  if (!known.has(day)) known.set(day, aheadAt(day * DAY));
  return known.get(day);
}

const onTheWall = (iso) => new Date(wall(Date.parse(iso) / 1000) * 1000).toISOString().replace("T", " ");

function written({ dateTime, dataset }) {
  const text = onTheWall(dateTime);
  const day = dataset.since && onTheWall(dataset.since).startsWith(text.slice(0, 10)) ? 11 : 0;
  return text.slice(day, dataset.at === "second" ? 19 : 16);
}

// Rewrites what is in `part` of a page, and returns it.
export function zoned(part) {
  for (const place of part.querySelectorAll("time[data-at]")) place.textContent = written(place);
  for (const place of part.querySelectorAll("[data-zone]")) place.textContent = zoneName();
  return part;
}

function show(choice) {
  zone = ZONES[choice];
  const button = document.getElementById("zone");
  button.textContent = zoneName();
  button.setAttribute("aria-label", `Time zone: ${zoneName()}`);
  button.title = `Times are shown in ${zone}${WHAT[choice]}`;
  zoned(document);
  delete document.documentElement.dataset.unzoned;
  dispatchEvent(new CustomEvent("zone"));
}

export function nextZone() {
  const next = ROUND[(ROUND.indexOf(zone) + 1) % ROUND.length];
  const choice = Object.keys(ZONES).find((name) => ZONES[name] === next);
  try { localStorage.setItem(KEY, choice); } catch { /* not kept, still shown */ }
  show(choice);
}

export function startZone() {
  show(stored());
  document.getElementById("zone").addEventListener("click", nextZone);
  addEventListener("storage", ({ key }) => { if (key === KEY || key === null) show(stored()); }); // another tab chose
  addEventListener("pageshow", ({ persisted }) => { if (persisted) show(stored()); }); // another page did, meanwhile
}
