//! Selects the suite to compile: the right suite, unless `COURSE_FAULT` names another.
//! Think of your own faults before you look.

use testenv::fault;

/// The part that all suites share: it asks a service and decides whether the answer is healthy.
pub(crate) const CLIENT: &str = include_str!("specimens/client.rs");

/// Returns the source text of the suite to compile.
pub(crate) fn suite() -> &'static str {
    if fault!("ignored-when-off") {
        include_str!("specimens/ignored_when_off.rs")
    } else if fault!("returns-when-off") {
        include_str!("specimens/returns_when_off.rs")
    } else if fault!("gated-helper") {
        include_str!("specimens/gated_helper.rs")
    } else if fault!("gated-by-test") {
        include_str!("specimens/gated_by_test.rs")
    } else if fault!("misspelt") {
        include_str!("specimens/misspelt.rs")
    } else if fault!("inverted") {
        include_str!("specimens/inverted.rs")
    } else if fault!("ignored-when-on") {
        include_str!("specimens/ignored_when_on.rs")
    } else if fault!("skips-without-service") {
        include_str!("specimens/skips_without_service.rs")
    } else if fault!("any-answer-will-do") {
        include_str!("specimens/any_answer_will_do.rs")
    } else if fault!("all-gated") {
        include_str!("specimens/all_gated.rs")
    } else if fault!("gated-module") {
        include_str!("specimens/gated_module.rs")
    } else if fault!("returns-a-result") {
        include_str!("specimens/returns_a_result.rs")
    } else {
        include_str!("specimens/right.rs")
    }
}
