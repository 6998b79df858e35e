//! A small shop in one component: log in, fill a cart, check out. The customer's actions are in the session, as JSON,
//! so that a shop in another language could go on with it.
//!
//! Next: `shop` for what it does, `web` for requests and responses, `page` for the HTML.

mod page;
mod shop;
mod web;

/// The bindings of the world `app`.
mod bindings {
    wit_bindgen::generate!({ path: "../../crates/apps/wit", world: "app", generate_all });
}

use bindings::exports::wasi::http::incoming_handler::Guest;
use bindings::wasi::http::types::{IncomingRequest, ResponseOutparam};

struct Shop;

impl Guest for Shop {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        web::answer(out, shop::visit(&web::Request::read(request)));
    }
}

bindings::export!(Shop with_types_in bindings);
