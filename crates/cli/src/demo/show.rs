//! The demo for people: says what to try, tells what happens, does what is typed.

use std::collections::HashMap;
use std::time::Instant;

use sessile_balancer::BackendEvent;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::mpsc;

use super::console::{self, Command};
use super::events::{self, Told};
use super::paint::{Paint, Tone};
use super::{multicast, ports};
use crate::failure::Failure;
use crate::output;
use crate::rig::{GROUP, GROUP_PORT, Membership, News, Plan, Stage};
use crate::stop::StopWish;

/// What the nodes of this demo log.
const LOG: &str = "info";

/// The running demo.
struct Show {
    stage: Stage,
    paint: Paint,
    /// Nodes that were restarted and have not opened their ports yet.
    returning: HashMap<&'static str, Instant>,
}

/// Runs until it is told to stop.
pub(super) async fn run() -> Result<(), Failure> {
    let stop = StopWish::listen().map_err(|error| Failure::Failed(format!("signals: {error}")))?;
    let paint = Paint::of_output();
    let membership = match multicast::try_it() {
        Ok(()) => Membership::Multicast,
        Err(error) => {
            let words = format!("multicast does not work here ({error}): the nodes use a static list");
            output::print(&paint.with(Tone::Bad, words).to_string())?;
            Membership::Static
        }
    };
    let plan = Plan::of_the_article(membership);
    ports::check(&plan)?;
    output::print("starting tc01, tc02 and the balancer …")?;
    let opened = tokio::select! {
        opened = Stage::open(plan, LOG) => opened?,
        () = stop.asked() => return Ok(()),
    };
    let (stage, news) = opened;
    let mut show = Show { stage, paint, returning: HashMap::new() };
    output::print(&show.introduction())?;
    let shown = tokio::select! {
        shown = show.go_on(news) => shown,
        () = stop.asked() => Ok(()),
    };
    output::print("stopping")?;
    tokio::select! {
        () = show.stage.close() => {}
        () = stop.insisted() => {}
    }
    shown
}

impl Show {
    /// Tells and obeys until `quit`.
    async fn go_on(&mut self, mut news: mpsc::Receiver<News>) -> Result<(), Failure> {
        let mut commands = console::commands();
        let mut balancer = self.stage.monitor.events();
        loop {
            tokio::select! {
                Some(news) = news.recv() => self.tell_news(news)?,
                seen = next(&mut balancer) => self.tell("balancer", &events::of_balancer(&seen))?,
                Some(command) = commands.recv() => match command {
                    Command::Quit => return Ok(()),
                    Command::Kill(name) => self.kill(&name).await?,
                    Command::Restart(name) => self.restart(&name)?,
                    Command::Unknown(line) => {
                        output::print(&format!("`{line}` is no command; type kill NAME, restart NAME or quit"))?;
                    }
                },
            }
        }
    }

    fn tell_news(&mut self, news: News) -> Result<(), Failure> {
        match news {
            News::Ended { node, status } => {
                self.returning.remove(node);
                let words = format!("has ended ({status}); bring it back with: restart {node}");
                self.tell(node, &Told::new(Tone::Bad, words))
            }
            News::Logged { node, line } => {
                if line.message().starts_with(&format!("{node} is ready"))
                    && let Some(began) = self.returning.remove(node)
                {
                    let words = format!("is back and ready after {} ms", began.elapsed().as_millis());
                    return self.tell(node, &Told::new(Tone::Good, words));
                }
                events::of_node(&line).map_or(Ok(()), |told| self.tell(node, &told))
            }
        }
    }

    async fn kill(&mut self, name: &str) -> Result<(), Failure> {
        if self.stage.process(name).is_none() {
            return self.not_so(name, "does not run");
        }
        self.tell(name, &Told::new(Tone::Bad, "is killed (SIGKILL)"))?;
        self.stage.kill(name).await;
        Ok(())
    }

    fn restart(&mut self, name: &str) -> Result<(), Failure> {
        match self.stage.node(name) {
            Some(plan) if self.stage.process(name).is_none() => {
                let name = plan.name;
                self.stage.start(name)?;
                self.returning.insert(name, Instant::now());
                self.tell(name, &Told::new(Tone::Plain, "starts again"))
            }
            _ => self.not_so(name, "runs already; kill it first"),
        }
    }

    fn not_so(&self, name: &str, why: &str) -> Result<(), Failure> {
        match self.stage.node(name) {
            Some(_) => output::print(&format!("{name} {why}")),
            None => output::print(&format!("`{name}` is no node of this demo; there are tc01 and tc02")),
        }
    }

    fn tell(&self, who: &str, told: &Told) -> Result<(), Failure> {
        let who = self.paint.with(Tone::Strong, who);
        output::print(&format!("{who:9} {}", self.paint.with(told.tone, &told.words)))
    }

    fn introduction(&self) -> String {
        let Plan { balancer, membership, .. } = &self.stage.plan;
        let strong = |text: String| self.paint.with(Tone::Strong, text).to_string();
        let page = format!("http://localhost:{}/clusterapp/", balancer.port());
        let found_by = match membership {
            Membership::Multicast => format!("multicast {GROUP}:{GROUP_PORT}"),
            Membership::Static => "a static list".to_owned(),
        };
        let mut text = format!("\n{}\n\n", strong(format!("Open {page}")));
        text += &self.stage.listing();
        text += &format!("\n  the nodes find each other by {found_by}\n\n");
        text += &format!(
            "Try this:\n  1. add an attribute on the page, or\n     curl -c jar -b jar -X POST \
             '{page}session?cmd=add&name=cart&size=1024&v=1'\n  2. type `kill tc01` (if that is who serves you), \
             reload: the session goes on\n     curl -b jar '{page}session?cmd=show'\n  3. type `restart tc01`: it \
             gets all sessions before it opens its port\n  `quit` or Ctrl-C ends everything.\n"
        );
        text
    }
}

/// The next change that the balancer saw; changes that were missed are in its status anyway.
async fn next(balancer: &mut broadcast::Receiver<BackendEvent>) -> BackendEvent {
    loop {
        match balancer.recv().await {
            Ok(event) => return event,
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
