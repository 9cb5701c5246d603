//! The page of a report in a real browser: `cargo test -p task25-report --features browser`.
//!
//! `probe.html` shows a page in a frame of a given width, measures it, and writes its findings into its own
//! document, which Chromium prints.
#![cfg(feature = "browser")]

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use task25_report::{Outcome, Report, Run, Test, page};

const PHONE: u32 = 390;
const DESKTOP: u32 = 1280;

/// The names under which systems install Chromium.
const BROWSERS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

#[test]
fn a_phone_shows_it_by_day() {
    assert_eq!(findings(&page(&full()), PHONE, "light"), [LOOKED_AT]);
}

#[test]
fn a_phone_shows_it_by_night() {
    assert_eq!(findings(&page(&full()), PHONE, "dark"), [LOOKED_AT]);
}

#[test]
fn a_desktop_shows_it_by_day() {
    assert_eq!(findings(&page(&full()), DESKTOP, "light"), [LOOKED_AT]);
}

#[test]
fn a_desktop_shows_it_by_night() {
    assert_eq!(findings(&page(&full()), DESKTOP, "dark"), [LOOKED_AT]);
}

#[test]
fn a_report_of_nothing_is_a_page_too() {
    let expected = r#"looked at {"stops":3,"plots":0}"#;

    assert_eq!(findings(&page(&Report::default()), PHONE, "light"), [expected]);
}

/// A probe that finds nothing anywhere would let all of the above pass.
#[test]
fn the_probe_finds_what_is_wrong() {
    let wrong = r##"<p style="color:#999;width:2000px">pale and wide</p>
        <a href="#nowhere" style="outline:none">lost</a><script>alert(1)</script></body>"##;

    let found = findings(&page(&full()).replace("</body>", wrong), PHONE, "light");

    for expected in [
        "px wide in a window of",
        "contrast 2.85: pale and wide",
        "outside: pale and wide",
        "focus is not seen: lost",
        "leads nowhere: #nowhere",
        "there is a script",
        "violates the following Content Security Policy",
    ] {
        assert!(found.iter().any(|it| it.contains(expected)), "no `{expected}` in {found:#?}");
    }
}

/// What the probe counts on the page of [`full`].
const LOOKED_AT: &str = r#"looked at {"stops":7,"plots":2}"#;

/// A report with everything that a page can have, and with names that are hard to show.
fn full() -> Report {
    let run = |day: u64| Run {
        started: Some(format!("2026-11-{day:02}T10:33:36.300+00:00")),
        wall: Some(Duration::from_millis(700 + day * 31 % 200)),
        tests: (1..40).map(|nth| test(nth, day)).collect(),
    };
    Report {
        run: run(20),
        kept: (1..20).map(run).collect(),
        quarantine: vec!["it_is_number_2".into()],
    }
}

fn test(nth: u64, day: u64) -> Test {
    let name = match nth {
        39 => format!("<script>alert('{nth}')</script> & \"co\""),
        38 => "one_word_that_does_not_end_".repeat(12),
        37 => "\u{1b}[2J\u{202e}back".to_owned(),
        _ => format!("it_is_number_{nth}"),
    };
    let outcome = match nth {
        2 | 39 => Outcome::Failed,
        38 => Outcome::Flaky,
        3 => Outcome::Skipped,
        _ => Outcome::Passed,
    };
    Test {
        suite: "shop::it".into(),
        name,
        outcome,
        time: (nth != 3).then(|| Duration::from_millis(nth * nth * (day + 10) / 20)),
        retries: usize::from(nth == 38),
        repeated: None,
    }
}

/// What the probe says of a page, and what the browser says in its console.
fn findings(page: &str, width: u32, scheme: &str) -> Vec<String> {
    // Every character as JavaScript and Rust both write it: `\u{3c}`.
    let page: String = page.chars().map(|char| char.escape_unicode().to_string()).collect();
    let probe = include_str!("probe.html")
        .replace("WIDTH", &width.to_string())
        .replace("SCHEME", scheme)
        .replace("\"PAGE\"", &format!("\"{page}\""));
    let name = std::thread::current().name().expect("libtest names its threads").to_owned();
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&dir).unwrap();
    let file = dir.join("probe.html");
    std::fs::write(&file, probe).unwrap();

    let output = browser()
        .args(["--headless=new", "--disable-gpu", "--no-first-run", "--enable-logging=stderr"])
        // A container's kernel often forbids Chromium's sandbox. The page is ours and loads nothing.
        .args(["--no-sandbox", "--dump-dom", "--window-size=1400,1000"])
        .arg(format!("--blink-settings=preferredColorScheme={}", u8::from(scheme == "light")))
        .arg(format!("--user-data-dir={}", dir.join("profile").display()))
        .arg(format!("file://{}", file.display()))
        .output()
        .unwrap();
    let (document, log) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    let console = log.lines().filter(|line| line.contains(":CONSOLE"));
    let findings = document.lines().filter_map(|line| line.strip_prefix("FINDING "));
    let all: Vec<String> = console.chain(findings).map(str::to_owned).collect();
    assert!(!all.is_empty(), "the browser did not run the probe: {log}");
    all
}

/// The first browser that is installed.
///
/// # Panics
///
/// If there is none. The message names the cure.
fn browser() -> Command {
    let runs = |name: &&&str| Command::new(name).arg("--version").output().is_ok();
    let found = BROWSERS.iter().find(runs);
    Command::new(found.unwrap_or_else(|| {
        let tried = BROWSERS.iter().fold(testenv::Error::new("no browser"), |error, name| {
            error.tried(format!("{name}: not found in PATH"))
        });
        panic!("{}", tried.fix("cargo course dev lint --install").fix("apt-get install chromium"))
    }))
}
