// The height of the tide in the harbour, by the rule of twelfths. No page shows
// it any more: a fault on purpose, for dead-code-audit.

const twelfths = [0, 1, 3, 6, 9, 11, 12]

/** The height so many whole hours after low water, in metres. */
export function height(hours, low, high) {
  return low + ((high - low) * twelfths[Math.min(Math.max(hours, 0), 6)]) / 12
}

/** Whether there is water enough at the jetty. */
export const afloat = (hours, low, high, draught = 0.4) => height(hours, low, high) > draught
