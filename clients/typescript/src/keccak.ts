import type { Bytes } from "./bytes.js";

// Keccak-256 as Ethereum uses it: the permutation of FIPS 202 with the padding of the original submission (0x01).
// A lane of 64 bits is two words of 32, because numbers hold those and bigints are slow.

const BLOCK_BYTES = 136;
const OUTPUT_BYTES = 32;
const ROUNDS = 24;

/** Round constants, low and high words, from the linear feedback shift register of FIPS 202 section 3.2.5. */
const IOTA = roundConstants();
/** For each step of rho and pi: where a lane goes to, and by how many bits it is rotated. */
const RHO_PI = rhoPi();

function roundConstants(): ReadonlyArray<readonly [number, number]> {
  let state = 1;
  const nextBit = () => {
    const bit = state & 1;
    state = (state << 1) ^ ((state >> 7) * 0x171);
    return bit;
  };
  return Array.from({ length: ROUNDS }, () => {
    let [low, high] = [0, 0];
    for (let j = 0; j < 7; j += 1) {
      const position = 2 ** j - 1;
      if (nextBit() === 0) continue;
      if (position < 32) low |= 1 << position;
      else high |= 1 << (position - 32);
    }
    return [low, high] as const;
  });
}

function rhoPi(): ReadonlyArray<readonly [number, number]> {
  let [x, y] = [1, 0];
  return Array.from({ length: ROUNDS }, (_, t) => {
    [x, y] = [y, (2 * x + 3 * y) % 5];
    return [x + 5 * y, (((t + 1) * (t + 2)) / 2) % 64] as const;
  });
}

/** The low word of a lane rotated to the left; the high word is that of the lane with its words exchanged. */
function rotated(low: number, high: number, by: number): number {
  if (by === 0) return low;
  if (by < 32) return (low << by) | (high >>> (32 - by));
  return by === 32 ? high : (high << (by - 32)) | (low >>> (64 - by));
}

function permute(low: Int32Array, high: Int32Array): void {
  const [columnLow, columnHigh] = [new Int32Array(5), new Int32Array(5)];
  const [rowLow, rowHigh] = [new Int32Array(5), new Int32Array(5)];
  const get = (words: Int32Array, i: number) => words[i] ?? 0;
  for (const [iotaLow, iotaHigh] of IOTA) {
    // theta
    columnLow.fill(0);
    columnHigh.fill(0);
    for (let i = 0; i < 25; i += 1) {
      columnLow[i % 5] = get(columnLow, i % 5) ^ get(low, i);
      columnHigh[i % 5] = get(columnHigh, i % 5) ^ get(high, i);
    }
    for (let i = 0; i < 25; i += 1) {
      const [before, after] = [(i + 4) % 5, (i + 1) % 5];
      const [l, h] = [get(columnLow, after), get(columnHigh, after)];
      low[i] = get(low, i) ^ get(columnLow, before) ^ rotated(l, h, 1);
      high[i] = get(high, i) ^ get(columnHigh, before) ^ rotated(h, l, 1);
    }
    // rho and pi
    let [l, h] = [get(low, 1), get(high, 1)];
    for (const [to, by] of RHO_PI) {
      const [nextL, nextH] = [get(low, to), get(high, to)];
      low[to] = rotated(l, h, by);
      high[to] = rotated(h, l, by);
      [l, h] = [nextL, nextH];
    }
    // chi
    for (let y = 0; y < 25; y += 5) {
      rowLow.set(low.subarray(y, y + 5));
      rowHigh.set(high.subarray(y, y + 5));
      for (let x = 0; x < 5; x += 1) {
        const [next, second] = [(x + 1) % 5, (x + 2) % 5];
        low[y + x] = get(rowLow, x) ^ (~get(rowLow, next) & get(rowLow, second));
        high[y + x] = get(rowHigh, x) ^ (~get(rowHigh, next) & get(rowHigh, second));
      }
    }
    // iota
    low[0] = get(low, 0) ^ iotaLow;
    high[0] = get(high, 0) ^ iotaHigh;
  }
}

/** Keccak-256 of a message. */
export function keccak256(message: Uint8Array): Bytes {
  const blocks = Math.floor(message.length / BLOCK_BYTES) + 1;
  const padded = new Uint8Array(blocks * BLOCK_BYTES);
  padded.set(message);
  padded[message.length] = 0x01;
  padded[padded.length - 1] = (padded[padded.length - 1] ?? 0) | 0x80;

  const [low, high] = [new Int32Array(25), new Int32Array(25)];
  const view = new DataView(padded.buffer);
  for (let block = 0; block < padded.length; block += BLOCK_BYTES) {
    for (let lane = 0; lane < BLOCK_BYTES / 8; lane += 1) {
      low[lane] = (low[lane] ?? 0) ^ view.getInt32(block + 8 * lane, true);
      high[lane] = (high[lane] ?? 0) ^ view.getInt32(block + 8 * lane + 4, true);
    }
    permute(low, high);
  }

  const out = new Uint8Array(OUTPUT_BYTES);
  const words = new DataView(out.buffer);
  for (let lane = 0; lane < OUTPUT_BYTES / 8; lane += 1) {
    words.setInt32(8 * lane, low[lane] ?? 0, true);
    words.setInt32(8 * lane + 4, high[lane] ?? 0, true);
  }
  return out;
}

keccak256.blockLen = BLOCK_BYTES;
keccak256.outputLen = OUTPUT_BYTES;
