//! Methods, which travel as one byte.

use http::Method;

use crate::error::RequestError;

/// The byte that says that the method is in an attribute, as a text.
const STORED: u8 = 0xFF;

/// The methods with a number, from 1.
const NUMBERED: [&str; 27] = [
    "OPTIONS",
    "GET",
    "HEAD",
    "POST",
    "PUT",
    "DELETE",
    "TRACE",
    "PROPFIND",
    "PROPPATCH",
    "MKCOL",
    "COPY",
    "MOVE",
    "LOCK",
    "UNLOCK",
    "ACL",
    "REPORT",
    "VERSION-CONTROL",
    "CHECKIN",
    "CHECKOUT",
    "UNCHECKOUT",
    "SEARCH",
    "MKWORKSPACE",
    "UPDATE",
    "LABEL",
    "MERGE",
    "BASELINE-CONTROL",
    "MKACTIVITY",
];

/// The method of that number; `stored` is the text of the attribute, where there is one.
pub(crate) fn method(number: u8, stored: Option<&str>) -> Result<Method, RequestError> {
    let malformed = RequestError::Malformed("the method");
    let name = match number {
        STORED => stored,
        number => NUMBERED.get(usize::from(number).wrapping_sub(1)).copied(),
    };
    let name = name.ok_or_else(|| malformed.clone())?;
    Method::from_bytes(name.as_bytes()).map_err(|_| malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_have_numbers_or_are_stored() {
        assert_eq!(method(1, None), Ok(Method::OPTIONS));
        assert_eq!(method(2, None), Ok(Method::GET));
        assert_eq!(method(5, Some("PATCH")), Ok(Method::PUT));
        assert_eq!(method(27, None).unwrap().as_str(), "MKACTIVITY");
        assert_eq!(method(0xFF, Some("PATCH")), Ok(Method::PATCH));
        for wrong in [method(0, None), method(28, None), method(0xFF, None), method(0xFF, Some("G T"))] {
            assert_eq!(wrong, Err(RequestError::Malformed("the method")));
        }
    }
}
