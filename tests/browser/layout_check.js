() => {
  const faults = [];
  const page = document.documentElement;
  if (page.scrollWidth > innerWidth) faults.push(`page scrolls sideways: ${page.scrollWidth} > ${innerWidth}`);
  const walker = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.textContent;
    if (/NaN|undefined|\bNone\b|Infinity|(?<!\w)[-−]0(\.0+)?(?![\w.])/.test(text)) faults.push(`odd text: ${text.trim().slice(0, 60)}`);
  }
  for (const chart of document.querySelectorAll("[data-chart]")) {
    const canvas = chart.querySelector("canvas");
    // read from a copy: Chromium warns of a canvas that is read more than once
    const copy = canvas && Object.assign(document.createElement("canvas"), { width: canvas.width, height: canvas.height });
    const pen = copy && copy.getContext("2d", { willReadFrequently: true });
    if (pen) pen.drawImage(canvas, 0, 0);
    const drawn = pen && pen.getImageData(0, 0, copy.width, copy.height).data.some((v) => v);
    if (!drawn) faults.push(`chart not drawn: ${chart.dataset.url}`);
  }
  for (const svg of document.querySelectorAll("main svg")) {
    const frame = svg.getBoundingClientRect();
    const seen = [];
    for (const text of svg.querySelectorAll("text")) {
      const box = text.getBoundingClientRect();
      if (!box.width) continue;
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1) {
        faults.push(`label cut off: ${text.textContent}`);
      }
      for (const other of seen) {
        const wide = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
        const high = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
        if (wide > 1 && high > 4) faults.push(`labels overlap: ${text.textContent} / ${other.text}`);
      }
      seen.push({ box, text: text.textContent });
    }
  }
  return faults;
}
