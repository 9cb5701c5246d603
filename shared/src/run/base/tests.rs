use std::time::Instant;

use super::*;

fn base() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(name());
    make(&path).unwrap();
    (dir, path)
}

#[test]
fn a_lock_that_a_stopped_process_holds_is_waited_for_no_longer_than_the_limit() {
    let (_dir, path) = base();
    let held = Base::lock_existing(&path).unwrap().unwrap();

    let refused = Base::lock_within(&path, Duration::from_millis(50)).err().unwrap().to_string();

    assert!(refused.contains("which another process holds"), "{refused}");
    drop(held);
    assert!(Base::lock_within(&path, Duration::from_millis(50)).unwrap().is_some());
}

/// The last member of a run leaves while the first one of the next joins.
#[test]
fn a_base_that_is_removed_again_and_again_is_made_again_by_whoever_needs_one() {
    let (_dir, path) = base();
    let deadline = Instant::now() + Duration::from_secs(2);

    std::thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                while Instant::now() < deadline {
                    Base::lock_at(&path).unwrap().remove_if_empty();
                }
            });
        }
    });

    assert!(!path.exists());
}

#[test]
fn what_a_process_left_that_died_while_it_made_or_removed_a_base_goes_with_the_next() {
    let (dir, path) = base();
    let scratch = |name: &str, age| {
        let scratch = dir.path().join(format!(".new-{}-{name}", super::name()));
        std::fs::create_dir(&scratch).unwrap();
        if name != "empty" {
            std::fs::write(scratch.join(LOCK), MARK).unwrap();
        }
        let open = File::open(&scratch).unwrap();
        open.set_modified(open.metadata().unwrap().modified().unwrap() - age).unwrap();
        scratch
    };
    let left = [scratch("empty", OLD * 2), scratch("marked", OLD * 2)];
    let others = [
        scratch("made-now", Duration::ZERO),
        scratch("with-a-file", OLD * 2),
        scratch("with-another-mark", OLD * 2),
        dir.path().join(".new-theirs"),
    ];
    std::fs::create_dir(&others[3]).unwrap();
    std::fs::write(others[1].join("theirs"), "").unwrap();
    std::fs::write(others[2].join(LOCK), "theirs").unwrap();
    for changed in &others[1..3] {
        let open = File::open(changed).unwrap();
        open.set_modified(open.metadata().unwrap().modified().unwrap() - OLD * 2).unwrap();
    }

    Base::lock_existing(&path).unwrap().unwrap().remove_if_empty();
    make(&path).unwrap();

    assert_eq!(left.map(|scratch| scratch.exists()), [false; 2]);
    assert_eq!(others.each_ref().map(|scratch| scratch.exists()), [true; 4]);
    assert_eq!(std::fs::read_to_string(others[1].join(LOCK)).unwrap(), MARK);
    assert_eq!(std::fs::read_to_string(others[2].join(LOCK)).unwrap(), "theirs");
}

#[test]
fn an_empty_base_is_removed_and_one_with_anything_in_it_stays() {
    let (_dir, path) = base();
    let locked = || Base::lock_existing(&path).unwrap();
    std::fs::write(path.join("theirs"), "").unwrap();
    locked().unwrap().remove_if_empty();
    assert!(path.join("theirs").exists() && path.join(LOCK).exists());

    std::fs::remove_file(path.join("theirs")).unwrap();
    locked().unwrap().remove_if_empty();

    assert!(!path.exists() && locked().is_none());
}

/// Between the last look into it and its removal.
#[test]
fn a_base_that_somebody_has_put_a_file_in_stays_a_base() {
    let (dir, path) = base();
    std::fs::write(path.join("theirs"), "").unwrap();

    remove(&path);

    assert!(path.join("theirs").exists());
    assert!(Base::lock_existing(&path).unwrap().is_some());
    assert_eq!(dirs(dir.path()).count(), 1);
}

#[test]
fn what_a_process_left_that_died_while_it_made_a_run_is_removed_and_no_run_before_that() {
    let (_dir, path) = base();
    std::fs::create_dir(path.join(".new-half")).unwrap();
    let base = Base::lock_existing(&path).unwrap().unwrap();
    base.make_run(&path.join("whole"), &[(TOKEN, "t"), (MEMBERS, "")]).unwrap();
    assert_eq!(base.run_dirs(), [path.join("whole")]);

    base.remove_scratch();

    assert!(!path.join(".new-half").exists() && path.join("whole").exists());
}

/// Each run has a name of its own, so what is seen of one is not of the next.
#[test]
fn a_run_that_is_removed_is_never_seen_in_part() {
    let (_dir, path) = base();
    let base = Base::lock_existing(&path).unwrap().unwrap();
    let logs: Vec<String> = (0..200).map(|number| format!("{number}.log")).collect();
    let files: Vec<(&str, &str)> = logs.iter().map(|log| (log.as_str(), "")).collect();
    let run = |number: u32| path.join(number.to_string());
    base.make_run(&run(0), &files).unwrap();

    std::thread::scope(|threads| {
        let watched = threads.spawn(|| {
            let seen_in_part = |number: &u32| {
                let (dir, first) = (run(*number), run(*number).join("0.log"));
                std::iter::repeat_with(|| first.exists()).find(|is_there| !is_there);
                dir.exists()
            };
            (0..50).filter(seen_in_part).count()
        });
        for number in 0..50 {
            base.make_run(&run(number + 1), &files).unwrap();
            base.remove_run(&run(number));
        }
        assert_eq!(watched.join().unwrap(), 0);
    });

    assert_eq!(dirs(&path).count(), 1);
}
