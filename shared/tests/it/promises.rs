//! The promises as a matrix of promises and services. A hole in the matrix does not compile, and a
//! service without a row fails.

use testenv::tools::SERVICES;

use crate::*;

/// What shows a promise for a service.
enum Shown {
    /// These tests.
    By(&'static [fn()]),
    /// Nothing has to, for this reason.
    NotOfIt(&'static str),
}

use Shown::{By, NotOfIt};

/// A row: the tests of each promise of the manual, by its number.
struct Row {
    service: &'static str,
    one_server_of_a_kind: Shown,
    migrated_once: Shown,
    private: Shown,
    nothing_left: Shown,
    never_early: Shown,
    next_command: Shown,
    loopback: Shown,
    cure: Shown,
    quiet_drop: Shown,
    only_ours: Shown,
    no_secret: Shown,
    kept: Shown,
}

/// P5 is of runs, which know no service.
const OF_RUNS: Shown = By(&[
    p5_live_runs::joins_and_leaves_at_random_meet_one_server,
    p5_live_runs::the_end_of_one_run_does_not_touch_another,
]);

const MATRIX: &[Row] = &[
    Row {
        service: "postgres",
        one_server_of_a_kind: By(&[
            p1_one_server::two_hundred_tests_under_cargo_test_start_one_server_of_a_kind,
            p1_one_server::two_hundred_processes_under_nextest_start_one_server_of_a_kind,
            p2_templates::sixteen_processes_racing_a_cold_start_and_an_unbuilt_template_build_one_of_each,
        ]),
        migrated_once: By(&[
            p2_templates::sixteen_processes_racing_a_cold_start_and_an_unbuilt_template_build_one_of_each,
            p2_many_users::runs_that_begin_at_once_on_a_cold_server_build_each_template_once,
        ]),
        private: By(&[p3_property::whatever_is_done_in_a_database_is_seen_in_no_other]),
        nothing_left: By(&[
            p4_postgres::nothing_is_left_of_a_database_in_a_container_after_every_kind_of_end,
            p4_postgres::nothing_is_left_of_a_native_cluster_after_every_kind_of_end,
            p4_postgres::no_database_of_ours_is_left_on_a_given_server_after_every_kind_of_end,
        ]),
        never_early: OF_RUNS,
        next_command: By(&[
            every_service::a_failed_test_hands_over_the_next_commands,
            p6_postgres::on_a_given_server_the_database_of_a_failed_test_stays_for_an_hour,
            p6_failed_tests::of_tests_that_fail_in_every_way_each_leaves_one_database_and_says_so_once,
        ]),
        loopback: By(&[
            every_service::a_server_of_ours_listens_on_loopback_only_and_is_closed_to_others,
        ]),
        cure: By(&[
            every_service::what_is_asked_for_outside_a_runtime_is_refused_with_the_cure,
            p8_postgres::a_url_that_leads_nowhere,
            p8_postgres::neither_url_nor_docker_nor_programs,
        ]),
        quiet_drop: By(&[every_service::what_a_test_was_given_can_be_dropped_without_a_runtime]),
        only_ours: By(&[
            p10_beside_others::two_users_two_checkouts_and_two_containers_at_once_touch_nothing_of_each_other,
            p4_in_the_way::of_databases_that_are_marked_as_failed_only_this_roles_are_swept_with_their_roles,
        ]),
        no_secret: By(&[
            p11_secrets::the_password_of_a_postgresql_in_a_container_is_a_secret,
            p11_secrets::the_password_of_a_native_postgresql_is_a_secret,
            p11_secrets::the_password_of_a_kept_postgresql_is_a_secret,
        ]),
        kept: KEPT,
    },
    Row {
        service: "redis",
        one_server_of_a_kind: By(&[
            p1_redis::sixteen_processes_racing_a_cold_start_start_one_container_of_redis,
            p1_redis::sixteen_processes_racing_a_cold_start_start_one_redis_server,
        ]),
        migrated_once: NotOfIt("a database of Redis has no schema"),
        private: By(&[
            p3_redis::flushdb_keys_and_scan_stay_inside_a_database,
            p3_redis::live_databases_are_all_different,
            p3_redis::forty_processes_of_two_machines_pass_on_a_server_of_sixteen_databases,
        ]),
        nothing_left: By(&[
            p4_redis::nothing_is_left_of_a_redis_in_a_container_after_every_kind_of_end,
            p4_redis::nothing_is_left_of_a_native_redis_after_every_kind_of_end,
            p4_redis::no_key_of_ours_is_left_on_a_given_redis_after_every_kind_of_end,
        ]),
        never_early: OF_RUNS,
        next_command: By(&[
            every_service::a_failed_test_hands_over_the_next_commands,
            p3_redis::a_failed_test_leaves_its_database_and_says_how_to_open_it,
        ]),
        loopback: By(&[
            every_service::a_server_of_ours_listens_on_loopback_only_and_is_closed_to_others,
        ]),
        cure: By(&[
            every_service::what_is_asked_for_outside_a_runtime_is_refused_with_the_cure,
            p8_redis::a_redis_url_that_leads_nowhere,
        ]),
        quiet_drop: By(&[every_service::what_a_test_was_given_can_be_dropped_without_a_runtime]),
        only_ours: By(&[
            p10_beside_others::two_users_two_checkouts_and_two_containers_at_once_touch_nothing_of_each_other,
            p4_redis::what_an_application_writes_into_a_leased_database_stays_after_every_kind_of_end,
        ]),
        no_secret: By(&[
            p11_secrets::the_password_of_a_redis_in_a_container_is_a_secret,
            p11_secrets::the_password_of_a_native_redis_is_a_secret,
            p11_secrets::the_password_of_a_kept_redis_is_a_secret,
        ]),
        kept: KEPT,
    },
    Row {
        service: "kafka",
        one_server_of_a_kind: By(&[
            p1_one_server::two_hundred_tests_under_cargo_test_start_one_server_of_a_kind,
            p1_one_server::sixteen_processes_racing_a_cold_start_start_one_broker,
        ]),
        migrated_once: NotOfIt("a topic has no schema"),
        // Each of its 25 tests finds its own messages in its topic and no other.
        private: By(&[
            p3_kafka::all_messages_of_all_partitions_are_read_and_no_strangers,
            p3_kafka::two_hundred_tests_meet_no_stranger,
            p1_one_server::two_hundred_tests_under_cargo_test_start_one_server_of_a_kind,
            p1_one_server::two_hundred_processes_under_nextest_start_one_server_of_a_kind,
        ]),
        nothing_left: By(&[
            p4_nothing_is_left::nothing_is_left_of_a_container_after_every_kind_of_end,
            p4_given_servers::a_killed_run_leaves_no_topic_on_a_broker_that_it_was_given,
        ]),
        never_early: OF_RUNS,
        next_command: By(&[every_service::a_failed_test_hands_over_the_next_commands]),
        loopback: By(&[
            every_service::a_server_of_ours_listens_on_loopback_only_and_is_closed_to_others,
        ]),
        cure: By(&[
            every_service::what_is_asked_for_outside_a_runtime_is_refused_with_the_cure,
            p8_the_cure_is_named::a_url_that_leads_nowhere,
            p8_the_cure_is_named::a_url_whose_server_is_no_broker,
        ]),
        quiet_drop: By(&[every_service::what_a_test_was_given_can_be_dropped_without_a_runtime]),
        only_ours: By(&[p4_given_servers::a_killed_run_leaves_no_topic_on_a_broker_that_it_was_given]),
        no_secret: NotOfIt("a broker of ours takes no password: it listens on loopback only"),
        kept: KEPT,
    },
    Row {
        service: "s3",
        one_server_of_a_kind: By(&[
            p4_s3::sixteen_processes_racing_a_cold_start_start_one_container_of_localstack,
        ]),
        migrated_once: NotOfIt("a bucket has no schema"),
        private: By(&[
            p3_s3::what_is_written_to_a_bucket_is_in_no_other,
            p3_s3::two_hundred_tests_meet_no_stranger,
        ]),
        nothing_left: By(&[
            p4_s3::nothing_is_left_of_a_localstack_after_every_kind_of_end,
            p4_s3::no_bucket_of_ours_is_left_on_a_given_server_after_every_kind_of_end,
            p4_s3::of_a_killed_test_objects_versions_and_uploads_go_with_the_bucket,
        ]),
        never_early: OF_RUNS,
        next_command: By(&[every_service::a_failed_test_hands_over_the_next_commands]),
        loopback: By(&[
            every_service::a_server_of_ours_listens_on_loopback_only_and_is_closed_to_others,
        ]),
        cure: By(&[
            every_service::what_is_asked_for_outside_a_runtime_is_refused_with_the_cure,
            p8_s3::an_endpoint_that_leads_nowhere,
            p8_s3::credentials_that_are_missing,
        ]),
        quiet_drop: By(&[every_service::what_a_test_was_given_can_be_dropped_without_a_runtime]),
        only_ours: By(&[p4_s3::no_bucket_of_ours_is_left_on_a_given_server_after_every_kind_of_end]),
        no_secret: By(&[p11_secrets::the_credentials_of_a_given_s3_server_are_a_secret]),
        kept: KEPT,
    },
    Row {
        service: "toxiproxy",
        one_server_of_a_kind: By(&[
            p4_proxy::sixteen_processes_racing_a_cold_start_start_one_toxiproxy_of_each_way,
        ]),
        migrated_once: NotOfIt("a proxy has no schema"),
        private: By(&[
            p3_proxy::what_is_done_to_one_proxy_is_not_done_to_another,
            p4_proxy::more_tests_than_the_container_has_ports_get_a_proxy_each,
        ]),
        nothing_left: By(&[
            p4_proxy::nothing_is_left_of_a_toxiproxy_in_a_container_after_every_kind_of_end,
            p4_proxy::nothing_is_left_of_a_native_toxiproxy_after_every_kind_of_end,
            p4_proxy::no_proxy_of_ours_is_left_on_a_given_toxiproxy_after_every_kind_of_end,
        ]),
        never_early: OF_RUNS,
        next_command: By(&[every_service::a_failed_test_hands_over_the_next_commands]),
        loopback: By(&[
            every_service::a_server_of_ours_listens_on_loopback_only_and_is_closed_to_others,
        ]),
        cure: By(&[
            every_service::what_is_asked_for_outside_a_runtime_is_refused_with_the_cure,
            p8_proxy::a_toxiproxy_of_another_version,
            p8_proxy::a_toxiproxy_url_that_leads_nowhere,
        ]),
        quiet_drop: By(&[every_service::what_a_test_was_given_can_be_dropped_without_a_runtime]),
        only_ours: By(&[
            p4_proxy::no_proxy_of_ours_is_left_on_a_given_toxiproxy_after_every_kind_of_end,
        ]),
        no_secret: By(&[p3_proxy::the_password_of_an_upstream_is_said_nowhere]),
        kept: KEPT,
    },
];

/// What `TESTENV_REUSE` promises, tried for every service by each of these.
const KEPT: Shown = By(&[
    reuse::a_second_run_finds_the_first_ones_server_and_ci_refuses_it,
    reuse::nothing_of_a_run_stays_on_a_kept_server,
    reuse::a_kept_server_that_is_stopped_takes_what_runs_noted_with_it,
]);

#[test]
fn each_service_has_a_row_and_each_promise_a_test_or_a_reason() {
    let rows: Vec<&str> = MATRIX.iter().map(|row| row.service).collect();
    let services: Vec<&str> = SERVICES.iter().map(|service| service.name).collect();
    let tried: Vec<&str> =
        every_service::SUBJECTS.iter().map(|subject| subject.service.name).collect();

    assert_eq!((&rows, &tried), (&services, &services));
    for row in MATRIX {
        let promises = [
            &row.one_server_of_a_kind,
            &row.migrated_once,
            &row.private,
            &row.nothing_left,
            &row.never_early,
            &row.next_command,
            &row.loopback,
            &row.cure,
            &row.quiet_drop,
            &row.only_ours,
            &row.no_secret,
            &row.kept,
        ];
        for (number, promise) in (1..).zip(promises) {
            let is_filled = match promise {
                By(tests) => !tests.is_empty(),
                NotOfIt(reason) => !reason.is_empty(),
            };
            assert!(is_filled, "{}: nothing shows the promise {number}", row.service);
        }
    }
}
