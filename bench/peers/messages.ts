const envelopeBytes = 5;

/** The messages of a stream, of which parts arrive. */
export interface Messages {
  /** How many have arrived as a whole. */
  count: number;
  /** How many bytes of the present envelope, and of its message, are yet to come. */
  envelopeLeft: number;
  messageLeft: number;
}

/** Before a stream's first message. */
export function createMessages(): Messages {
  return { count: 0, envelopeLeft: envelopeBytes, messageLeft: 0 };
}

/** Counts the messages in a part of a stream. An envelope is a byte of flags, and the length of the message in four. */
export function takeMessages(
  state: Messages,
  bytes: Buffer,
  from: number,
  to: number,
  onMessage: () => void,
): void {
  let at = from;
  while (at < to) {
    if (state.envelopeLeft === envelopeBytes && to - at >= envelopeBytes) {
      state.messageLeft = bytes.readUInt32BE(at + 1);
      state.envelopeLeft = 0;
      at += envelopeBytes;
    } else if (state.envelopeLeft > 0) {
      state.messageLeft =
        state.envelopeLeft === envelopeBytes ? 0 : state.messageLeft * 256 + (bytes[at] ?? 0);
      state.envelopeLeft--;
      at++;
    }
    if (state.envelopeLeft === 0) {
      const taken = Math.min(state.messageLeft, to - at);
      state.messageLeft -= taken;
      at += taken;
      if (state.messageLeft === 0) {
        state.envelopeLeft = envelopeBytes;
        state.count++;
        onMessage();
      }
    }
  }
}
