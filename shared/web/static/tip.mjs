// Values of server-drawn plots: the nearest point under the pointer, or by arrow keys once the plot has focus.
function nearest(points, x, y) {
  let best = 0;
  let distance = Infinity;
  points.forEach((point, index) => {
    const d = (point[0] - x) ** 2 + (point[1] - y) ** 2;
    if (d < distance) { distance = d; best = index; }
  });
  return best;
}

function attach(plot) {
  const points = JSON.parse(plot.dataset.tips); // [[x, y, text], ...] in the plot's own units
  const told = plot.closest("figure").querySelector("[data-tip]");
  const dot = document.createElementNS("http://www.w3.org/2000/svg", "circle");
  dot.setAttribute("r", "4");
  dot.setAttribute("class", "mark");
  dot.setAttribute("visibility", "hidden");
  plot.append(dot);
  let at = -1;
  const show = (index) => {
    at = index;
    const [x, y, text] = points[index];
    dot.setAttribute("cx", x);
    dot.setAttribute("cy", y);
    dot.setAttribute("visibility", "visible");
    told.textContent = text;
  };
  plot.addEventListener("pointermove", (event) => {
    const inside = new DOMPoint(event.clientX, event.clientY).matrixTransform(plot.getScreenCTM().inverse());
    show(nearest(points, inside.x, inside.y));
  });
  plot.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    show(Math.min(points.length - 1, Math.max(0, at + step)));
  });
}

export function startTips() {
  for (const plot of document.querySelectorAll("svg[data-tips]")) attach(plot);
}
