//! What a person reads. Results go to standard output, progress goes to standard error.
//!
//! Invariant: only terminals get colour and rewritten lines, and `NO_COLOR` is honoured (`anstream`
//! removes both elsewhere).

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anstyle::{AnsiColor, Style};

/// The style of what is right.
pub const GOOD: Style = AnsiColor::Green.on_default();
/// The style of what is wrong.
pub const BAD: Style = AnsiColor::Red.on_default();
/// The style of what is not decided yet, or does not count.
pub const DIM: Style = Style::new().dimmed();
/// The style of names and commands.
pub const STRONG: Style = Style::new().bold();

/// Prints one line of result. It is no error if the reader is gone (`| head`).
pub fn out(line: impl Display) {
    writeln!(anstream::stdout(), "{line}").ok();
}

/// Prints one line that is no result: a warning, an error, the next command.
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

/// The last lines of an output, each indented. They are enough to show the failure, and so few that
/// the verdict stays in sight.
pub fn tail(output: &str, lines: usize) -> String {
    let output = output.trim_end();
    let skipped = output.lines().count().saturating_sub(lines);
    output.lines().skip(skipped).map(|line| format!("    | {line}")).collect::<Vec<_>>().join("\n")
}

/// The path relative to a folder, as it is typed in this folder.
pub fn short<'a>(root: &std::path::Path, path: &'a std::path::Path) -> std::path::Display<'a> {
    path.strip_prefix(root).unwrap_or(path).display()
}

/// The text as one word for a shell. It is quoted only if necessary.
pub fn quoted(text: impl Display) -> String {
    crate::cure::quoted(&text.to_string())
}

/// Shows on standard error that something is still running, from the first second until it is
/// dropped.
///
/// On a terminal, one line is rewritten every second. In a log, there is a line when it begins to
/// take long and one every 15 s.
#[must_use]
pub struct Ongoing {
    shown: Option<Sender<Shown>>,
    shown_by: Option<JoinHandle<()>>,
}

enum Shown {
    /// What runs from now on.
    Label(String),
    /// A line of result.
    Line(String),
}

/// Something shorter is over before anybody wonders.
const PATIENCE: Duration = Duration::from_secs(1);
/// So often that nobody thinks a CI job is dead, and so seldom that the log can be read.
const LOG_PACE: Duration = Duration::from_secs(15);

impl Ongoing {
    /// Starts with this label.
    pub fn new(label: impl Into<String>) -> Ongoing {
        Ongoing::shown_after(PATIENCE, label)
    }

    /// Starts with a label that the log already has. The label is repeated only when it takes long.
    pub fn announced(label: impl Into<String>) -> Ongoing {
        Ongoing::shown_after(
            if std::io::stderr().is_terminal() { PATIENCE } else { LOG_PACE },
            label,
        )
    }

    fn shown_after(patience: Duration, label: impl Into<String>) -> Ongoing {
        let (shown, read) = mpsc::channel();
        let label = label.into();
        let show = move || {
            let (start, terminal) = (Instant::now(), std::io::stderr().is_terminal());
            let (mut label, mut next, mut drawn): (String, _, _) = (label, start + patience, false);
            loop {
                match read.recv_timeout(next.saturating_duration_since(Instant::now())) {
                    Ok(Shown::Label(newer)) => label = newer,
                    Ok(Shown::Line(line)) => {
                        if std::mem::take(&mut drawn) && terminal {
                            wipe();
                        }
                        out(line);
                    }
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
                wipe();
            }
        };
        Ongoing { shown: Some(shown), shown_by: Some(std::thread::spawn(show)) }
    }

    /// Changes the label to what runs from now on.
    pub fn now(&self, label: impl Into<String>) {
        self.show(Shown::Label(label.into()));
    }

    /// Prints one line of result, as [`out`] does, while something is still running.
    pub fn say(&self, line: impl Display) {
        self.show(Shown::Line(line.to_string()));
    }

    fn show(&self, shown: Shown) {
        if let Some(thread) = &self.shown {
            thread.send(shown).ok();
        }
    }
}

fn wipe() {
    let mut stream = anstream::stderr();
    stream.write_all(b"\r\x1b[2K").and_then(|()| stream.flush()).ok();
}

impl Drop for Ongoing {
    fn drop(&mut self) {
        self.shown = None;
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
