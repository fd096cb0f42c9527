// Marks scroll boxes that have more to show, so that a cut table looks cut: data-more="right below", data-scrolled.
const SLACK = 2; // px, for fractions of pixels

function mark(box) {
  const right = box.scrollWidth - box.clientWidth - Math.abs(box.scrollLeft) > SLACK;
  const below = box.scrollHeight - box.clientHeight - box.scrollTop > SLACK;
  const more = [right && "right", below && "below"].filter(Boolean).join(" ");
  if (more) box.dataset.more = more; else delete box.dataset.more;
  box.toggleAttribute("data-scrolled", Math.abs(box.scrollLeft) > SLACK);
}

export function startScrollHints() {
  const watch = new ResizeObserver((entries) => { for (const { target } of entries) mark(target.closest(".scroll")); });
  const found = new WeakSet();
  const look = () => {
    for (const box of document.querySelectorAll(".scroll")) {
      if (found.has(box)) continue;
      found.add(box);
      box.addEventListener("scroll", () => mark(box), { passive: true });
      watch.observe(box);
      if (box.firstElementChild) watch.observe(box.firstElementChild);
    }
  };
  look();
  // parts are fetched anew when jobs end
  new MutationObserver(look).observe(document.getElementById("main"), { childList: true, subtree: true });
}
