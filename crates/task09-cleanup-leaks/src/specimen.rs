//! Which suite is run: one that tidies up, unless this process was asked for another. Think first, look after.

use std::time::Duration;

use testenv::fault;

/// Longer than a look at the engine takes: who looks only once looks too early.
const GRACE: Duration = Duration::from_millis(700);

/// How a suite makes and removes its things.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Specimen {
    pub(crate) guard: Guard,
    /// Whether `exit` tears down too, as a hook at the exit does, or a signal's handler.
    pub(crate) at_exit: bool,
    pub(crate) reaper: Reaper,
    pub(crate) tear_down: TearDown,
    pub(crate) forgets_a_label: bool,
    pub(crate) has_another_volume: bool,
    pub(crate) has_a_stopped_server: bool,
}

/// What in the suite's own process tears down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// A value whose `Drop` does it.
    Drop,
    /// The last line of the test.
    LastLine,
    /// Nothing: the reaper is enough.
    None,
}

/// What outside the suite's process tears down when that process is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaper {
    AtOnce,
    After(Duration),
    None,
}

/// What the tear-down takes for the suite's own, and what it does with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TearDown {
    ByLabel,
    StopsServers,
    NotVolumes,
    NetworksFirst,
    WhateverHasALabel,
    WhateverBeginsLikeIt,
}

/// One that leaves nothing, however it ends, and touches nothing of others.
const RIGHT: Specimen = Specimen {
    guard: Guard::Drop,
    at_exit: false,
    reaper: Reaper::AtOnce,
    tear_down: TearDown::ByLabel,
    forgets_a_label: false,
    has_another_volume: false,
    has_a_stopped_server: false,
};

/// One that leaks on purpose.
const LEAKS: Specimen =
    Specimen { guard: Guard::None, reaper: Reaper::None, has_a_stopped_server: true, ..RIGHT };

impl Specimen {
    /// By the word that one process tells another.
    pub(crate) fn named(id: &str) -> Specimen {
        match id {
            "leaks" => LEAKS,
            "leaks-without-a-label" => Specimen { forgets_a_label: true, ..LEAKS },
            "stops-and-leaves" => Specimen { tear_down: TearDown::StopsServers, ..RIGHT },
            "volumes-left" => Specimen { tear_down: TearDown::NotVolumes, ..RIGHT },
            "network-in-use" => {
                Specimen { tear_down: TearDown::NetworksFirst, reaper: Reaper::None, ..RIGHT }
            }
            "last-line" => Specimen { guard: Guard::LastLine, reaper: Reaper::None, ..RIGHT },
            "drop-alone" => Specimen { reaper: Reaper::None, ..RIGHT },
            "hook-at-exit" => Specimen { at_exit: true, reaper: Reaper::None, ..RIGHT },
            "label-forgotten" => Specimen { forgets_a_label: true, ..RIGHT },
            "prunes-all" => Specimen { tear_down: TearDown::WhateverHasALabel, ..RIGHT },
            "matches-prefix" => Specimen { tear_down: TearDown::WhateverBeginsLikeIt, ..RIGHT },
            "keeper-with-grace" => {
                Specimen { guard: Guard::None, reaper: Reaper::After(GRACE), ..RIGHT }
            }
            "one-more-volume" => Specimen { has_another_volume: true, ..RIGHT },
            _ => RIGHT,
        }
    }
}

/// The word for the suite that this process was asked for.
pub(crate) fn selected() -> &'static str {
    if fault!("stops-and-leaves") {
        "stops-and-leaves"
    } else if fault!("volumes-left") {
        "volumes-left"
    } else if fault!("network-in-use") {
        "network-in-use"
    } else if fault!("last-line") {
        "last-line"
    } else if fault!("drop-alone") {
        "drop-alone"
    } else if fault!("hook-at-exit") {
        "hook-at-exit"
    } else if fault!("label-forgotten") {
        "label-forgotten"
    } else if fault!("prunes-all") {
        "prunes-all"
    } else if fault!("matches-prefix") {
        "matches-prefix"
    } else if fault!("keeper-with-grace") {
        "keeper-with-grace"
    } else if fault!("one-more-volume") {
        "one-more-volume"
    } else {
        "right"
    }
}
