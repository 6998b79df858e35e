"""A cart that is kept in the session, as JSON: carts of the other samples, in other languages, go on with it."""

import json

from wit_world import exports
from wit_world.imports import session
from wit_world.imports.types import (
    Fields,
    IncomingRequest,
    Method_Post,
    OutgoingBody,
    OutgoingResponse,
    ResponseOutparam,
)
from componentize_py_types import Ok

WARES = ("umbrella", "lantern", "compass", "rope")


def read(current):
    return json.loads(current and current.get_json("cart") or "{}")


def put(ware):
    current = session.get_or_create()
    cart = read(current)
    cart[ware] = cart.get(ware, 0) + 1
    current.set_json("cart", json.dumps(cart))


def page(base, cart):
    rows = "".join(f"<li>{ware}: {count}" for ware, count in sorted(cart.items()))
    forms = "".join(f'<form method=post action="{base}/{ware}"><button>{ware}</button></form>' for ware in WARES)
    return f"<!doctype html><title>Cart</title><h1>Cart</h1><ul>{rows}</ul>{forms}\n"


def answer(out, status, headers, words):
    head = OutgoingResponse(Fields.from_list([(name, value.encode()) for name, value in headers]))
    head.set_status_code(status)
    body = head.body()
    ResponseOutparam.set(out, Ok(head))
    if words:
        with body.write() as stream:
            stream.blocking_write_and_flush(words.encode())
    OutgoingBody.finish(body, None)


class IncomingHandler(exports.IncomingHandler):
    def handle(self, request: IncomingRequest, response_out: ResponseOutparam) -> None:
        base = b"".join(request.headers().get("x-forwarded-prefix")).decode()
        path = (request.path_with_query() or "/").split("?")[0][len(base):]
        if isinstance(request.method(), Method_Post) and path[1:] in WARES:
            put(path[1:])
            answer(response_out, 303, [("location", f"{base}/")], "")
        elif path in ("", "/"):
            answer(response_out, 200, [("content-type", "text/html; charset=utf-8")], page(base, read(session.current())))
        else:
            answer(response_out, 404, [], "There is no such page.\n")
