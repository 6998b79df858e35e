// A cart that is kept in the session, as JSON: carts of the other samples, in other languages, go on with it.

import { current, getOrCreate } from "sessile:web/session@0.1.0";
import { Fields, OutgoingBody, OutgoingResponse, ResponseOutparam } from "wasi:http/types@0.2.12";

const WARES = ["umbrella", "lantern", "compass", "rope"];

const read = (session) => JSON.parse(session?.getJson("cart") ?? "{}");

function page(base, cart) {
  const rows = Object.entries(cart).map(([ware, count]) => `<li>${ware}: ${count}`);
  const forms = WARES.map((ware) => `<form method=post action="${base}/${ware}"><button>${ware}</button></form>`);
  return `<!doctype html><title>Cart</title><h1>Cart</h1><ul>${rows.join("")}</ul>${forms.join("")}\n`;
}

function put(ware) {
  const session = getOrCreate();
  const cart = read(session);
  cart[ware] = (cart[ware] ?? 0) + 1;
  session.setJson("cart", JSON.stringify(cart));
}

function answer(out, status, headers, words) {
  const encoder = new TextEncoder();
  const fields = Fields.fromList(headers.map(([name, value]) => [name, encoder.encode(value)]));
  const head = new OutgoingResponse(fields);
  head.setStatusCode(status);
  const body = head.body();
  const stream = body.write();
  ResponseOutparam.set(out, { tag: "ok", val: head });
  stream.blockingWriteAndFlush(encoder.encode(words));
  stream[Symbol.dispose]();
  OutgoingBody.finish(body, undefined);
}

export const incomingHandler = {
  handle(request, out) {
    const [prefix] = request.headers().get("x-forwarded-prefix");
    const base = new TextDecoder().decode(prefix ?? new Uint8Array());
    const path = (request.pathWithQuery() ?? "/").split("?")[0].slice(base.length);
    const ware = WARES.find((known) => path === `/${known}`);
    if (request.method().tag === "post" && ware) {
      put(ware);
      answer(out, 303, [["location", `${base}/`]], "");
    } else if (path === "" || path === "/") {
      answer(out, 200, [["content-type", "text/html; charset=utf-8"]], page(base, read(current())));
    } else {
      answer(out, 404, [], "There is no such page.\n");
    }
  },
};
