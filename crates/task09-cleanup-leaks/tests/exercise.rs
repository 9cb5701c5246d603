//! Your leak check, and the suites that it judges. The README lists the requirements; `cargo course check task09` says which suites get past it.

use task09_cleanup_leaks::{leak, things};

/// Your piece: the names of everything that carries exactly this label.
fn leaks(label: &str) -> Vec<String> {
    // As docker ps would have it: servers, and only those that run. What else does a suite make?
    let running = things().into_iter().filter(|thing| thing.is_running);
    running.filter(|thing| thing.label.as_deref() == Some(label)).map(|thing| thing.name).collect()
}

/// Leaks once, on purpose, to show what a leak looks like. A list with something in it is a beginning.
#[test]
fn a_leaked_server_is_listed_by_its_label() {
    let ran = leak();

    assert_eq!(leaks(ran.label()).len(), 1);
}

// Still to be written, and to be tested:
//   leaks(label)  complete: R1 names what the first version misses
//   sweep(label)  the cure: removes what `leaks` lists. What does the lab refuse, and why?
//   R1 to R3      run(End::Pass), run(End::Panic), run(End::Exit), run(End::Kill): nothing is left after 2 s
//   R4            every resource that the suite creates carries the suite's label: the list is complete
//   R5            the resources of other suites stay, however similar their labels are
