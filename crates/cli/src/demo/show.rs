//! The interactive demo: prints instructions and events, runs typed commands.

use std::collections::HashMap;
use std::time::Instant;

use sessile_balancer::BackendEvent;
use tokio::sync::broadcast::{self, error::RecvError};
use tokio::sync::mpsc;

use super::console::{self, Command};
use super::events::{self, DemoMessage};
use super::paint::{Paint, Tone};
use super::{multicast, ports, status};
use crate::failure::Failure;
use crate::local_cluster::{ClusterPlan, Discovery, GROUP, GROUP_PORT, LocalCluster, NodeEvent};
use crate::output;
use crate::sample_ports::SamplePorts;
use crate::stop::StopRequest;

/// Log filter of the nodes.
const LOG: &str = "info";
/// What can be typed.
const HELP: &str = "  kill NAME     ends a node as a crash does, for example: kill tc01
  restart NAME  starts it again; it gets all sessions before it opens its port
  status        shows each node: its state, its sessions, the members that it sees
  help          shows this
  quit          ends everything";

/// The running demo.
struct InteractiveDemo {
    cluster: LocalCluster,
    paint: Paint,
    /// Restarted nodes whose ports are not open yet.
    returning: HashMap<&'static str, Instant>,
}

/// Runs until `quit` or a stop signal.
pub(super) async fn run(port_base: Option<u16>) -> Result<(), Failure> {
    let stop = StopRequest::listen().map_err(|error| Failure::Failed(format!("signals: {error}")))?;
    let paint = Paint::of_output();
    let membership = match multicast::try_it() {
        // Another demo may use the group.
        Ok(()) if port_base.is_none() => Discovery::Multicast,
        Ok(()) => Discovery::Static,
        Err(error) => {
            let words = format!("multicast does not work here ({error}): the nodes use a static list");
            output::announce(&paint.with(Tone::Bad, words).to_string());
            Discovery::Static
        }
    };
    let plan = ClusterPlan::of_the_sample(SamplePorts::new(port_base), membership);
    ports::check(&plan)?;
    output::announce("starting tc01, tc02 and the balancer …");
    let opened = tokio::select! {
        opened = LocalCluster::open(plan, LOG) => opened?,
        () = stop.requested() => return Ok(()),
    };
    let (cluster, node_events) = opened;
    let mut demo = InteractiveDemo { cluster, paint, returning: HashMap::new() };
    output::announce(&demo.introduction());
    let shown = tokio::select! {
        shown = demo.go_on(node_events) => shown,
        () = stop.requested() => Ok(()),
    };
    output::announce("stopping");
    tokio::select! {
        () = demo.cluster.close() => {}
        () = stop.forced() => {}
    }
    shown
}

impl InteractiveDemo {
    /// Prints events and runs commands until `quit`.
    async fn go_on(&mut self, mut node_events: mpsc::Receiver<NodeEvent>) -> Result<(), Failure> {
        let mut commands = console::commands();
        let mut balancer = self.cluster.monitor.events();
        loop {
            tokio::select! {
                Some(event) = node_events.recv() => self.show_node_event(event)?,
                seen = next(&mut balancer) => self.tell("balancer", &events::of_balancer(&seen))?,
                Some(command) = commands.recv() => match command {
                    Command::Quit => return Ok(()),
                    Command::Kill(name) => self.kill(&name).await?,
                    Command::Restart(name) => self.restart(&name)?,
                    Command::Status => output::announce(&status::table(&self.cluster).await),
                    Command::Help => output::announce(HELP),
                    Command::Unknown(line) => {
                        output::announce(&format!("`{line}` is not a command\n{HELP}"));
                    }
                },
            }
        }
    }

    fn show_node_event(&mut self, event: NodeEvent) -> Result<(), Failure> {
        match event {
            NodeEvent::Ended { node, status } => {
                self.returning.remove(node);
                let words = format!("has ended ({status}); bring it back with: restart {node}");
                self.tell(node, &DemoMessage::new(Tone::Bad, words))
            }
            NodeEvent::Logged { node, line } => {
                if line.message().starts_with(&format!("{node} is ready"))
                    && let Some(began) = self.returning.remove(node)
                {
                    let words = format!("is back and ready after {} ms", began.elapsed().as_millis());
                    return self.tell(node, &DemoMessage::new(Tone::Good, words));
                }
                events::of_node(&line).map_or(Ok(()), |message| self.tell(node, &message))
            }
        }
    }

    async fn kill(&mut self, name: &str) -> Result<(), Failure> {
        if self.cluster.process(name).is_none() {
            return self.not_so(name, "does not run");
        }
        self.tell(name, &DemoMessage::new(Tone::Bad, "is killed (SIGKILL)"))?;
        self.cluster.kill(name).await;
        Ok(())
    }

    fn restart(&mut self, name: &str) -> Result<(), Failure> {
        match self.cluster.node(name) {
            Some(plan) if self.cluster.process(name).is_none() => {
                let name = plan.name;
                self.cluster.start(name)?;
                self.returning.insert(name, Instant::now());
                self.tell(name, &DemoMessage::new(Tone::Plain, "starts again"))
            }
            _ => self.not_so(name, "runs already; kill it first"),
        }
    }

    fn not_so(&self, name: &str, why: &str) -> Result<(), Failure> {
        match self.cluster.node(name) {
            Some(_) => output::print(&format!("{name} {why}")),
            None => {
                output::print(&format!("`{name}` is not a node of this demo; its nodes are tc01 and tc02"))
            }
        }
    }

    fn tell(&self, who: &str, message: &DemoMessage) -> Result<(), Failure> {
        let who = self.paint.with(Tone::Strong, who);
        output::print(&format!("{who:9} {}", self.paint.with(message.tone, &message.words)))
    }

    fn introduction(&self) -> String {
        let ClusterPlan { balancer, membership, .. } = &self.cluster.plan;
        let strong = |text: String| self.paint.with(Tone::Strong, text).to_string();
        let page = format!("http://localhost:{}/clusterapp/", balancer.port());
        let found_by = match membership {
            Discovery::Multicast => format!("multicast {GROUP}:{GROUP_PORT}"),
            Discovery::Static => "a static list".to_owned(),
            Discovery::Swim => "gossip".to_owned(),
        };
        let mut text = format!("\n{}\n\n", strong(format!("Open {page}")));
        text += &self.cluster.listing();
        text += &format!("\n  the nodes find each other by {found_by}\n\n");
        text += &format!(
            "Try this:\n  1. add an attribute on the page, or\n     curl -c jar -b jar -X POST \
             '{page}session?cmd=add&name=cart&size=1024&v=1'\n  2. type `kill tc01` (if that is who serves you), \
             reload: the session goes on\n     curl -b jar '{page}session?cmd=show'\n  3. type `restart tc01`: it \
             gets all sessions before it opens its port\n  `status` shows the nodes, `help` all commands; `quit` or Ctrl-C ends \
             everything.\n"
        );
        text
    }
}

/// The next change that the balancer saw; missed changes are visible in its status anyway.
async fn next(balancer: &mut broadcast::Receiver<BackendEvent>) -> BackendEvent {
    loop {
        match balancer.recv().await {
            Ok(event) => return event,
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}
