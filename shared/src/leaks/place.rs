//! The place of a spawn, read from the stack of the thread that spawned.

use std::backtrace::Backtrace;

/// What functions between the spawn and this module are called. An inlined one has only its last name.
const FUNCTIONS: [&str; 5] = ["std::", "core::", "alloc::", "tokio::", "testenv::leaks::runtime::"];

/// Where these functions are: in std, in tokio, in this module.
const FILES: [&str; 5] =
    ["/rustc/", "/tokio-1.", "/tokio/src/", "/src/leaks/census.rs", "/src/leaks/runtime.rs"];

/// Returns the file and line of the call that started the thread, or the name of the function if
/// there is no debug information.
pub(super) fn of_spawn(stack: &Backtrace) -> String {
    found(&stack.to_string()).unwrap_or_else(|| "a place that the stack does not show".to_owned())
}

/// Reads the text of a stack. A frame is `  7: function`, and `at file:line:column` below if known.
///
/// std has no other stable access to the frames.
fn found(stack: &str) -> Option<String> {
    let mut lines = stack.lines().map(str::trim).peekable();
    let mut is_below = false;
    while let Some(line) = lines.next() {
        let Some((_, function)) = line.split_once(": ") else { continue };
        let at = lines.next_if(|line| line.starts_with("at ")).map(|line| &line[3..]);
        // The first frames are this module's and those of the capture.
        is_below |= function.contains("thread_starts");
        let plain = function.trim_start_matches(['<', '&']);
        let is_machinery = function.contains("thread_starts")
            || FUNCTIONS.iter().any(|part| plain.starts_with(part))
            || at.is_some_and(|at| FILES.iter().any(|part| at.contains(part)));
        if is_below && !is_machinery {
            let place = at.map(|at| at.trim_start_matches("./"));
            return Some(place.unwrap_or(function).to_owned());
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::found;

    const STACK: &str = "\
   0: core::bool::<impl bool>::then
             at /rustc/5980/library/core/src/bool.rs:66:24
   1: thread_starts
             at ./src/leaks/census.rs:52:21
   2: testenv::leaks::runtime::Builder::counted::{{closure}}
             at ./src/leaks/runtime.rs:70:40
   3: tokio::runtime::blocking::pool::Spawner::spawn_thread
             at /registry/tokio-1.54.1/src/runtime/blocking/pool.rs:514:60
   4: spawn_blocking<shop::journal::open::{closure_env#0}, ()>
             at /registry/tokio-1.54.1/src/task/blocking.rs:220:8
   5: shop::journal::open
             at ./src/journal.rs:12:5
   6: shop::main
             at ./src/main.rs:3:5
";

    #[test]
    fn a_place_is_the_first_frame_that_is_not_of_the_machinery() {
        assert_eq!(found(STACK).as_deref(), Some("src/journal.rs:12:5"));
    }

    #[test]
    fn without_debug_information_a_place_is_a_function() {
        let functions = |line: &&str| !line.contains(" at ") && !line.contains("4: spawn_blocking");
        let functions: Vec<&str> = STACK.lines().filter(functions).collect();

        assert_eq!(found(&functions.join("\n")).as_deref(), Some("shop::journal::open"));
    }
}
