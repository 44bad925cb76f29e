// An HTTP server on a free port of the loopback, which says what it is told to.
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { TestContext } from "node:test";

export interface TestServer {
  readonly url: string;
  /** The requests so far. */
  readonly asked: IncomingMessage[];
}

/** Serves until the test is over. */
export async function serve(t: Pick<TestContext, "after">, answer: RequestListener): Promise<TestServer> {
  const asked: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    asked.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, asked };
}

/** Answers with JSON. */
export function json(response: ServerResponse, body: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}

/** An answer in the shape of the API, whose numbers are lies beside the signed update. */
export function latest(update: Uint8Array): object {
  return { feed: "BTC-USD", price: "1.00000000", round: 1, update: Buffer.from(update).toString("base64") };
}

/** Answers with an event stream, which ends after this text. */
export function events(response: ServerResponse, text: string): void {
  response.writeHead(200, { "content-type": "text/event-stream" }).end(text);
}

/** One event of a price. */
export function priceEvent(round: number, update: Uint8Array): string {
  return `event: price\ndata: ${JSON.stringify(latest(update))}\nid: ${round}\n\n`;
}
