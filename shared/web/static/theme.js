// Runs before the first paint, so a stored theme never flashes, and no time in UTC where another zone was chosen.
try {
  const theme = localStorage.getItem("theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  const zone = localStorage.getItem("zone");
  if (zone === "exchange" || zone === "own") document.documentElement.dataset.unzoned = ""; // zone.mjs takes it away
} catch { /* storage is off: the system's theme stands */ }
