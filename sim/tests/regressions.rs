//! Seeds that once broke a promise, all from before there were draws: they run without any.

use sessile_core::Plant;
use sessile_sim::harder::Profile;
use sessile_sim::run::run;

/// Each with the promise that it broke.
const ONCE_BROKEN: [(u64, &str); 80] = [
    (2, "C2: a resumed node removed everybody by the time it had been stopped, and served alone"),
    (18, "C2: the answer to a refused copy was owed and not sent"),
    (69, "C2: an end settled when another end of the session arrived"),
    (163, "C6: a stale touch revived what had expired"),
    (177, "C5: an end known on one side of a split only was brought back by the next one to return"),
    (181, "progress: two equal sides with a common least member never found together"),
    (
        244,
        "C5: an expired session was brought back by a stale copy, without what had been dropped with its end",
    ),
    (296, "progress: a join waited for a process whose last words came late"),
    (341, "C5: a member died while another joined, and what it owed was not compared for"),
    (564, "C6: a stale touch revived what had expired"),
    (822, "C5: a frame of a dead member came after its shard was transferred from a third"),
    (1553, "C2: a joiner that was stopped began alone at once"),
    (1670, "progress: a stopped node was barred by its own earlier wait for its name"),
    (2481, "C4: a joiner took an answer to its earlier join for one to this, and never met who came between"),
    (2938, "C6: an expiry was undone by requests that had only asked, and told twice"),
    (
        3476,
        "C1: an old copy came back to a founder that held nothing, and what was written to it lost to a stopped node",
    ),
    (3683, "C6: a member was removed before it answered, which counted as its consent to an expiry"),
    (3863, "C5: two that began apart took each other's old joins for new ones and never compared"),
    (4680, "C4: an incomplete member included one that it had removed, which did not know, and granted it"),
    (4966, "C6: an expiry was undone by requests that had only asked, and told twice"),
    (5496, "C6: a member was removed before it answered, which counted as its consent to an expiry"),
    (5974, "C4: an incomplete node served a copy that it got before all members delivered to it"),
    (6757, "C1: a founder's new writes lost to older ones of a stopped member"),
    (6929, "C1: a joiner took an answer to its earlier join for one to this, and never met who came between"),
    (7354, "C6: an expiry was undone by requests that had only asked, and told twice"),
    (7425, "C2: the same, removed for not acknowledging"),
    (7881, "C4: the same in a one-way cut"),
    (8510, "C4: a founder's new writes lost to older ones of a stopped member"),
    (9509, "C4: a returning node founded without what a fresh joiner had been delivered"),
    (9643, "C1: a founder's new writes lost to older ones of a stopped member"),
    (9653, "C2: a joiner included the stopped member that it had removed, which went on with old sessions"),
    (9719, "C6: the same, and what it still used had expired"),
    (9886, "C6: an expiry was undone by requests that had only asked, and told twice"),
    (7870, "C5 (its checker): an end that was lost once was still on its way when the copies were compared"),
    (
        12430,
        "C4: a commit that was refused and sent again settled after a later one, for which alone readers waited",
    ),
    (18403, "C6 (its checker): an expiry of another side buried a use, and a third side's copy came back"),
    (
        20548,
        "C1: a joiner lost its link to the only member it had met, and began a cluster of its own beside it",
    ),
    (21744, "C4: a commit that was refused and sent again settled after a later one"),
    (24181, "C4: a commit that was refused and sent again settled after a later one"),
    (25391, "C1: a stopped node took the lease of a member that joined anew for a sign that nobody went on"),
    (28593, "C4: a commit that was refused and sent again settled after a later one"),
    (29044, "C6: who had asked at the same time took that for a use, and undid the expiry"),
    (30298, "C4: a commit that was refused and sent again settled after a later one"),
    (37304, "C6: a member prolonged a session to whose end it had agreed meanwhile, and undid the expiry"),
    (59034, "C6: a member agreed to an expiry between a request's question and its use"),
    (62171, "C5: a node on its way back took a change without what went before it, and seemed to have all"),
    (67864, "C3: a node on its way back took a change without what went before it, and seemed to have all"),
    (76345, "C4: a node on its way back took a change without what went before it, and seemed to have all"),
    (94713, "C3: a node on its way back took a change without what went before it, and seemed to have all"),
    (79840, "C5: a node left before it served again, and some members alone had heard its write"),
    (91988, "C5: a node left before it served again, and some members alone had heard of an end"),
    (88735, "C5: of two expiries that met, the one that counted forgot what the other had dropped"),
    (97717, "C4 (its checker): a process that was stopped before a write counted as one that knew of it"),
    (68533, "C2 (its checker): in heavy loss two nodes removed each other, which divides them as a cut does"),
    (8635, "C5: a copy outlived an expiry where it came in time, and was refused where it came later"),
    (50943, "C1: two that had been stopped as long told each other that nobody had gone on without them"),
    (51706, "C6: a node that was out opened a session, because it had asked for it before"),
    (78894, "C1: a goodbye that had waited for a stopped node made it go on as if it were the only one"),
    (
        28213,
        "C5: of those who got an old copy one had never heard of the end, and the others told the sender alone",
    ),
    (
        1350,
        "C4: after a short cut the last retry came when the drop time was over, though heartbeats passed again",
    ),
    (9532, "C4: a node was ready before all had what it brought from its side of a split"),
    (
        26722,
        "C5: two that had just become ready took each other for joiners, and did not compare after a death",
    ),
    (
        53493,
        "C5: two that had just become ready took each other for joiners, and did not compare after a death",
    ),
    (
        63133,
        "C4: who was removed learned only that the remover had died, and had a lease of another one left",
    ),
    (55613, "progress: the end of a session whose content was awaited was owed, and nothing sent it"),
    (30964, "C5 (its checker): nodes were compared while an expiry was on its way to some of them"),
    (46052, "C5: a member left while one of the others had not acknowledged its last commit"),
    (97705, "C5: every gap sent a window again, and a member acknowledged nothing for the drop time"),
    (98074, "C6: a use was told in a frame that was lost, by a node that was then removed"),
    (2374, "reported of an earlier core: weather that divides two nodes"),
    (3249, "reported of an earlier core: weather that divides two nodes"),
    (9820, "reported of an earlier core: weather that divides two nodes"),
    (10308, "reported of an earlier core: weather that divides two nodes"),
    (13894, "reported of an earlier core: weather that divides two nodes"),
    (14947, "reported of an earlier core: weather that divides two nodes"),
    (17017, "reported of an earlier core: weather that divides two nodes"),
    (13806, "reported of an earlier core"),
    (17016, "reported of an earlier core"),
    (17276, "reported of an earlier core"),
    (73538, "C3 (its checker): one side of a split ended a session, and what it had written ended there"),
];

#[test]
fn regression_seeds_keep_all_promises() {
    for (seed, promise) in ONCE_BROKEN {
        let verdict = run(seed, Profile::CLASSIC, Plant::NONE, false);
        let told: Vec<_> =
            verdict.violations.iter().map(|violation| violation.describe(&verdict.history)).collect();
        assert!(told.is_empty(), "seed {seed} broke {promise} again: {}", told.join("\n"));
    }
}
