//! A suite: it creates its resources, and removes them at its end.

use std::io::{Read, Write};

use crate::End;
use crate::lab::{self, Kind, Thing, make, stop, things};
use crate::specimen::{Guard, Specimen, TearDown};

/// The line after the names of all resources.
pub(crate) const READY: &str = "ready";

/// The process of a suite: `<label> <end> <specimen>`.
#[doc(hidden)]
pub fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [label, end, id] = &words[..] else {
        panic!("usage: task09-suite <label> <end> <specimen>")
    };
    let end = End::ALL.into_iter().find(|known| known.word() == end).expect("it is an end");
    let specimen = Specimen::named(id);

    set_up(label, &specimen);
    let guard = (specimen.guard == Guard::Drop).then(|| TornDown { label, specimen: &specimen });
    match end {
        End::Pass => {}
        End::Panic => panic!("a test of the suite failed"),
        End::Exit => {
            if specimen.at_exit {
                tear_down(label, &specimen);
            }
            // `exit` skips all destructors; this lesson is about that.
            std::process::exit(0);
        }
        // Waits to be killed. If the test dies first, standard input closes and the wait ends.
        End::Kill => drop(std::io::stdin().read_to_end(&mut Vec::new())),
    }
    drop(guard);
    if specimen.guard == Guard::LastLine {
        tear_down(label, &specimen);
    }
}

/// Removes the resources with the label, rightly or wrongly, as `specimen` says.
pub(crate) fn tear_down(label: &str, specimen: &Specimen) {
    let mine = |thing: &Thing| {
        thing.label.as_deref().is_some_and(|owner| match specimen.tear_down {
            TearDown::WhateverHasALabel => owner.contains(label),
            TearDown::WhateverBeginsLikeIt => owner.starts_with(label),
            _ => owner == label,
        })
    };
    match specimen.tear_down {
        TearDown::StopsServers => {
            for server in things().iter().filter(|thing| mine(thing) && thing.is_running) {
                let _refused = stop(server);
            }
            remove_all(|thing| mine(thing) && thing.kind == Kind::Network);
        }
        TearDown::NetworksFirst => {
            // The lab refuses, because the server is still in it. The fault ignores that.
            for network in
                things().iter().filter(|thing| mine(thing) && thing.kind == Kind::Network)
            {
                let _refused = lab::remove(network);
            }
            remove_all(|thing| mine(thing) && thing.kind != Kind::Network);
        }
        TearDown::NotVolumes => remove_all(|thing| mine(thing) && thing.kind != Kind::Volume),
        _ => remove_all(mine),
    }
}

/// Removes servers first: the lab refuses to remove what one of them uses.
pub(crate) fn remove_all(which: impl Fn(&Thing) -> bool) {
    let (servers, rest): (Vec<Thing>, Vec<Thing>) =
        things().into_iter().filter(which).partition(|thing| thing.kind == Kind::Server);
    for thing in servers.iter().chain(&rest) {
        // A guard in another process may have removed the resource already.
        let _refused = lab::remove(thing);
    }
}

/// The guard in each test of a careful suite: dropping it tears down, also during a panic.
struct TornDown<'a> {
    label: &'a str,
    specimen: &'a Specimen,
}

impl Drop for TornDown<'_> {
    fn drop(&mut self) {
        tear_down(self.label, self.specimen);
    }
}

fn set_up(label: &str, specimen: &Specimen) {
    let network = log(make(Kind::Network, Some(label), &[]));
    let volume = log(make(Kind::Volume, Some(label).filter(|_| !specimen.forgets_a_label), &[]));
    if specimen.has_another_volume {
        log(make(Kind::Volume, Some(label), &[]));
    }
    let server = || log(make(Kind::Server, Some(label), &[network.clone(), volume.clone()]));
    if specimen.has_a_stopped_server {
        let name = server();
        let made = things().into_iter().find(|thing| thing.name == name);
        stop(&made.expect("it was just made")).expect("it runs");
    }
    server();
    log(READY.to_owned());
}

/// Prints a name, as a suite's log does.
fn log(name: String) -> String {
    writeln!(std::io::stdout(), "{name}").expect("whoever started this suite reads its log");
    name
}
