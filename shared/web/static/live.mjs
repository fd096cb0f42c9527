// Keeps the page true: the live badge, job rows and panels, workers, and parts to fetch anew when a job ends.
import { age } from "./ages.mjs";
import { Stream } from "./stream.mjs";
import { zoned } from "./zone.mjs";

const LOOKS = {
  PENDING: ["wait", "waiting"], RUNNING: ["run", "running"], COMPLETED: ["done", "done"],
  FAILED: ["fail", "failed"], CANCELLED: ["off", "cancelled"],
};
const ENDED = ["COMPLETED", "FAILED", "CANCELLED"];
const ANY_ATTEMPTS = 1_000; // as formats.py has it
const ASK_MS = 5_000; // a job page that heard nothing of its job for so long asks

const REFRESH_MS = 1_000;
const GUESS_S = 5;
const CLOCKS_APART_MS = 2_000; // the browser's and the server's; a part fetched in vain costs little

// a refused form is answered where it was sent to, which cannot be asked for; and it holds what was typed
const refused = performance.getEntriesByType("navigation")[0]?.responseStatus >= 400;

const workers = new Map();
const heardOf = new Map(); // job id -> when
const firstSeen = new Map(); // job id -> how far an attempt was when it was first heard of
const states = new Map(); // job id -> state, to notice the moment a job ends
const newJobs = new Set();
const refreshing = new Set(); // ids of parts that will be fetched anew

function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const badge = (look, ...words) => element("span", { class: "st", "data-look": look }, element("span", {}, ...words));
// ages.mjs lets it grow
const ago = (iso) => element("time", { "data-age": iso }, age(iso));

// How long a job still takes by what was seen of it here; a worker that took it over half done spoils no guess.
function remaining(job) {
  const now = Date.now();
  const seen = firstSeen.get(job.id);
  if (job.state !== "RUNNING" || seen?.attempt !== job.attempt) {
    firstSeen.set(job.id, { attempt: job.attempt, progress: job.progress, at: now });
    return "";
  }
  const [done, took] = [job.progress - seen.progress, (now - seen.at) / 1000];
  if (done <= 0 || took < GUESS_S) return "";
  const left = (took * (1 - job.progress)) / done;
  return left < 60 ? `about ${Math.ceil(left)} s left` : `about ${Math.round(left / 60)} min left`;
}

function doing(job) {
  if (job.state === "FAILED") return [element("span", { class: "err" }, job.error ?? "")];
  if (job.state !== "RUNNING") return [];
  const bar = element("progress", { max: "1", "aria-label": "progress", "data-f": "bar" });
  bar.value = job.progress;
  const parts = [bar, element("span", { "data-f": "percent" }, `${Math.floor(job.progress * 100)} %`)];
  parts.push(element("span", { class: "note", "data-f": "left" }));
  if (job.note) parts.push(element("span", { class: "note", "data-f": "note" }, job.note));
  return [element("span", { class: "progress" }, ...parts)];
}

function fill(holder, name, ...content) {
  holder.querySelector(`[data-f="${name}"]`)?.replaceChildren(...content);
}

function updateFields(holder, job, left) {
  fill(holder, "state", badge(...LOOKS[job.state]));
  const bar = holder.querySelector('[data-f="bar"]');
  if (bar && job.state === "RUNNING") { // keep the element, so its width moves smoothly
    bar.value = job.progress;
    fill(holder, "percent", `${Math.floor(job.progress * 100)} %`);
    fill(holder, "left", left);
    const note = holder.querySelector('[data-f="note"]');
    if (note) note.textContent = job.note;
    else if (job.note) bar.parentElement.append(element("span", { class: "note", "data-f": "note" }, job.note));
  } else fill(holder, "doing", ...(holder.dataset.panel && job.state === "FAILED" ? [] : doing(job)));
  fill(holder, "attempt", job.max_attempts < ANY_ATTEMPTS ? `${job.attempt} of ${job.max_attempts}` : `${job.attempt}`);
  fill(holder, "worker", job.worker || "");
}

async function fetchPart(url, selector) {
  const answer = await fetch(url, { headers: { Accept: "text/html" } });
  if (!answer.ok) return null;
  const part = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector(selector);
  return part && zoned(part);
}

async function swapPanel(holder) {
  const fresh = await fetchPart(holder.dataset.panel, "[data-panel]");
  if (fresh) holder.replaceWith(document.adoptNode(fresh));
}

function showJob(job, { fromSnapshot = false } = {}) {
  heardOf.set(String(job.id), Date.now());
  const left = remaining(job);
  for (const holder of document.querySelectorAll(`[data-job="${job.id}"]`)) {
    const turned = holder.dataset.panel && holder.dataset.state !== job.state;
    holder.dataset.state = job.state;
    if (turned && (ENDED.includes(job.state) || job.state === "RUNNING")) swapPanel(holder);
    else updateFields(holder, job, left);
  }
  const before = states.get(job.id);
  states.set(job.id, job.state);
  const news = fromSnapshot && before === undefined ? changedSinceAsked(job) : before !== job.state;
  if (news) refreshParts(job);
  noticeNew(job);
}

// Between the page's making and the first look at the stream a job may have begun or ended.
function changedSinceAsked(job) {
  return Date.parse(job.finished_at ?? job.started_at ?? job.created_at) > performance.timeOrigin - CLOCKS_APART_MS;
}

// New rows wait behind a button: a row never moves under the pointer.
function noticeNew(job) {
  const body = document.querySelector('tbody[data-jobs="newest"]');
  const newest = Number(body?.querySelector("tr")?.dataset.job ?? 0);
  if (body ? job.id <= newest : !document.getElementById("new-jobs")) return;
  newJobs.add(job.id);
  const button = document.getElementById("new-jobs");
  button.hidden = false;
  button.textContent = `${newJobs.size} new – show`;
  button.onclick = () => location.reload();
}

// data-refresh: kinds whose ended jobs change the part, or "*": any job's change of state does.
function refreshParts({ kind, state }) {
  if (refused) return;
  for (const part of document.querySelectorAll("[data-refresh]")) {
    const wanted = part.dataset.refresh;
    if (wanted === "*" || (ENDED.includes(state) && wanted.split(" ").includes(kind))) refreshSoon(part.id);
  }
}

// A burst of jobs costs one fetch a second, and nothing moves while the pointer is on it.
function refreshSoon(id) {
  if (refreshing.has(id)) return;
  refreshing.add(id);
  setTimeout(async () => {
    const part = document.getElementById(id);
    if (part?.matches(":hover")) await new Promise((left) => part.addEventListener("pointerleave", left, { once: true }));
    refreshing.delete(id);
    const fresh = await fetchPart(location.href, `#${CSS.escape(id)}`);
    if (fresh) document.getElementById(id)?.replaceWith(document.adoptNode(fresh));
  }, REFRESH_MS);
}

function workerState(worker) {
  if (worker.lost) return badge("stale", "lost, seen ", ago(worker.last_seen));
  if (worker.job) return badge("run", `${worker.kind} job-${worker.job}`);
  return badge("wait", "idle");
}

function showWorkers() {
  const section = document.querySelector("[data-workers]");
  if (!section) return;
  const body = section.querySelector("tbody");
  for (const row of body.querySelectorAll("tr")) if (!workers.has(row.dataset.worker)) row.remove();
  for (const worker of workers.values()) {
    let row = body.querySelector(`tr[data-worker="${CSS.escape(worker.id)}"]`);
    if (!row) {
      row = element("tr", { "data-worker": worker.id },
        element("th", { scope: "row", class: "mono" }, worker.id),
        element("td", { class: "t", "data-f": "state" }), element("td", { "data-f": "seen" }));
      body.append(row);
    }
    fill(row, "state", workerState(worker));
    fill(row, "seen", ago(worker.last_seen));
  }
  const lost = [...workers.values()].filter((worker) => worker.lost).length;
  fill(section, "summary", `${workers.size - lost} alive · ${lost} lost`);
  section.querySelector(".scroll").hidden = !workers.size;
  section.querySelector('[data-f="none"]').hidden = workers.size > 0;
}

function received(message) {
  if (message.type === "state") {
    const live = document.getElementById("live");
    live.dataset.state = message.state;
    live.textContent = message.state;
  } else if (message.type === "snapshot") {
    for (const job of Object.values(message.entities.jobs ?? {})) showJob(job, { fromSnapshot: true });
    workers.clear();
    for (const worker of Object.values(message.entities.workers ?? {})) workers.set(worker.id, worker);
    showWorkers();
  } else if (message.topic === "workers") {
    const before = workers.get(message.key)?.lost;
    if (message.data) workers.set(message.key, message.data); else workers.delete(message.key);
    showWorkers();
    if (before !== message.data?.lost) refreshParts({}); // who works, or waits for a worker, may be another now
  } else if (message.data) showJob(message.data);
}

function shareStream(staticUrl) {
  const worker = new SharedWorker(`${staticUrl}/stream-worker.js`, { type: "module", name: "stream" });
  worker.port.onmessage = ({ data }) => received(data);
  addEventListener("pagehide", () => worker.port.postMessage("bye"));
  addEventListener("pageshow", (event) => { if (event.persisted) worker.port.postMessage("hello"); });
}

// Without SharedWorker each tab has a stream of its own, closed while nobody looks at it.
function ownStream() {
  const stream = new Stream("/events?topics=jobs,workers", received);
  document.addEventListener("visibilitychange", () => (document.hidden ? stream.close() : stream.reopen()));
}

// The stream shows the newest and the running jobs; an old one that waits is asked for.
async function askForSilent() {
  if (document.hidden) return;
  for (const holder of document.querySelectorAll("[data-panel]")) {
    const id = holder.dataset.job;
    if (ENDED.includes(holder.dataset.state) || Date.now() - (heardOf.get(id) ?? 0) < ASK_MS) continue;
    const answer = await fetch(`/jobs/${id}`, { headers: { Accept: "application/json" } }).catch(() => null);
    if (!answer?.ok) continue;
    const job = await answer.json();
    showJob({ ...job, worker: job.worker_id });
  }
}

export function startLive(staticUrl) {
  if ("SharedWorker" in window) shareStream(staticUrl); else ownStream();
  setInterval(askForSilent, ASK_MS);
}
