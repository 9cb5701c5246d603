//! What an error of the harness names as its cure can be typed in somebody else's package.

use std::process::Command;

use testenv::tools::KAFKA;

#[test]
fn a_choice_ends_with_a_server_or_with_a_cure() {
    match KAFKA.choose() {
        Ok(way) => println!("{way:?}"),
        Err(error) => {
            println!("{error}");
            assert!(error.to_string().contains("\n  to fix: "));
        }
    }
}

#[test]
fn a_cure_runs_in_any_directory() {
    // Docker alone serves a broker, so that here no way is open.
    let mut choice = Command::new(std::env::current_exe().unwrap());
    choice.args(["--exact", "a_choice_ends_with_a_server_or_with_a_cure", "--nocapture"]);
    choice.env("TESTENV_PROVIDER", "native").env_remove("TESTENV_KAFKA_BROKERS");
    let said = String::from_utf8(choice.output().unwrap().stdout).unwrap();
    assert!(!said.contains("cargo course"), "{said}");
    let cures = said.lines().filter_map(|line| line.trim().strip_prefix("to fix: "));
    let program =
        cures.filter_map(|cure| cure.strip_suffix("setup --install")).next().expect(&said);

    // Another word of the same program, one that changes nothing.
    let mut doctor = Command::new("sh");
    doctor.args(["-c", &format!("{program}doctor")]).current_dir(std::env::temp_dir());
    let output = doctor.env("DOCKER_HOST", "unix:///nonexistent").output().unwrap();

    let said = format!("{program}: {output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("Docker does not answer"), "{said}");
    assert!(!said.contains("cargo course"), "{said}");
    assert_eq!(output.status.code(), Some(1), "{said}");
}
