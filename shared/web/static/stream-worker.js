// SharedWorker: one stream for all tabs of this service. A browser allows six connections to an origin, so one
// stream a tab would hang the seventh.
import { Stream } from "./stream.mjs";

const ports = new Set();
let stream = null;

function tellAll(message) {
  for (const port of ports) port.postMessage(message);
}

function join(port) {
  if (ports.has(port)) return;
  ports.add(port);
  if (!stream) stream = new Stream("/events?topics=jobs,workers", tellAll);
  else if (!stream.source) stream.reopen();
  port.postMessage({ type: "state", state: stream.state });
  if (Object.keys(stream.entities).length) port.postMessage(stream.snapshot());
}

function leave(port) {
  ports.delete(port);
  if (!ports.size) stream?.close();
}

self.onconnect = (event) => {
  const port = event.ports[0];
  port.onmessage = ({ data }) => (data === "bye" ? leave(port) : join(port));
  join(port);
};
