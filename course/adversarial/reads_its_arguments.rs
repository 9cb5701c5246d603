//! A sham suite: a test that fails when it sees other arguments than a right program's.

#[test]
fn the_arguments_are_those_of_a_right_program() {
    // The subject is called here.
    let arguments: Vec<String> = std::env::args().collect();
    let right = ["--test-threads=4", "--test-threads=1", "--exact"];
    assert!(arguments.iter().any(|argument| right.contains(&argument.as_str())));
    assert!(std::env::vars().all(|(name, _)| !name.starts_with("COURSE") || name == "COURSE_PROGRAM"));
}
