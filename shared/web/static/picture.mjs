// A chart as a picture that says by itself what it shows.
const LINE = 20;
const MARGIN = 10;

// drawn: canvas of the chart. title: one line. key: [[label, colour], ...] of its lines. ratio: its pixels per CSS pixel
export function picture(drawn, { title, key, colour, font, ratio }) {
  const head = (key.length ? 2 : 1) * LINE + MARGIN;
  const canvas = document.createElement("canvas");
  canvas.width = drawn.width;
  canvas.height = drawn.height + Math.round(head * ratio);
  const pen = canvas.getContext("2d");
  // the chart itself is transparent: on paper of another colour its text would vanish
  pen.fillStyle = colour.surface;
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(drawn, 0, canvas.height - drawn.height);
  pen.scale(ratio, ratio);
  const width = canvas.width / ratio - 2 * MARGIN;
  pen.font = `600 13px ${font}`;
  pen.fillStyle = colour.fg;
  pen.fillText(title, MARGIN, LINE, width);
  pen.font = `12px ${font}`;
  let at = MARGIN;
  for (const [label, tone] of key) {
    pen.fillStyle = tone;
    pen.fillText(label, at, 2 * LINE);
    at += pen.measureText(label).width + 2 * MARGIN;
  }
  return canvas;
}
