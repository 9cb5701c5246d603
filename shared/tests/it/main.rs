//! The harness's promises, one file for each. `actor.rs` has the processes that they start.

mod echo;
mod faults;
mod lab;
mod p10_only_ours;
mod p3_kafka;
mod p3_proxy;
mod p3_s3;
mod p4_nothing_is_left;
mod p5_live_runs;
mod sweep;

#[cfg(feature = "integration")]
mod blocking;
#[cfg(feature = "integration")]
mod engine;
#[cfg(feature = "integration")]
mod every_service;
#[cfg(feature = "integration")]
mod given;
#[cfg(feature = "integration")]
mod given_addresses;
#[cfg(feature = "integration")]
mod given_pooler;
#[cfg(feature = "integration")]
mod images;
#[cfg(feature = "integration")]
mod in_a_container;
#[cfg(feature = "integration")]
mod network;
#[cfg(feature = "integration")]
mod p10_beside_others;
#[cfg(feature = "integration")]
mod p11_secrets;
#[cfg(feature = "integration")]
mod p1_one_server;
#[cfg(feature = "integration")]
mod p1_redis;
#[cfg(feature = "integration")]
mod p2_files;
#[cfg(feature = "integration")]
mod p2_many_users;
#[cfg(feature = "integration")]
mod p2_templates;
#[cfg(feature = "integration")]
mod p3_copies;
#[cfg(feature = "integration")]
mod p3_load;
#[cfg(feature = "integration")]
mod p3_paused_time;
#[cfg(feature = "integration")]
mod p3_postgres;
#[cfg(feature = "integration")]
mod p3_property;
#[cfg(feature = "integration")]
mod p3_redis;
#[cfg(feature = "integration")]
mod p3_rights;
#[cfg(feature = "integration")]
mod p3_snapshot;
#[cfg(feature = "integration")]
mod p3_versions;
#[cfg(feature = "integration")]
mod p3_whole;
#[cfg(feature = "integration")]
mod p4_given_servers;
#[cfg(feature = "integration")]
mod p4_in_the_way;
#[cfg(feature = "integration")]
mod p4_postgres;
#[cfg(feature = "integration")]
mod p4_proxy;
#[cfg(feature = "integration")]
mod p4_redis;
#[cfg(feature = "integration")]
mod p4_s3;
#[cfg(feature = "integration")]
mod p6_failed_tests;
#[cfg(feature = "integration")]
mod p6_postgres;
#[cfg(feature = "integration")]
mod p8_postgres;
#[cfg(feature = "integration")]
mod p8_proxy;
#[cfg(feature = "integration")]
mod p8_redis;
#[cfg(feature = "integration")]
mod p8_s3;
#[cfg(feature = "integration")]
mod p8_the_cure_is_named;
#[cfg(feature = "integration")]
mod promises;
#[cfg(feature = "integration")]
mod project;
#[cfg(feature = "integration")]
mod reuse;
#[cfg(feature = "integration")]
mod seed;
