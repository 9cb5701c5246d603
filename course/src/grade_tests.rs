use super::{Why, refusal};
use crate::process::Run;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::time::Duration;

const LIMIT: Duration = Duration::from_secs(60);

fn ended(stdout: &str, code: i32) -> Run {
    Run {
        stdout: stdout.into(),
        stderr: String::new(),
        status: Some(ExitStatus::from_raw(code << 8)),
        left_behind: Vec::new(),
        took: Duration::ZERO,
        was_enough: false,
    }
}

fn result(numbers: &str) -> String {
    format!("test result: ok. {numbers}; 0 measured; 0 filtered out; finished in 0.00s\n")
}

#[test]
fn an_early_exit_with_code_0_is_no_pass() {
    assert!(matches!(
        refusal(ended("running 1 test\n", 0), &["a".into()], true, LIMIT),
        Some(Why::EndedEarly { .. })
    ));
    assert!(matches!(
        refusal(ended(&result("1 passed; 0 failed; 0 ignored"), 3), &["a".into()], true, LIMIT),
        Some(Why::EndedEarly { .. })
    ));
    assert!(
        refusal(ended(&result("1 passed; 0 failed; 0 ignored"), 0), &["a".into()], true, LIMIT)
            .is_none()
    );
}

#[test]
fn a_suite_in_which_nothing_ran_is_no_pass() {
    let both = ["a".into(), "b".into()];
    assert!(matches!(
        refusal(ended(&result("0 passed; 0 failed; 0 ignored"), 0), &[], true, LIMIT),
        Some(Why::NothingRan { ignored: 0 })
    ));
    assert!(matches!(
        refusal(ended(&result("0 passed; 0 failed; 2 ignored"), 0), &both, true, LIMIT),
        Some(Why::NothingRan { ignored: 2 })
    ));
}
