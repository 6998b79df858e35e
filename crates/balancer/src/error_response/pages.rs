//! The pages of the site for the balancer's own answers, and those that it has by itself.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::{HeaderValue, StatusCode};

use super::Page;

/// The statuses that the balancer answers itself.
pub(crate) const PAGE_STATUSES: [u16; 10] = [400, 408, 413, 417, 429, 431, 501, 502, 503, 504];
/// Longest page.
const PAGE_BOUND: u64 = 256 * 1024;
/// A placeholder in a page of the site, replaced by the reference of the request.
const REFERENCE: &str = "{{reference}}";
const STATUS: &str = "{{status}}";
/// The page around the text where the site has none of its own.
const FRAME: &str = include_str!("page.html");

/// The pages of the site by status.
#[derive(Debug, Default)]
pub(crate) struct ErrorPages(BTreeMap<u16, SitePage>);

#[derive(Debug)]
struct SitePage {
    text: String,
    content_type: HeaderValue,
}

/// A page that cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("[balance.error_pages] {status} = {file:?}: {problem}")]
pub struct ErrorPageError {
    status: String,
    file: PathBuf,
    problem: String,
}

impl ErrorPages {
    /// Reads the pages. Their statuses are among [`PAGE_STATUSES`]; what is shown follows from the ending of
    /// the name.
    pub(crate) fn read(files: &BTreeMap<String, PathBuf>) -> Result<Self, ErrorPageError> {
        let mut pages = BTreeMap::new();
        for (status, file) in files {
            let failed =
                |problem: String| ErrorPageError { status: status.clone(), file: file.clone(), problem };
            let number = status.parse().map_err(|_| failed("the key is no status".into()))?;
            let text = read(file).map_err(failed)?;
            pages.insert(number, SitePage { text, content_type: content_type(file) });
        }
        Ok(Self(pages))
    }

    /// The page for a status: the site's, else the balancer's own in HTML or in one line.
    pub(super) fn page(&self, status: StatusCode, retry: bool, reference: &str, html: bool) -> Page {
        if let Some(page) = self.0.get(&status.as_u16()) {
            let text = page.text.replace(REFERENCE, reference).replace(STATUS, status.as_str());
            return Page { text: text.into(), content_type: page.content_type.clone() };
        }
        let words = words(status, retry);
        let title = status.canonical_reason().unwrap_or("Error");
        let (text, content_type) = if html {
            let text = FRAME
                .replace("{{title}}", title)
                .replace("{{words}}", words)
                .replace(REFERENCE, reference)
                .replace(STATUS, status.as_str());
            (text, "text/html; charset=utf-8")
        } else {
            (format!("{title}: {words} (reference {reference})\n"), "text/plain; charset=utf-8")
        };
        Page { text: Bytes::from(text), content_type: HeaderValue::from_static(content_type) }
    }
}

fn read(file: &Path) -> Result<String, String> {
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(|cause| cause.to_string())?;
    opened.take(PAGE_BOUND + 1).read_to_string(&mut text).map_err(|cause| cause.to_string())?;
    if text.len() as u64 > PAGE_BOUND {
        return Err(format!("a page has at most {PAGE_BOUND} bytes"));
    }
    Ok(text)
}

fn content_type(file: &Path) -> HeaderValue {
    HeaderValue::from_static(match file.extension().and_then(|ending| ending.to_str()) {
        Some("html" | "htm") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        _ => "text/plain; charset=utf-8",
    })
}

/// The text for a visitor: the situation and the next step, no detail of the servers.
fn words(status: StatusCode, retry: bool) -> &'static str {
    match status.as_u16() {
        503 => {
            "The service is busy or being restarted. Your request was not processed; try again in a moment."
        }
        502 | 504 if retry => "The service gave no answer. Try again in a moment.",
        502 | 504 => {
            "The service gave no answer. Your request may have been processed: check before you send it again."
        }
        408 => "The request did not arrive in time.",
        413 => "The request is too large.",
        429 => "There are too many requests from your address.",
        501 => "The request is coded in a way that is not supported here.",
        431 => "The request has too many or too large headers.",
        _ => "The request cannot be understood.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(pages: &ErrorPages, status: u16, html: bool) -> String {
        let page = pages.page(StatusCode::from_u16(status).unwrap(), false, "7f-1", html);
        String::from_utf8(page.text.to_vec()).unwrap()
    }

    #[test]
    fn the_balancers_own_pages_are_html_for_browsers_and_a_line_for_programs() {
        let pages = ErrorPages::default();
        for status in PAGE_STATUSES {
            let (html, line) = (text(&pages, status, true), text(&pages, status, false));
            assert!(
                html.starts_with("<!doctype html>") && html.contains("7f-1") && !html.contains("{{"),
                "{html}"
            );
            assert!(!html.contains("http://") && !html.contains("https://"), "nothing is fetched");
            assert_eq!(line.lines().count(), 1, "{line}");
            assert!(line.contains("7f-1"), "{line}");
        }
    }

    #[test]
    fn a_page_of_the_site_is_shown_with_its_reference() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("sorry.html");
        std::fs::write(&file, "<h1>Sorry ({{status}})</h1>{{reference}}").unwrap();
        let pages = ErrorPages::read(&BTreeMap::from([("503".into(), file)])).unwrap();
        assert_eq!(text(&pages, 503, false), "<h1>Sorry (503)</h1>7f-1");
        assert!(text(&pages, 502, false).starts_with("Bad Gateway"));
    }

    #[test]
    fn a_page_that_cannot_be_read_names_its_key_and_file() {
        let missing = BTreeMap::from([("503".to_owned(), PathBuf::from("/nowhere/503.html"))]);
        let error = ErrorPages::read(&missing).unwrap_err().to_string();
        assert!(
            error.contains("[balance.error_pages] 503") && error.contains("/nowhere/503.html"),
            "{error}"
        );
    }
}
