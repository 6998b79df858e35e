//! Actions of a customer, and their session data.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::bindings::sessile::web::session::{self, Error, HttpSession};
use crate::page;
use crate::web::{Request, Response};

/// The offered products, with prices in cents.
pub const WARES: [(&str, u32); 4] = [("umbrella", 1990), ("lantern", 2450), ("compass", 1275), ("rope", 890)];
/// A longer name is cut.
const MAX_NAME_CHARS: usize = 40;
/// Of one ware.
const MAX_COUNT: u32 = 99;

/// How many of each ware are in the cart.
pub type Cart = BTreeMap<String, u32>;

/// The customer as shown on the pages.
#[derive(Default)]
pub struct Customer {
    pub name: Option<String>,
    pub cart: Cart,
    pub orders: u32,
}

pub fn visit(request: &Request) -> Response {
    let outcome = match (request.is_post, request.path.as_str()) {
        (false, "" | "/") => {
            customer().map(|customer| Response::Page(200, page::shop(&request.base, &customer)))
        }
        (true, "/login") => log_in(&request.field("name")).map(|()| home(request)),
        (true, "/logout") => log_out().map(|()| home(request)),
        (true, "/cart") => put_into_cart(&request.field("ware")).map(|()| home(request)),
        (true, "/checkout") => check_out().map(|()| home(request)),
        _ => Ok(Response::Page(404, page::problem(&request.base, "There is no such page."))),
    };
    outcome.unwrap_or_else(|error| Response::Page(500, page::problem(&request.base, &error.to_string())))
}

fn home(request: &Request) -> Response {
    Response::See(format!("{}/", request.base))
}

/// Reading makes no session.
fn customer() -> Result<Customer, Error> {
    let Some(session) = session::current() else { return Ok(Customer::default()) };
    Ok(Customer {
        name: session.principal()?,
        cart: read(&session, "cart")?,
        orders: read(&session, "orders")?,
    })
}

/// Any name will do: this is a sample. The cookie changes, as at every login.
fn log_in(name: &str) -> Result<(), Error> {
    let name: String = name.trim().chars().take(MAX_NAME_CHARS).collect();
    if name.is_empty() {
        return Ok(());
    }
    let session = session::get_or_create()?;
    session.set_principal(Some(&name))?;
    session.change_id()
}

fn log_out() -> Result<(), Error> {
    session::current().map_or(Ok(()), |session| session.invalidate())
}

fn put_into_cart(ware: &str) -> Result<(), Error> {
    if !WARES.iter().any(|(known, _)| *known == ware) {
        return Ok(());
    }
    let session = session::get_or_create()?;
    let mut cart: Cart = read(&session, "cart")?;
    let count = cart.entry(ware.to_owned()).or_default();
    *count = (*count + 1).min(MAX_COUNT);
    write(&session, "cart", &cart)
}

/// The order and the empty cart are committed together: a request that fails orders nothing.
fn check_out() -> Result<(), Error> {
    let Some(session) = session::current() else { return Ok(()) };
    if session.principal()?.is_none() || read::<Cart>(&session, "cart")?.is_empty() {
        return Ok(());
    }
    write(&session, "orders", &(read::<u32>(&session, "orders")? + 1))?;
    session.remove("cart").map(|_| ())
}

/// A missing or invalid value is replaced by the default.
fn read<T: DeserializeOwned + Default>(session: &HttpSession, name: &str) -> Result<T, Error> {
    let json = session.get_json(name)?;
    Ok(json.and_then(|json| serde_json::from_str(&json).ok()).unwrap_or_default())
}

fn write<T: Serialize>(session: &HttpSession, name: &str, value: &T) -> Result<(), Error> {
    let json = serde_json::to_string(value).expect("carts and numbers have a form in JSON");
    session.set_json(name, &json)
}
