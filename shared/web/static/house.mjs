// Entry of every page: frame, keys, live stream, charts. Marks the page ready after the first paint.
import { startAges } from "./ages.mjs";
import { startEstimates } from "./estimate.mjs";
import { startFrame } from "./frame.mjs";
import { startKeys } from "./keys.mjs";
import { startLive } from "./live.mjs";
import { startScrollHints } from "./scroll.mjs";
import { startZone } from "./zone.mjs";

const body = document.body.dataset;

async function drawCharts() {
  const holders = document.querySelectorAll("[data-chart]");
  if (!holders.length) return;
  const { drawAll } = await import("./chart.mjs");
  await drawAll(holders, body.vendor);
}

async function drawTips() {
  if (!document.querySelector("svg[data-tips]")) return;
  const { startTips } = await import("./tip.mjs");
  startTips();
}

async function lightLineage() {
  if (!document.querySelector("svg[data-dag]")) return;
  const { startDags } = await import("./dag.mjs");
  startDags();
}

startFrame();
startZone();
startKeys();
startScrollHints();
startAges();
startEstimates();
startLive(body.static);
await Promise.allSettled([drawCharts(), drawTips(), lightLineage()]);
requestAnimationFrame(() => requestAnimationFrame(() => { document.documentElement.dataset.ready = "1"; }));
