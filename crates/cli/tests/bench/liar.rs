//! A clusterapp server that breaks its contract in one selectable way.

use std::collections::{BTreeMap, HashMap};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use sessile_apps::clusterapp::payload::{fnv, payload};

/// The way in which the server breaks its contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lie {
    /// Not at all.
    None,
    /// Reads give the value before the last one.
    Stale,
    /// A byte of every value is another one.
    Torn,
    /// The tenth write is acknowledged and forgotten, the attribute with it.
    Lost,
    /// An ended session comes back.
    Resurrected,
    /// Every tenth request is answered with 500.
    Failing,
}

/// Versions of an attribute, the newest last, with the size of the last one.
type Session = BTreeMap<String, (Vec<u64>, usize)>;

#[derive(Debug)]
struct Book {
    lie: Lie,
    sessions: HashMap<String, Session>,
    requests: u64,
    writes: u64,
}

/// Serves at a free port until the process of the test ends.
pub(crate) fn serve(lie: Lie) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let at = listener.local_addr().expect("it has one");
    let book = Book { lie, sessions: HashMap::new(), requests: 0, writes: 0 };
    let book = Arc::new(Mutex::new(book));
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let book = Arc::clone(&book);
            std::thread::spawn(move || attend(connection, &book));
        }
    });
    at
}

/// Answers the requests of one connection, until it is closed.
fn attend(connection: TcpStream, book: &Mutex<Book>) {
    let mut writer = connection.try_clone().expect("a second handle");
    let mut lines = BufReader::new(connection).lines().map_while(Result::ok);
    while let Some(request) = lines.next() {
        let headers: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        let cookie = headers.iter().find_map(|line| line.strip_prefix("cookie: sid="));
        let target = request.split(' ').nth(1).unwrap_or_default();
        let answer = book.lock().expect("nobody panics").answer(target, cookie);
        if writer.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

impl Book {
    fn answer(&mut self, target: &str, cookie: Option<&str>) -> String {
        self.requests += 1;
        if self.lie == Lie::Failing && self.requests.is_multiple_of(10) {
            return whole("500 Internal Server Error", "", "{\"error\":\"so it goes\"}");
        }
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let values: HashMap<&str, &str> = query.split('&').filter_map(|pair| pair.split_once('=')).collect();
        let number = |name: &str| values.get(name).and_then(|value| value.parse::<u64>().ok());
        let name = values.get("name").copied().unwrap_or_default();
        let known = cookie.map(str::to_owned).filter(|sid| self.sessions.contains_key(sid));
        let mut set = String::new();
        let (sid, rest) = match values.get("cmd").copied() {
            Some("add") => {
                let sid = known.clone().unwrap_or_else(|| format!("s{}", self.requests));
                set = format!("set-cookie: sid={sid}; Path=/\r\n");
                let (v, size) =
                    (number("v").unwrap_or_default(), number("size").unwrap_or_default() as usize);
                self.add(&sid, name, number("count"), v, size);
                (Some(sid), format!(",\"new\":{},\"v\":{v}", known.is_none()))
            }
            Some("remove") => {
                let session = known.as_ref().and_then(|sid| self.sessions.get_mut(sid));
                session.and_then(|session| session.remove(name));
                (known, String::new())
            }
            Some("invalidate") => {
                if self.lie != Lie::Resurrected {
                    known.iter().for_each(|sid| drop(self.sessions.remove(sid)));
                }
                (None, String::new())
            }
            _ => {
                let told = known.as_ref().map_or(",\"found\":false".to_owned(), |sid| self.show(sid, name));
                (known, told)
            }
        };
        let sid = sid.map_or("null".to_owned(), |sid| format!("\"{sid}\""));
        whole("200 OK", &set, &format!("{{\"node\":\"liar\",\"sid\":{sid}{rest}}}"))
    }

    fn add(&mut self, sid: &str, name: &str, count: Option<u64>, v: u64, size: usize) {
        let session = self.sessions.entry(sid.to_owned()).or_default();
        let names =
            count.map_or(vec![name.to_owned()], |count| (0..count).map(|n| format!("{name}{n}")).collect());
        self.writes += 1;
        for name in names {
            let (versions, last) = session.entry(name).or_default();
            versions.push(v);
            *last = size;
        }
        if self.lie == Lie::Lost && self.writes == 10 {
            session.remove(name);
        }
    }

    fn show(&self, sid: &str, name: &str) -> String {
        let session = &self.sessions[sid];
        let read = |(versions, size): &(Vec<u64>, usize)| {
            let back = if self.lie == Lie::Stale { 2 } else { 1 };
            let v = versions[versions.len().saturating_sub(back)];
            let mut value = payload(v, *size);
            if self.lie == Lie::Torn {
                value[20] = b'!';
            }
            (v, value.len(), fnv(&value))
        };
        if name.is_empty() {
            let listed = session.iter().map(|(name, value)| {
                let (v, len, sum) = read(value);
                format!("\"{name}\":[{v},{len},{sum}]")
            });
            return format!(",\"found\":true,\"attrs\":{{{}}}", listed.collect::<Vec<_>>().join(","));
        }
        session.get(name).map_or(",\"found\":false".to_owned(), |value| {
            let (v, len, sum) = read(value);
            format!(",\"found\":true,\"v\":{v},\"len\":{len},\"fnv\":{sum}")
        })
    }
}

fn whole(status: &str, headers: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\nx-node: liar\r\n{headers}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}
