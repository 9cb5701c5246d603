//! Selects the suite to compile: the right suite, unless `COURSE_FAULT` names another.
//! Think of your own faults before you look.

use testenv::by_fault;

/// The part that all suites share: it asks a service and decides whether the answer is healthy.
pub(crate) const CLIENT: &str = include_str!("specimens/client.rs");

/// Returns the source text of the suite to compile.
pub(crate) fn suite() -> &'static str {
    by_fault! {
        "ignored-when-off" => include_str!("specimens/ignored_when_off.rs"),
        "returns-when-off" => include_str!("specimens/returns_when_off.rs"),
        "gated-helper" => include_str!("specimens/gated_helper.rs"),
        "gated-by-test" => include_str!("specimens/gated_by_test.rs"),
        "misspelt" => include_str!("specimens/misspelt.rs"),
        "inverted" => include_str!("specimens/inverted.rs"),
        "ignored-when-on" => include_str!("specimens/ignored_when_on.rs"),
        "skips-without-service" => include_str!("specimens/skips_without_service.rs"),
        "any-answer-will-do" => include_str!("specimens/any_answer_will_do.rs"),
        "all-gated" => include_str!("specimens/all_gated.rs"),
        "gated-module" => include_str!("specimens/gated_module.rs"),
        "returns-a-result" => include_str!("specimens/returns_a_result.rs"),
    }
    .unwrap_or(include_str!("specimens/right.rs"))
}
