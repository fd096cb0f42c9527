// Keyboard keys of every page; never active while somebody types.
import { nextTheme } from "./frame.mjs";
import { nextZone } from "./zone.mjs";

let awaitingService = 0;

const rows = () => [...document.querySelectorAll("table[data-rows] tbody tr")];
const typing = (target) => target.closest("input:not([type=checkbox]), select, textarea, [contenteditable], dialog");

function select(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.getAttribute("aria-selected") === "true");
  const next = all[Math.min(all.length - 1, Math.max(0, at < 0 ? 0 : at + step))];
  for (const row of all) row.removeAttribute("aria-selected");
  next.setAttribute("aria-selected", "true");
  next.tabIndex = -1;
  next.focus({ preventScroll: true });
  next.scrollIntoView({ block: "nearest" });
}

const selected = () => document.querySelector("tr[aria-selected=true]");

export function compareChecked() {
  const link = document.querySelector("a[data-compare]");
  const ids = [...document.querySelectorAll("input[data-check]:checked")].map((box) => box.value);
  if (link && ids.length > 1) {
    const target = new URL(link.dataset.compare, location.href);
    target.searchParams.set("ids", ids.join(","));
    location.assign(target);
  }
}

function goTo(letter) {
  awaitingService = 0;
  if (letter === "j") { location.assign("/jobs"); return; }
  const link = [...document.querySelectorAll(".top nav a")].find((a) => a.dataset.letter === letter);
  if (link) location.assign(link.href);
}

const ACTIONS = {
  "/": () => document.querySelector("[data-filter]")?.focus(),
  j: () => select(1),
  k: () => select(-1),
  x: () => selected()?.querySelector("input[data-check]")?.click(),
  c: compareChecked,
  t: nextTheme,
  z: nextZone,
  g: () => { awaitingService = Date.now(); },
  "?": () => document.getElementById("keys").showModal(),
};

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
  if (event.key === "Enter") {
    if (event.target === selected()) selected().querySelector("a")?.click();
    return;
  }
  if (awaitingService && Date.now() - awaitingService < 1500) {
    event.preventDefault();
    goTo(event.key);
    return;
  }
  if (event.key in ACTIONS) {
    event.preventDefault();
    ACTIONS[event.key]();
  }
}

export function startKeys() {
  document.addEventListener("keydown", pressed);
  document.querySelector("a[data-compare]")?.addEventListener("click", (event) => {
    event.preventDefault();
    compareChecked();
  });
  for (const field of document.querySelectorAll("[data-filter]")) {
    field.addEventListener("keydown", (event) => { if (event.key === "Escape") field.blur(); });
  }
}
