// What a form would start, told while it is filled in: <output data-estimate="/ingest/estimate"> inside the form.
// The address gets the form's filled fields as its query, and answers {words}, or an error that says what is wrong.
const WAIT_MS = 300;

function query(form) {
  const given = [...new FormData(form)].filter(([name, value]) => name !== "idempotency_key" && value !== "");
  return new URLSearchParams(given);
}

async function words(address, signal) {
  const answer = await fetch(address, { headers: { Accept: "application/json" }, signal });
  const said = await answer.json();
  return answer.ok ? said.words : said.detail;
}

function attach(place) {
  const form = place.closest("form");
  let last = new AbortController(), waiting;

  async function tell() {
    last.abort();
    last = new AbortController();
    const { signal } = last;
    let said = "";
    // the service may be restarting: the form works without this line
    try { if (form.checkValidity()) said = await words(`${place.dataset.estimate}?${query(form)}`, signal); } catch { /* "" */ }
    if (!signal.aborted) place.textContent = said;
  }

  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(tell, WAIT_MS);
  });
  tell();
}

export function startEstimates() {
  for (const place of document.querySelectorAll("[data-estimate]")) attach(place);
}
