//! What a person reads: results on standard output, progress on standard error.
//!
//! Invariant: colour and rewritten lines reach terminals only, and `NO_COLOR` is honoured (`anstream` strips them elsewhere).

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};

/// What holds.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// What does not hold.
pub const BAD: Style = AnsiColor::Red.on_default();
/// What is not decided yet, or not counted.
pub const DIM: Style = Style::new().dimmed();
/// Names and commands.
pub const STRONG: Style = Style::new().bold();

/// One line of result. A reader that went away (`| head`) is no error.
pub fn out(line: impl Display) {
    writeln!(anstream::stdout(), "{line}").ok();
}

/// One line that is no result: warnings, errors, the next command.
pub fn note(line: impl Display) {
    writeln!(anstream::stderr(), "{line}").ok();
}

/// The text in a style.
pub fn paint(style: Style, text: impl Display) -> String {
    format!("{style}{text}{style:#}")
}

/// The singular for one, the plural for any other number: `count(2, "test", "tests")`.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// The last lines of an output, each indented: enough to see the failure, not so much that the verdict scrolls away.
pub fn tail(output: &str, lines: usize) -> String {
    let output = output.trim_end();
    let skipped = output.lines().count().saturating_sub(lines);
    output.lines().skip(skipped).map(|line| format!("    | {line}")).collect::<Vec<_>>().join("\n")
}

/// A short path from a folder, as it is typed there.
pub fn short<'a>(root: &std::path::Path, path: &'a std::path::Path) -> std::path::Display<'a> {
    path.strip_prefix(root).unwrap_or(path).display()
}

/// The text as a word of a shell: quoted only where it must be.
pub fn quoted(text: impl Display) -> String {
    crate::cure::quoted(&text.to_string())
}

/// Shows on standard error that something goes on, from one second on, until it is dropped.
///
/// A terminal has one line that is rewritten every second; a log has a line when it begins to take long and one every 15 s.
#[must_use]
pub struct Ongoing {
    labels: Option<Sender<String>>,
    shown_by: Option<JoinHandle<()>>,
}

/// A shorter thing is over before anyone wonders.
const PATIENCE: Duration = Duration::from_secs(1);
/// Often enough that nobody takes a CI job for dead, seldom enough that the log can be read.
const LOG_PACE: Duration = Duration::from_secs(15);

impl Ongoing {
    /// Begins with this label.
    pub fn new(label: impl Into<String>) -> Ongoing {
        Ongoing::shown_after(PATIENCE, label)
    }

    /// Begins with a label that the log has already said: it is not said again before it takes long.
    pub fn announced(label: impl Into<String>) -> Ongoing {
        Ongoing::shown_after(
            if std::io::stderr().is_terminal() { PATIENCE } else { LOG_PACE },
            label,
        )
    }

    fn shown_after(patience: Duration, label: impl Into<String>) -> Ongoing {
        let (labels, read) = mpsc::channel();
        let label = label.into();
        let show = move || {
            let (start, terminal) = (Instant::now(), std::io::stderr().is_terminal());
            let (mut label, mut next, mut drawn): (String, _, _) = (label, start + patience, false);
            loop {
                match read.recv_timeout(next.saturating_duration_since(Instant::now())) {
                    Ok(newer) => label = newer,
                    Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => {
                        let seconds = start.elapsed().as_secs();
                        let mut stream = anstream::stderr();
                        let line = if terminal {
                            format!("\r\x1b[2K{label} ({seconds} s)")
                        } else {
                            format!("{label} ({seconds} s)\n")
                        };
                        stream.write_all(line.as_bytes()).and_then(|()| stream.flush()).ok();
                        drawn = true;
                        next = Instant::now() + if terminal { PATIENCE } else { LOG_PACE };
                    }
                }
            }
            if drawn && terminal {
                let mut stream = anstream::stderr();
                stream.write_all(b"\r\x1b[2K").and_then(|()| stream.flush()).ok();
            }
        };
        Ongoing { labels: Some(labels), shown_by: Some(std::thread::spawn(show)) }
    }

    /// Says what goes on from here.
    pub fn now(&self, label: impl Into<String>) {
        if let Some(labels) = &self.labels {
            labels.send(label.into()).ok();
        }
    }
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        self.labels = None;
        // It ends at once: without this its line would be wiped after the next line of result was written.
        if let Some(shown_by) = self.shown_by.take() {
            shown_by.join().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{quoted, tail};

    #[test]
    fn a_word_is_quoted_only_where_a_shell_needs_it() {
        assert_eq!(quoted("crates/task07-kafka"), "crates/task07-kafka");
        assert_eq!(quoted("my files/it's"), r"'my files/it'\''s'");
    }

    #[test]
    fn the_tail_is_the_last_lines() {
        assert_eq!(tail("a\nb\nc\n\n", 2), "    | b\n    | c");
    }
}
