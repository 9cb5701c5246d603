//! An unknown `COURSE_FAULT` is refused.

use crate::lab::Lab;

#[test]
fn a_fault_that_the_package_does_not_list_ends_the_process_before_its_tests() {
    let lab = Lab::new();
    let package = tempfile::tempdir().unwrap();
    std::fs::write(package.path().join("faults.toml"), "[[fault]]\nid = \"known\"\n").unwrap();
    let run = |fault: &str| {
        let mut actor = lab.actor("nothing", "pass");
        actor
            .env("CARGO_MANIFEST_DIR", package.path())
            .env("COURSE_FAULT", fault)
            .stderr(std::process::Stdio::piped())
            .output()
            .unwrap()
    };

    let refused = run("unknown");

    assert_eq!(refused.status.code(), Some(2));
    let words = String::from_utf8(refused.stderr).unwrap();
    assert!(words.contains("COURSE_FAULT=unknown") && words.contains("it has: known"), "{words}");
    assert!(run("known").status.success());
}
