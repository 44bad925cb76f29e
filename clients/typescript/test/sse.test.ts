import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { EVENT_BYTES_MAX, EventParser, type ServerEvent } from "../src/http/sse.js";

const utf8 = new TextEncoder();
const parse = (...texts: readonly string[]) => {
  const parser = new EventParser();
  return texts.flatMap((text) => parser.push(utf8.encode(text)));
};
const event = (id: string, kind: string, data: string): ServerEvent => ({ id, kind, data });

test("the standard's examples", () => {
  assert.deepEqual(parse("data: YHOO\ndata: +2\ndata: 10\n\n"), [event("", "message", "YHOO\n+2\n10")]);
  const stream = ": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n";
  assert.deepEqual(parse(stream), [
    event("1", "message", "first event"),
    event("", "message", "second event"),
    event("", "message", " third event"),
  ]);
  assert.deepEqual(parse("data\n\ndata\ndata\n\ndata:"), [event("", "message", ""), event("", "message", "\n")]);
});

test("the id stays until it is set again", () => {
  assert.deepEqual(parse("id: 7\r\nevent: price\r\ndata: a\r\n\r\n:\r\n\r\nid: \0\ndata: b\r\r"), [
    event("7", "price", "a"),
    event("7", "message", "b"),
  ]);
});

test("a mark of byte order at the start is skipped", () => {
  assert.deepEqual(parse("\ufeffdata: a\n\n"), [event("", "message", "a")]);
  assert.deepEqual(parse("data: a\n\n\ufeffdata: b\n\n"), [event("", "message", "a")]);
});

test("memory is bounded", () => {
  const line = new EventParser();
  const text = utf8.encode("x".repeat(1_000));
  let pushed = 0;
  assert.throws(
    () => {
      for (; pushed < 2_000; pushed += 1) line.push(text);
    },
    { code: "malformed" },
  );
  assert.equal(pushed, Math.floor(EVENT_BYTES_MAX / 1_000));
  const lines = new EventParser();
  const short = utf8.encode("data:abc\n");
  assert.throws(() => {
    for (let i = 0; i < EVENT_BYTES_MAX; i += 1) lines.push(short);
  });
  // Only within one event.
  const events = new EventParser();
  const whole = utf8.encode(`data: ${"x".repeat(1_000)}\n\n`);
  for (let i = 0; i < EVENT_BYTES_MAX / 500; i += 1) assert.equal(events.push(whole).length, 1);
  assert.throws(() => parse("data: ".padEnd(EVENT_BYTES_MAX + 1, "x")));
});

test("how the bytes are cut does not matter", () => {
  const piece = fc.constantFrom(
    "id: 1",
    "id:",
    "data",
    "data: x",
    "data:é",
    "event: price",
    ":",
    "x: y",
    "\ufeff",
    "\r",
    "\n",
    "\r\n",
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), fc.array(fc.nat(400), { maxLength: 6 }), (pieces, cuts) => {
      const bytes = utf8.encode(pieces.join(""));
      const parser = new EventParser();
      const at = [0, ...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length];
      const got = at.slice(1).flatMap((end, i) => parser.push(bytes.subarray(at[i], end)));
      assert.deepEqual(got, new EventParser().push(bytes));
    }),
  );
});

test("any bytes are read", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 500 }), (bytes) => {
      new EventParser().push(bytes);
    }),
  );
});
