//! How a number and a name are shown.

use std::fmt::Write;
use std::time::Duration;

use crate::{Test, faults};

/// What stands for a number that cannot be told.
pub(crate) fn unknown() -> String {
    faults::unknown("unknown").to_owned()
}

/// A time with its unit: `12 ms`, `1.24 s`, `3 min 20 s`. A runner's times are whole milliseconds.
pub(crate) fn time(time: Duration) -> String {
    let millis = time.as_millis() + u128::from(time.subsec_micros() % 1000 >= 500);
    match millis {
        0..1000 => format!("{millis} ms"),
        1000..60_000 => format!("{:.2} s", time.as_secs_f64()),
        _ => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1000),
    }
}

/// A time, if it is known.
pub(crate) fn time_if_known(known: Option<Duration>) -> String {
    known.map_or_else(unknown, time)
}

/// Suite and name of a test.
pub(crate) fn label(suite: &str, name: &str) -> String {
    let name = if name.is_empty() { "(no name)" } else { name };
    visible(&format!("{suite} {name}")).trim_start().to_owned()
}

/// Suite and name of a test.
pub(crate) fn label_of(test: &Test) -> String {
    label(&test.suite, &test.name)
}

/// The text without characters that could command a terminal or turn the direction of a line: they are shown
/// as `\u{1b}`.
pub(crate) fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for char in text.chars() {
        let turns = matches!(char, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        if (char.is_control() || turns) && !faults::control_characters_stay() {
            write!(visible, "{}", char.escape_unicode()).expect("a string can be written");
        } else {
            visible.push(char);
        }
    }
    visible
}

/// The day and the minute of `2026-11-27T10:33:36.300+00:00`.
pub(crate) fn started(timestamp: Option<&str>) -> String {
    let Some(timestamp) = timestamp else { return "no date".into() };
    visible(&timestamp.chars().take(16).collect::<String>()).replace('T', " ")
}

/// How many tests ran at once: `1.8`.
pub(crate) fn ratio(known: Option<f64>) -> String {
    known.map_or_else(unknown, |ratio| format!("{ratio:.1}"))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{label, time};

    #[test]
    fn a_time_has_the_unit_that_makes_it_short() {
        let shown = |millis| time(Duration::from_millis(millis));

        let all = [0, 12, 999, 1000, 59_990, 60_000, 200_000].map(shown);

        assert_eq!(
            all,
            ["0 ms", "12 ms", "999 ms", "1.00 s", "59.99 s", "1 min 0 s", "3 min 20 s"]
        );
        assert_eq!(time(Duration::from_micros(999_700)), "1.00 s");
    }

    #[test]
    fn a_name_cannot_command_the_terminal() {
        assert_eq!(label("s", "a\u{1b}[2Jb\u{202e}c"), r"s a\u{1b}[2Jb\u{202e}c");
        assert_eq!(label("", ""), "(no name)");
    }
}
