// The time axis: a label that does not fit in whole at an edge is not drawn, for half of one ("98" of 1998) misleads.
// Its ticks follow the clock that `read` gives, so a day begins at its own midnight. Bars keep their times, for the
// library wants them to rise, and in autumn a clock does not.

// half of the longest label, in pixels
export const HALF_LABEL = 18;

// The library's own axis, whose labels also depend on where they stand. `scale` returns the chart's time scale, `read`
// turns epoch seconds into those that say in UTC what is to be read.
export function timeAxis(library, scale, read) {
  const Behaviour = library.defaultHorzScaleBehavior();
  const cut = (seconds) => {
    const at = scale()?.timeToCoordinate(seconds) ?? HALF_LABEL;
    return at < HALF_LABEL || at > scale().width() - HALF_LABEL;
  };
  return new (class extends Behaviour {
    onTheWall(time) { return super.convertHorzItemToInternal(read(super.key(time))); }

    // how much a tick matters: more at the turn of a day than of an hour
    fillWeightsForPoints(points, start) {
      const shown = points.map((point) => ({ ...point, time: this.onTheWall(point.time) }));
      super.fillWeightsForPoints(shown, start);
      for (let at = start; at < points.length; at += 1) points[at].timeWeight = shown[at].timeWeight;
    }

    // labels are kept by this key: what is cut here may be whole after a move. Milliseconds, so a half names no other
    cacheKey(time) {
      const key = super.cacheKey(this.onTheWall(time));
      return cut(super.key(time)) ? key + 0.5 : key;
    }

    formatTickmark(mark, localization) {
      if (cut(super.key(mark.time))) return "";
      return super.formatTickmark({ ...mark, time: this.onTheWall(mark.time) }, localization);
    }
  })();
}

// Shows all bars, with room for the first label at the left.
export function fit(scale, bars) {
  const width = scale.width();
  if (width <= 2 * HALF_LABEL) { scale.fitContent(); return; }
  const room = (HALF_LABEL * (bars + 2)) / (width - HALF_LABEL);
  scale.setVisibleLogicalRange({ from: -room, to: bars + 1 });
}
