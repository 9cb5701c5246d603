//! Selects the suite to run: a suite that leaves nothing, unless `COURSE_FAULT` asks for another.
//! Think about mistakes of your own before you read on.

use std::time::Duration;

use testenv::by_fault;

/// Longer than a look into the lab: a check that looks only once looks too early.
const GRACE: Duration = Duration::from_millis(400);

/// How a suite creates and removes its resources.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Specimen {
    pub(crate) guard: Guard,
    /// Whether `exit` tears down too, like an exit hook or a signal handler.
    pub(crate) at_exit: bool,
    pub(crate) reaper: Reaper,
    pub(crate) tear_down: TearDown,
    pub(crate) forgets_a_label: bool,
    pub(crate) has_another_volume: bool,
    pub(crate) has_a_stopped_server: bool,
}

/// The tear-down inside the suite's own process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Guard {
    /// A value whose `Drop` tears down.
    Drop,
    /// The last line of the test.
    LastLine,
    /// Nothing: the reaper is enough.
    None,
}

/// The tear-down outside the suite's process, after that process is gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reaper {
    AtOnce,
    After(Duration),
    None,
}

/// Which resources the tear-down considers the suite's own, and what it does with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TearDown {
    ByLabel,
    StopsServers,
    NotVolumes,
    NetworksFirst,
    WhateverHasALabel,
    WhateverBeginsLikeIt,
}

/// A suite that leaves nothing, however it ends, and touches no resource of other suites.
const RIGHT: Specimen = Specimen {
    guard: Guard::Drop,
    at_exit: false,
    reaper: Reaper::AtOnce,
    tear_down: TearDown::ByLabel,
    forgets_a_label: false,
    has_another_volume: false,
    has_a_stopped_server: false,
};

/// A suite that leaks on purpose.
const LEAKS: Specimen =
    Specimen { guard: Guard::None, reaper: Reaper::None, has_a_stopped_server: true, ..RIGHT };

impl Specimen {
    /// Finds a specimen by the id that the test passes to the suite's process.
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

/// Returns the id of the suite that `COURSE_FAULT` asks for.
pub(crate) fn selected() -> &'static str {
    by_fault! {
        "stops-and-leaves" => "stops-and-leaves",
        "volumes-left" => "volumes-left",
        "network-in-use" => "network-in-use",
        "last-line" => "last-line",
        "drop-alone" => "drop-alone",
        "hook-at-exit" => "hook-at-exit",
        "label-forgotten" => "label-forgotten",
        "prunes-all" => "prunes-all",
        "matches-prefix" => "matches-prefix",
        "keeper-with-grace" => "keeper-with-grace",
        "one-more-volume" => "one-more-volume",
    }
    .unwrap_or("right")
}
