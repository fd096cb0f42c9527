// What the times of a chart's bars say: moments are read in the zone that was chosen, days are the same in every zone.
import { wall, zoneName } from "./zone.mjs";

const DAY = 86_400;

// Candles say how long they are; lines by the day have their points at midnight.
const areDays = ({ candle, time }) => (candle ? "dw".includes(candle.at(-1)) : time.every((at) => at % DAY === 0));

export class Moments {
  constructor(data) {
    this.days = areDays(data);
    this.zone = () => (this.days ? "" : ` ${zoneName()}`);
  }

  // epoch seconds to be read as UTC
  read(at) { return this.days ? at : wall(at); }

  day(at) { return new Date(this.read(at) * 1000).toISOString().slice(0, 10); }

  text(at) {
    return this.days ? this.day(at) : new Date(this.read(at) * 1000).toISOString().slice(0, 16).replace("T", " ");
  }

  // the zone comes with a moment that stands alone
  full(at) { return this.text(at) + this.zone(); }
}
