//! Chooses where a cluster is: in memory if there is enough room, otherwise on disk.

use std::fmt::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use nix::sys::statvfs::{FsFlags, statvfs};
use nix::unistd::{AccessFlags, Uid, access};

use crate::{Error, Heading, temporary};

/// Linux's directory for files in memory. Other systems use the temporary directory.
const MEMORY: &str = "/dev/shm";

const MIB: u64 = 1024 * 1024;

/// A cluster takes 40 MiB and each database 8 MiB. 64 tests at once, the pool of ready databases,
/// and the log, which is cut only at a gigabyte, come to about this. If memory runs full, the
/// server ends, and every test with it. A slower disk ends nothing.
const ROOM_IN_MEMORY: u64 = 1024 * MIB;

/// Room for a cluster, the template and some tests at a time. With less room, a try is not worth
/// it.
const ROOM_ON_DISK: u64 = 256 * MIB;

/// Chooses a directory for a cluster of this user. If the tests run as root, this is another user
/// than theirs.
///
/// # Errors
///
/// When no place has enough room. The message says how much room there is, and where.
pub(super) fn choose(user: Option<Uid>) -> Result<PathBuf, Error> {
    let places = [
        (PathBuf::from(MEMORY), ROOM_IN_MEMORY),
        (temporary::dir(), ROOM_ON_DISK),
        (PathBuf::from("/var/tmp"), ROOM_ON_DISK),
    ];
    first(&places, |place| room(place, user))
}

fn first(
    places: &[(PathBuf, u64)],
    room: impl Fn(&Path) -> Result<u64, String>,
) -> Result<PathBuf, Error> {
    let mut error = Error::under(Heading::Start, "no place with room for a PostgreSQL cluster");
    for (place, needed) in places {
        let mut tried = format!("{}: ", place.display());
        let told = match room(place) {
            Ok(free) if free >= *needed => return Ok(place.clone()),
            Ok(free) => write!(tried, "{} MiB are free, {} are needed", free / MIB, needed / MIB),
            Err(why) => write!(tried, "{why}"),
        };
        told.expect("a text can grow");
        error = error.tried(tried);
    }
    Err(error
        .fix(format!("export {}=<a directory with 256 MiB free>", temporary::var()))
        .fix("docker run --shm-size=2g, where the tests run in a container"))
}

/// How many bytes a cluster can have there.
fn room(place: &Path, user: Option<Uid>) -> Result<u64, String> {
    let system = statvfs(place).map_err(|error| error.desc().to_owned())?;
    if system.flags().contains(FsFlags::ST_RDONLY) {
        return Err("it can only be read".into());
    }
    access(place, AccessFlags::W_OK | AccessFlags::X_OK)
        .map_err(|error| error.desc().to_owned())?;
    if let Some(user) = user {
        closed_to(place, user)?;
    }
    #[expect(clippy::useless_conversion, reason = "the types differ from system to system")]
    let free =
        u64::from(system.blocks_available()).saturating_mul(u64::from(system.fragment_size()));
    Ok(if place == Path::new(MEMORY) { free.min(memory()) } else { free })
}

/// Fails if the user has no access to the directory. A directory of root's is closed to the user as
/// which root runs PostgreSQL.
fn closed_to(place: &Path, user: Uid) -> Result<(), String> {
    let closed = place.ancestors().find(|dir| {
        dir.metadata().is_ok_and(|dir| {
            let bit = if dir.uid() == user.as_raw() { 0o100 } else { 0o001 };
            dir.permissions().mode() & bit == 0
        })
    });
    closed.map_or(Ok(()), |dir| Err(format!("{} is closed to user {user}", dir.display())))
}

/// How much memory is left. Files in memory count against the machine's and the container's limits.
fn memory() -> u64 {
    let number = |path: &str| std::fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let left = |limit: &str, used: &str| Some(number(limit)?.saturating_sub(number(used)?));
    let of_two = left("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current");
    let one = "/sys/fs/cgroup/memory/memory";
    let of_one = left(&format!("{one}.limit_in_bytes"), &format!("{one}.usage_in_bytes"));
    let machine = || {
        let text = std::fs::read_to_string("/proc/meminfo").ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib * 1024)
    };
    [of_two, of_one, machine()].into_iter().flatten().min().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::{MIB, first, room};

    fn places() -> [(PathBuf, u64); 2] {
        [("/memory".into(), 100 * MIB), ("/disk".into(), 10 * MIB)]
    }

    #[test]
    fn memory_serves_if_it_has_room_and_a_disk_if_not() {
        let with = |memory: Result<u64, String>| {
            first(&places(), |place| {
                if place == Path::new("/memory") { memory.clone() } else { Ok(50_000 * MIB) }
            })
            .unwrap()
        };

        assert_eq!(with(Ok(100 * MIB)), Path::new("/memory"));
        assert_eq!(with(Ok(64 * MIB)), Path::new("/disk"));
        assert_eq!(with(Err("it can only be read".into())), Path::new("/disk"));
    }

    #[test]
    fn where_nothing_has_room_each_place_is_named_with_its_size() {
        let error = first(&places(), |_| Ok(5 * MIB)).unwrap_err().to_string();

        assert!(error.contains("/memory: 5 MiB are free, 100 are needed"), "{error}");
        assert!(error.contains("/disk: 5 MiB are free, 10 are needed"), "{error}");
        assert!(error.contains("to fix: export TMPDIR="), "{error}");
    }

    #[test]
    fn a_place_that_is_not_there_or_not_ours_has_no_room() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().unwrap();
        let inside = dir.path().join("inside");
        std::fs::create_dir(&inside).unwrap();
        std::fs::set_permissions(dir.path(), std::fs::Permissions::from_mode(0o700)).unwrap();

        assert!(room(&inside, None).unwrap() > 0);
        assert!(room(&inside, Some(65534.into())).unwrap_err().contains("is closed to user"));
        assert!(room(&dir.path().join("nowhere"), None).is_err());
        assert!(room(Path::new("/proc"), None).is_err() || room(Path::new("/proc"), None) == Ok(0));
    }
}
