//! The harness's promises, one file for each. `actor.rs` has the processes that they start.

#[cfg(all(feature = "integration", feature = "postgres"))]
mod given;
mod lab;

#[cfg(all(feature = "integration", feature = "kafka", feature = "postgres"))]
mod p1_one_server;
#[cfg(all(feature = "integration", feature = "kafka"))]
mod p4_given_servers;
#[cfg(all(feature = "integration", feature = "postgres"))]
mod p2_templates;
#[cfg(all(feature = "integration", feature = "postgres"))]
mod p2_many_users;
#[cfg(all(feature = "integration", feature = "postgres"))]
mod p3_copies;
#[cfg(all(feature = "integration", feature = "postgres"))]
mod p3_rights;
#[cfg(all(feature = "integration", feature = "postgres"))]
mod p3_whole;
#[cfg(all(feature = "integration", feature = "postgres"))]
mod p4_in_the_way;
#[cfg(all(feature = "integration", feature = "postgres"))]
mod p3_load;
#[cfg(all(feature = "integration", feature = "postgres"))]
mod p3_paused_time;
#[cfg(all(feature = "integration", feature = "postgres"))]
mod p3_postgres;
#[cfg(all(feature = "integration", feature = "postgres"))]
mod p3_property;
#[cfg(all(feature = "integration", feature = "postgres"))]
mod p3_snapshot;
#[cfg(all(feature = "integration", feature = "postgres"))]
mod p4_postgres;
#[cfg(all(feature = "integration", feature = "postgres"))]
mod p6_failed_tests;
#[cfg(all(feature = "integration", feature = "postgres"))]
mod p6_postgres;
#[cfg(all(feature = "integration", feature = "postgres"))]
mod p8_postgres;
#[cfg(all(feature = "integration", feature = "redis"))]
mod p1_redis;
#[cfg(all(feature = "integration", feature = "redis"))]
mod p3_redis;
#[cfg(all(feature = "integration", feature = "redis"))]
mod p4_redis;
#[cfg(all(feature = "integration", feature = "redis"))]
mod p8_redis;
mod p4_nothing_is_left;
#[cfg(all(feature = "integration", feature = "redis"))]
mod engine;
#[cfg(all(feature = "integration", feature = "postgres", feature = "redis"))]
mod images;
#[cfg(all(feature = "integration", feature = "postgres", feature = "redis"))]
mod in_a_container;
mod p5_live_runs;
mod p10_only_ours;
#[cfg(all(feature = "integration", feature = "postgres", feature = "redis"))]
mod p10_beside_others;
#[cfg(all(feature = "integration", feature = "kafka"))]
mod p8_the_cure_is_named;
#[cfg(all(feature = "integration", feature = "kafka", feature = "postgres", feature = "redis"))]
mod given_addresses;
#[cfg(all(feature = "integration", feature = "kafka", feature = "postgres", feature = "redis"))]
mod p11_secrets;
mod faults;
#[cfg(all(feature = "integration", feature = "postgres", feature = "redis"))]
mod reuse;
#[cfg(all(feature = "integration", feature = "kafka", feature = "postgres", feature = "redis"))]
mod every_service;
#[cfg(all(feature = "integration", feature = "kafka", feature = "postgres", feature = "redis"))]
mod promises;
#[cfg(feature = "tools")]
mod sweep;
