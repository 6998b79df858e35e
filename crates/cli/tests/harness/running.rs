//! One process of the built program.

use std::ffi::OsStr;
use std::io::Read;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::until;

/// A verb in the background, killed when dropped. Everything it writes is kept.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    /// Its standard input, for verbs that take commands; dropping it is its end.
    pub(crate) input: Option<ChildStdin>,
    out: Captured,
    err: Captured,
}

/// What a process wrote to one of its outputs so far.
#[derive(Debug)]
struct Captured {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Running {
    /// Starts the program in `place`.
    pub(crate) fn start(place: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        let mut program = Command::new(env!("CARGO_BIN_EXE_sessile"));
        program.args(arguments).current_dir(place).env("SESSILE_LOG", "debug");
        Self::spawn(program)
    }

    /// Starts any program.
    pub(crate) fn spawn(program: Command) -> Self {
        Self::spawn_onto(program, Stdio::piped(), Stdio::piped())
    }

    /// Starts any program with these for its outputs.
    pub(crate) fn spawn_onto(mut program: Command, out: Stdio, err: Stdio) -> Self {
        let mut child =
            program.stdin(Stdio::piped()).stdout(out).stderr(err).spawn().expect("the program starts");
        let input = child.stdin.take();
        let out = Captured::from(child.stdout.take());
        let err = Captured::from(child.stderr.take());
        Self { child, input, out, err }
    }

    /// Standard output so far.
    pub(crate) fn out(&self) -> String {
        self.out.text()
    }

    /// Standard error so far: the log.
    pub(crate) fn err(&self) -> String {
        self.err.text()
    }

    /// Waits until the process wrote this, to either output.
    #[track_caller]
    pub(crate) fn says(&self, text: &str) {
        until(&format!("it said {text:?}"), || (self.out() + &self.err()).contains(text).then_some(()));
    }

    /// Waits for its end; the exit code, or `None` when a signal ended it. Then all it wrote is there.
    #[track_caller]
    pub(crate) fn ended(&mut self) -> Option<i32> {
        let status = until("it ended", || self.child.try_wait().expect("it is our child"));
        self.out.finish();
        self.err.finish();
        status.code()
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.child.try_wait().expect("it is our child").is_none()
    }

    /// What the system calls it.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as a crash does (SIGKILL).
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("it is our child");
        self.ended();
    }

    /// Sends a signal by its name, such as TERM.
    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("every Unix has kill").success(), "SIG{name} was not sent");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already cannot be killed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Captured {
    /// What comes out of `pipe`; nothing where the output is no pipe.
    fn from(pipe: Option<impl Read + Send + 'static>) -> Self {
        let text = Arc::new(Mutex::new(Vec::new()));
        let written = Arc::clone(&text);
        let read = |mut pipe: Box<dyn Read + Send>| {
            std::thread::spawn(move || {
                let mut part = [0; 4096];
                while let Ok(length @ 1..) = pipe.read(&mut part) {
                    written.lock().expect("no holder panics").extend_from_slice(&part[..length]);
                }
            })
        };
        Self { text, reader: pipe.map(|pipe| read(Box::new(pipe))) }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().expect("no holder panics")).into_owned()
    }

    fn finish(&mut self) {
        if let Some(reader) = self.reader.take() {
            reader.join().expect("the reader does not panic");
        }
    }
}
