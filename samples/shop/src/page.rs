//! The pages, which work without a script.

use crate::bindings::sessile::web::idempotency::new_key;
use crate::shop::{Customer, WARES};

const STYLE: &str = "body{font:1.1rem/1.5 system-ui;max-width:34rem;margin:2rem auto;padding:0 1rem;color:#222}\
    table{width:100%;border-collapse:collapse}td{padding:.3rem 0;border-bottom:1px solid #ddd}td+td{text-align:right}\
    button,input{font:inherit;padding:.1rem .6rem}form{display:inline}";

pub fn shop(base: &str, customer: &Customer) -> String {
    frame(base, &[customer_line(base, customer), wares(base), cart(base, customer)].concat())
}

pub fn problem(base: &str, words: &str) -> String {
    frame(base, &format!("<p>{}</p><p><a href=\"{}/\">To the shop</a></p>", escape(words), escape(base)))
}

fn frame(base: &str, inner: &str) -> String {
    let home = escape(base);
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content=\"width=device-width\">\
         <title>Shop</title><style>{STYLE}</style><h1><a href=\"{home}/\">Shop</a></h1>{inner}</html>\n"
    )
}

fn customer_line(base: &str, customer: &Customer) -> String {
    let base = escape(base);
    match &customer.name {
        Some(name) => format!(
            "<p>Hello, {}. Orders so far: {}. <form method=post action=\"{base}/logout\"><button>Log out</button></form></p>",
            escape(name),
            customer.orders
        ),
        None => format!(
            "<p><form method=post action=\"{base}/login\"><label>Name <input name=name required maxlength=40></label> \
             <button>Log in</button></form></p>"
        ),
    }
}

fn wares(base: &str) -> String {
    let rows = WARES.map(|(ware, cents)| {
        format!(
            "<tr><td>{ware}<td>{}<td><form method=post action=\"{}/cart\"><input type=hidden name=ware value={ware}>\
             <button>Into the cart</button></form>",
            price(cents),
            escape(base)
        )
    });
    format!("<table>{}</table>", rows.concat())
}

fn cart(base: &str, customer: &Customer) -> String {
    if customer.cart.is_empty() {
        return "<h2>Cart</h2><p>It is empty.</p>".to_owned();
    }
    let sum: u32 =
        WARES.iter().map(|(ware, cents)| cents * customer.cart.get(*ware).copied().unwrap_or(0)).sum();
    let rows: String =
        customer.cart.iter().map(|(ware, count)| format!("<tr><td>{}<td>{count}", escape(ware))).collect();
    let checkout = if customer.name.is_some() { checkout(base) } else { "Log in to check out.".to_owned() };
    format!("<h2>Cart</h2><table>{rows}<tr><td>Sum<td>{}</table><p>{checkout}</p>", price(sum))
}

/// Sent twice, it orders once: the node remembers the key.
fn checkout(base: &str) -> String {
    format!(
        "<form method=post action=\"{}/checkout\"><input type=hidden name=idempotency_key value={}>\
         <button>Check out</button></form>",
        escape(base),
        new_key()
    )
}

fn price(cents: u32) -> String {
    format!("{}.{:02}", cents / 100, cents % 100)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;")
}
