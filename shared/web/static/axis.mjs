// The time axis: a label that does not fit in whole at an edge is not drawn, for half of one ("98" of 1998) misleads.

// half of the longest label, in pixels
export const HALF_LABEL = 18;

// The library's own axis, whose labels also depend on where they stand. `scale` returns the chart's time scale.
export function wholeLabels(library, scale) {
  const Behaviour = library.defaultHorzScaleBehavior();
  const cut = (seconds) => {
    const at = scale()?.timeToCoordinate(seconds) ?? HALF_LABEL;
    return at < HALF_LABEL || at > scale().width() - HALF_LABEL;
  };
  return new (class extends Behaviour {
    // labels are kept by this key: what is cut here may be whole after a move. Milliseconds, so a half names no other
    cacheKey(time) {
      const key = super.cacheKey(time);
      return cut(key / 1000) ? key + 0.5 : key;
    }

    formatTickmark(mark, localization) {
      return cut(super.cacheKey(mark.time) / 1000) ? "" : super.formatTickmark(mark, localization);
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
