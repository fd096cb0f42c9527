// Bands behind candles: a series primitive that shades places on the axis of bars.
//
// However many bars share a pixel, a band keeps a width that is seen; its edges have the full colour, for its faint
// middle alone would not stand out.
export const LEAST = 6;
const EDGE = 1;
// width of a band where wide ones would cover most of the chart: all edge
const THIN = 2;

export class Bands {
  constructor(chart) {
    this.chart = chart;
    this.values = [];
    this.offset = 0;
  }

  // values: one for each bar, a band where it is above 0. offset: how far, in bars, a band lies right of its bar
  set(values, offset) {
    this.values = values;
    this.offset = offset;
    this.update?.();
  }

  paint(colour) {
    this.colour = colour;
    this.update?.();
  }

  attached({ requestUpdate }) { this.update = requestUpdate; }

  detached() { this.update = null; }

  paneViews() { return [{ zOrder: () => "bottom", renderer: () => this }]; }

  // spans in pixels of what is on the screen, those that touch made one
  spans(least) {
    const scale = this.chart.timeScale();
    const seen = scale.getVisibleLogicalRange();
    if (!seen) return [];
    const bar = scale.width() / (seen.to - seen.from);
    const half = Math.max(bar, least) / 2;
    const found = [];
    const end = Math.min(Math.ceil(seen.to) + 1, this.values.length);
    for (let index = Math.max(Math.floor(seen.from) - 1, 0); index < end; index += 1) {
      if (!this.values[index]) continue;
      const middle = scale.logicalToCoordinate(index) + this.offset * bar;
      const before = found.at(-1);
      if (before && middle - half <= before.to + 1) before.to = middle + half;
      else found.push({ from: middle - half, to: middle + half });
    }
    return found;
  }

  // as wide as can be told apart
  bands() {
    const wide = this.spans(LEAST);
    const covered = wide.reduce((sum, { from, to }) => sum + to - from, 0);
    return covered > this.chart.timeScale().width() / 2 ? this.spans(THIN) : wide;
  }

  draw(target) {
    target.useBitmapCoordinateSpace(({ context, bitmapSize, horizontalPixelRatio: ratio }) => {
      const edge = Math.max(Math.round(EDGE * ratio), 1);
      context.fillStyle = this.colour;
      for (const { from, to } of this.bands()) {
        const [left, right] = [Math.round(from * ratio), Math.round(to * ratio)];
        context.globalAlpha = 0.28;
        context.fillRect(left, 0, right - left, bitmapSize.height);
        context.globalAlpha = 1;
        context.fillRect(left, 0, edge, bitmapSize.height);
        context.fillRect(right - edge, 0, edge, bitmapSize.height);
      }
    });
  }
}
