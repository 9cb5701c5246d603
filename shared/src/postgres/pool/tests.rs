use std::fs::File;
use std::time::SystemTime;

use super::*;

fn template() -> tempfile::TempDir {
    let template = tempfile::tempdir().unwrap();
    for folder in [WAITING, REFUSED] {
        std::fs::create_dir(template.path().join(folder)).unwrap();
    }
    template
}

#[test]
fn a_test_that_was_killed_while_it_waited_is_waited_for_no_longer() {
    let template = template();
    let _waits = Waiting::new(template.path()).unwrap();
    let killed = template.path().join(WAITING).join("killed");
    #[expect(clippy::disallowed_methods, reason = "a file's age is told by the system's clock")]
    let then = SystemTime::now() - 3 * TAKE_LIMIT;
    File::create(&killed).unwrap().set_modified(then).unwrap();

    assert_eq!(waiting(template.path()), 1);
    assert!(!killed.exists());
}

#[test]
fn what_a_process_had_is_abandoned_only_if_a_whole_line_says_whose_it_was() {
    let template = tempfile::tempdir().unwrap();
    let line = Process::line(std::process::id().cast_signed()).unwrap();
    // As if the same number had been another process.
    let other = line.replace(' ', " 1");
    for folder in [TAKEN, USED, WAITING] {
        std::fs::create_dir(template.path().join(folder)).unwrap();
    }
    for (name, text) in [
        ("of-a-live-process", format!("{line}\n")),
        ("of-a-dead-process", format!("{other}\n")),
        ("half-written", other),
        ("of-the-run", String::new()),
    ] {
        for folder in [TAKEN, WAITING] {
            std::fs::write(template.path().join(folder).join(name), &text).unwrap();
        }
    }

    abandon(template.path());

    let dead = [TAKEN, WAITING, USED]
        .map(|folder| template.path().join(folder).join("of-a-dead-process").exists());
    assert_eq!(dead, [false, false, true]);
    assert_eq!(waiting(template.path()), 3);
    assert_eq!(std::fs::read_dir(template.path().join(TAKEN)).unwrap().count(), 3);
}

#[test]
fn a_refusal_is_told_to_those_who_wait_and_not_to_those_who_come_later() {
    let template = template();
    let (one, other) = (Waiting::new(template.path()), Waiting::new(template.path()));

    refuse(template.path(), "the disk is full");
    let later = Waiting::new(template.path()).unwrap();

    for told in [one, other] {
        assert_eq!(told.unwrap().refusal().unwrap(), "the disk is full");
    }
    assert_eq!((later.refusal(), waiting(template.path())), (None, 1));
}
