// The frame around each page: theme button, clock, which siblings are down, help.
import { zoned } from "./zone.mjs";

const root = document.documentElement;
const NEXT = { dark: ["system", "light", "dark"], light: ["system", "dark", "light"] };

export const systemTheme = () => (matchMedia("(prefers-color-scheme: light)").matches ? "light" : "dark");

function storedTheme() {
  try { return localStorage.getItem("theme") ?? "system"; } catch { return "system"; }
}

function show(theme) {
  if (theme === "system") delete root.dataset.theme; else root.dataset.theme = theme;
  const button = document.getElementById("theme");
  button.textContent = { system: "◐ system", dark: "● dark", light: "○ light" }[theme];
  button.setAttribute("aria-label", `Theme: ${theme}`);
  dispatchEvent(new CustomEvent("theme"));
}

// From "system" the first step is the opposite of what the system shows, so every press changes something.
export function nextTheme() {
  const order = NEXT[systemTheme()];
  const theme = order[(order.indexOf(storedTheme()) + 1) % order.length];
  try { localStorage.setItem("theme", theme); } catch { /* not kept, still shown */ }
  show(theme);
}

function tick() {
  const clock = document.getElementById("clock");
  clock.dateTime = new Date().toISOString();
  zoned(clock.parentElement);
}

async function markSiblings() {
  let answer;
  try { answer = await fetch("/siblings", { headers: { Accept: "application/json" } }); } catch { return; }
  if (!answer.ok) return;
  for (const [name, state] of Object.entries(await answer.json())) {
    const link = document.querySelector(`.top nav a[data-name="${name}"]`);
    if (link) link.dataset.state = state;
  }
}

export function startFrame() {
  show(storedTheme());
  document.getElementById("theme").addEventListener("click", nextTheme);
  matchMedia("(prefers-color-scheme: light)").addEventListener("change", () => dispatchEvent(new CustomEvent("theme")));
  const keys = document.getElementById("keys");
  document.getElementById("help").addEventListener("click", () => keys.showModal());
  tick();
  setInterval(tick, 10_000);
  markSiblings();
  setInterval(() => { if (!document.hidden) markSiblings(); }, 30_000);
  for (const form of document.querySelectorAll("form[method=post]")) {
    form.addEventListener("submit", (event) => {
      if (form.dataset.sent) event.preventDefault();
      form.dataset.sent = "1";
    });
  }
  addEventListener("pageshow", (event) => {
    if (event.persisted) for (const form of document.forms) delete form.dataset.sent;
  });
}
