//! Commands that cure what an error complains about, as they can be typed where the harness is used.
//!

use std::env;
use std::ffi::OsStr;
use std::os::unix::fs::PermissionsExt;

/// Names the program that does what `testenv` does. This workspace sets it to `cargo course`, in `.cargo/config.toml`.
pub(crate) const COMMAND_VAR: &str = "TESTENV_COMMAND";

/// The program of this crate, which people install or run from its sources.
const PROGRAM: &str = "testenv";

/// This crate's folder: inside the workspace that it was copied to, or where cargo keeps a dependency.
const FOLDER: &str = env!("CARGO_MANIFEST_DIR");

/// Returns the command with these words, for a shell in any directory.
///
/// It is the program that [`COMMAND_VAR`] names, else `testenv` if that is in the PATH, else a call of cargo
/// that builds `testenv` and runs it.
pub(crate) fn command(words: &str) -> String {
    let named = env::var(COMMAND_VAR).ok();
    command_with(named.as_deref(), &env::var_os("PATH").unwrap_or_default(), FOLDER, words)
}

/// Returns the call of cargo that builds `testenv` with these features of this crate, and runs it.
pub(crate) fn built_with(features: &str, words: &str) -> String {
    built(FOLDER, features, words)
}

fn command_with(named: Option<&str>, path: &OsStr, folder: &str, words: &str) -> String {
    match named.map(str::trim).filter(|named| !named.is_empty()) {
        Some(named) => format!("{named} {words}"),
        None if is_installed(path) => format!("{PROGRAM} {words}"),
        None => built(folder, "tools", words),
    }
}

fn built(folder: &str, features: &str, words: &str) -> String {
    let manifest = quoted(&format!("{folder}/Cargo.toml"));
    format!("cargo run --manifest-path {manifest} --features {features} --bin {PROGRAM} -- {words}")
}

fn is_installed(path: &OsStr) -> bool {
    env::split_paths(path).any(|dir| {
        let found = dir.join(PROGRAM).metadata();
        found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    })
}

/// Returns the text as one word of a shell, quoted only where it must be.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@,%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs::Permissions;

    use super::*;

    #[test]
    fn the_program_that_the_variable_names_comes_first() {
        let installed = directory_with_the_program(0o755);

        let command =
            command_with(Some("cargo course"), installed.path().as_os_str(), "/s", "doctor");

        assert_eq!(command, "cargo course doctor");
    }

    #[test]
    fn a_program_in_the_path_is_called_by_its_name() {
        let installed = directory_with_the_program(0o755);
        let path = env::join_paths(["/nonexistent".as_ref(), installed.path()]).unwrap();

        assert_eq!(command_with(None, &path, "/s", "reuse stop"), "testenv reuse stop");
        assert_eq!(command_with(Some(" "), &path, "/s", "doctor"), "testenv doctor");
    }

    #[test]
    fn else_cargo_builds_it_from_this_folder_whatever_the_folder_is_called() {
        let no_program = directory_with_the_program(0o644);
        let command =
            |folder| command_with(None, no_program.path().as_os_str(), folder, "setup --install");

        assert_eq!(
            command("/code/shared"),
            "cargo run --manifest-path /code/shared/Cargo.toml --features tools --bin testenv -- setup --install"
        );
        assert!(
            command("/my code/it's").contains(r"--manifest-path '/my code/it'\''s/Cargo.toml' ")
        );
        let none = command_with(None, OsStr::new(""), "/s", "doctor");
        assert!(none.starts_with("cargo run --manifest-path /s/Cargo.toml "), "{none}");
    }

    fn directory_with_the_program(mode: u32) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        let program = dir.path().join(PROGRAM);
        std::fs::write(&program, "#!/bin/sh\n").unwrap();
        std::fs::set_permissions(program, Permissions::from_mode(mode)).unwrap();
        dir
    }
}
