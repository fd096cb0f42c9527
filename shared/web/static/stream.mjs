// One event stream to this service, and what it last said. `tell` gets {type: "state" | "snapshot" | "event", ...}.
const STALE_MS = 8_000;
const GIVE_UP_MS = 20_000; // a stream silent for so long is opened anew
const RETRY_MS = 2_000;

export class Stream {
  constructor(url, tell) {
    this.url = url;
    this.tell = tell;
    this.state = "connecting";
    this.entities = {};
    this.heard = Date.now();
    setInterval(() => this.watch(), 1_000);
    this.open();
  }

  open() {
    this.source = new EventSource(this.url);
    this.source.onerror = () => {
      this.become("reconnecting");
      // The browser retries by itself, except after an answer that is no stream.
      if (this.source?.readyState === EventSource.CLOSED) setTimeout(() => this.reopen(), RETRY_MS);
    };
    this.source.addEventListener("ping", () => this.alive());
    this.source.addEventListener("snapshot", (event) => {
      this.entities = JSON.parse(event.data);
      this.alive();
      this.tell(this.snapshot());
    });
    for (const topic of ["jobs", "workers"]) {
      this.source.addEventListener(topic, (event) => {
        const { key, data } = JSON.parse(event.data);
        const known = (this.entities[topic] ??= {});
        if (data === null) delete known[key]; else known[key] = data;
        this.alive();
        this.tell({ type: "event", topic, key, data });
      });
    }
  }

  close() {
    this.source?.close();
    this.source = null;
  }

  reopen() {
    this.close();
    this.heard = Date.now();
    this.open();
  }

  snapshot() {
    return { type: "snapshot", entities: this.entities };
  }

  alive() {
    this.heard = Date.now();
    this.become("live");
  }

  watch() {
    if (!this.source) return;
    const silent = Date.now() - this.heard;
    if (this.state !== "reconnecting" && silent > STALE_MS) this.become("stale");
    if (this.state === "stale" && silent > GIVE_UP_MS) this.reopen();
  }

  become(state) {
    if (state === this.state) return;
    this.state = state;
    this.tell({ type: "state", state });
  }
}
