//! Which trials there are.

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Read,
    Write,
    Login,
    Logout,
}

/// When the client gives a request up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum HangUp {
    Never,
    /// Before the handler acts.
    InHandler,
    /// After the commit: the answer is lost.
    BeforeAnswer,
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Plan {
    pub(super) kind: Kind,
    pub(super) node: usize,
    pub(super) hang_up: HangUp,
}

/// What happens to a request, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// The browser takes its cookies.
    Send,
    /// The node opens the session.
    Arrive,
    /// The handler acts, the changes are committed and the answer leaves.
    Finish,
    /// The browser takes the answer's cookies.
    Receive,
}

const STEPS: [Step; 4] = [Step::Send, Step::Arrive, Step::Finish, Step::Receive];
const KINDS: [Kind; 4] = [Kind::Read, Kind::Write, Kind::Login, Kind::Logout];
const HANG_UPS: [HangUp; 3] = [HangUp::Never, HangUp::InHandler, HangUp::BeforeAnswer];

/// Requests of one browser, which has a session with a cart, in one order.
#[derive(Clone, Debug)]
pub(super) struct Trial {
    pub(super) plans: Vec<Plan>,
    pub(super) steps: Vec<(usize, Step)>,
    /// That session ended long ago, and the browser did not hear of it.
    pub(super) is_dead: bool,
}

/// All two requests on one node that bring the cookie of a session which ended long ago, in every order; the
/// node is the one that the cookie names, or another one.
pub(super) fn of_two_with_a_dead_cookie() -> impl Iterator<Item = Trial> {
    let orders = orders(2, 4);
    sorted(2).into_iter().flat_map(move |kinds| {
        let mut trials = Vec::new();
        for (order, node) in orders.iter().flat_map(|order| [0, 1].map(|node| (order, node))) {
            let plans = planned(&kinds, &[node, node]);
            trials.push(Trial { plans, steps: steps(order, &[], 2), is_dead: true });
        }
        trials
    })
}

/// Each order of `count` requests that have `steps` each; the numbers say whose step it is.
fn orders(count: usize, steps: usize) -> Vec<Vec<usize>> {
    let mut all = vec![Vec::new()];
    for _ in 0..count * steps {
        let longer = |order: &Vec<usize>| {
            let order = order.clone();
            (0..count).filter_map(move |next| {
                let done = order.iter().filter(|one| **one == next).count();
                (done < steps).then(|| [&order[..], &[next]].concat())
            })
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}

/// The steps of an order; `first` come before all others, of every request.
fn steps(order: &[usize], first: &[Step], count: usize) -> Vec<(usize, Step)> {
    let mut steps: Vec<_> =
        (0..count).flat_map(|index| first.iter().map(move |step| (index, *step))).collect();
    let mut done = vec![first.len(); count];
    for index in order {
        steps.push((*index, STEPS[done[*index]]));
        done[*index] += 1;
    }
    steps
}

/// The same where a request is sent when it arrives.
fn fresh(order: &[usize], count: usize) -> Vec<(usize, Step)> {
    let mut done = vec![1; count];
    let mut steps = Vec::new();
    for index in order {
        if done[*index] == 1 {
            steps.push((*index, Step::Send));
        }
        steps.push((*index, STEPS[done[*index]]));
        done[*index] += 1;
    }
    steps
}

/// All two requests, which are sent, arrive, finish and are answered in every order, on one or two nodes, and
/// whose client hangs up at every stage. Requests that are exchanged are the same two.
pub(super) fn of_two() -> impl Iterator<Item = Trial> {
    let mut plans = Vec::new();
    for kind in KINDS {
        for node in 0..2 {
            plans.extend(HANG_UPS.map(|hang_up| Plan { kind, node, hang_up }));
        }
    }
    let pairs = plans
        .clone()
        .into_iter()
        .flat_map(move |one| plans.clone().into_iter().map(move |other| [one, other]));
    let orders = orders(2, 4);
    pairs.filter(|[one, other]| one <= other).flat_map(move |pair| {
        let all = orders.iter().map(|order| steps(order, &[], 2)).collect::<Vec<_>>();
        all.into_iter().map(move |steps| Trial { plans: pair.to_vec(), steps, is_dead: false })
    })
}

/// All three requests that arrive, finish and are answered in every order: sent at once, or each when it
/// arrives; on a node each, or all on one that the cookie does not name.
pub(super) fn of_three() -> impl Iterator<Item = Trial> {
    let orders = orders(3, 3);
    sorted(3).into_iter().flat_map(move |kinds| {
        let mut trials = Vec::new();
        for (number, order) in orders.iter().enumerate() {
            let [one, other] = [[0, 1, 2], [1, 1, 1]].map(|nodes| planned(&kinds, &nodes));
            let (at_once, each) = (steps(order, &[Step::Send], 3), fresh(order, 3));
            let (at_once, each) = if number % 2 == 0 { (at_once, each) } else { (each, at_once) };
            trials.push(Trial { plans: one, steps: at_once, is_dead: false });
            trials.push(Trial { plans: other, steps: each, is_dead: false });
        }
        trials
    })
}

/// Some of all four requests.
pub(super) fn of_four() -> impl Iterator<Item = Trial> {
    const EACH: u64 = 400;
    sorted(4).into_iter().enumerate().flat_map(|(seed, kinds)| {
        let mut state = seed as u64 + 1;
        let mut draw = move |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below
        };
        (0..EACH).map(move |_| {
            let mut left = [4_usize; 4];
            let mut order = Vec::new();
            while order.len() < 16 {
                let index = draw(4);
                if left[index] > 0 {
                    left[index] -= 1;
                    order.push(index);
                }
            }
            let mut plans = planned(&kinds, &[draw(3), draw(3), draw(3), draw(3)]);
            plans[draw(4)].hang_up = HANG_UPS[draw(3)];
            Trial { plans, steps: steps(&order, &[], 4), is_dead: false }
        })
    })
}

fn planned(kinds: &[Kind], nodes: &[usize]) -> Vec<Plan> {
    let each = kinds.iter().zip(nodes);
    each.map(|(kind, node)| Plan { kind: *kind, node: *node, hang_up: HangUp::Never }).collect()
}

/// Each choice of `count` kinds.
fn sorted(count: usize) -> Vec<Vec<Kind>> {
    let mut all = vec![Vec::new()];
    for _ in 0..count {
        let longer = |kinds: &Vec<Kind>| {
            let (kinds, least) = (kinds.clone(), kinds.last().copied());
            KINDS
                .into_iter()
                .filter(move |kind| Some(*kind) >= least)
                .map(move |kind| [&kinds[..], &[kind]].concat())
        };
        all = all.iter().flat_map(longer).collect();
    }
    all
}
