//! The harness's promises, a file each. `actor.rs` holds the processes that they start.

mod lab;

#[cfg(all(feature = "integration", feature = "kafka"))]
mod p1_one_server;
#[cfg(all(feature = "integration", feature = "kafka"))]
mod p4_given_servers;
mod p4_nothing_is_left;
mod p5_live_runs;
#[cfg(all(feature = "integration", feature = "kafka"))]
mod p7_loopback;
#[cfg(all(feature = "integration", feature = "kafka"))]
mod p8_the_cure_is_named;
mod faults;
