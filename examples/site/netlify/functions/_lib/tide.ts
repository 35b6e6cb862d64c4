// The tide at the harbour, as a wave of half a lunar day.
export enum Water { High = 'high', Low = 'low', Rising = 'rising', Falling = 'falling' }

const period = 12.42 * 3600_000;

export function water(at: Date): Water {
  const phase = (at.getTime() % period) / period;
  if (phase < 0.1 || phase > 0.9) return Water.High;
  if (phase > 0.4 && phase < 0.6) return Water.Low;
  return phase < 0.5 ? Water.Falling : Water.Rising;
}
