// Hover or focus on a node lights up its ancestors and the edges that lead from them.
function ancestors(edges, id) {
  const found = new Set([id]);
  const open = [id];
  while (open.length) {
    const at = open.pop();
    for (const edge of edges) {
      if (edge.dataset.to === at && !found.has(edge.dataset.from)) {
        found.add(edge.dataset.from);
        open.push(edge.dataset.from);
      }
    }
  }
  return found;
}

function attach(drawing) {
  const edges = [...drawing.querySelectorAll(".e")];
  const nodes = [...drawing.querySelectorAll(".n")];
  const light = (id) => {
    const lit = id === null ? new Set() : ancestors(edges, id);
    for (const edge of edges) edge.classList.toggle("hot", lit.has(edge.dataset.to) && lit.has(edge.dataset.from));
    for (const node of nodes) node.classList.toggle("hot", lit.has(node.dataset.node));
  };
  for (const node of nodes) {
    for (const event of ["pointerenter", "focus"]) node.addEventListener(event, () => light(node.dataset.node));
    for (const event of ["pointerleave", "blur"]) node.addEventListener(event, () => light(null));
  }
}

export function startDags() {
  for (const drawing of document.querySelectorAll("svg[data-dag]")) attach(drawing);
}
