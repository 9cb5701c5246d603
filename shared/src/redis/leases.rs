//! Who leases which database of a given server: keys in its database 0.
//!
//! `testenv:lease:<number>` holds the token of the run that has the database and does not expire: as long as it is there, what the database holds is that run's.
//! `testenv:run:<token>` says that the run lives, and expires unless it is renewed.
//!
//! Invariant: a lease is written only over an empty database or over the lease of a run that is dead, and a database is flushed only in a transaction in
//! which its lease is still held.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use redis::{Connection, RedisResult, cmd, pipe};

use super::server::Server;

/// How long a run lives without a sign of life: a test that stands in a debugger gives none, a machine that died never will.
const LIFE: Duration = Duration::from_mins(10);

/// How often the sign is given.
pub(super) const RENEW: Duration = Duration::from_mins(1);

/// What stands between a test and a database.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// The numbers that could be leased, the best first.
    pub(super) free: Vec<u32>,
    /// How many hold data that no run leased.
    pub(super) foreign: u32,
    others: u32,
    held: usize,
}

impl Standing {
    /// On a server of ours nothing stands in the way but other tests of the run.
    pub(super) fn of_own(server: &Server, held: &BTreeSet<u32>) -> Standing {
        let free = server.numbers().filter(|number| !held.contains(number)).collect();
        Standing { free, held: held.len(), ..Standing::default() }
    }
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Standing { free, foreign, others, held } = self;
        let siblings = free.len();
        write!(
            f,
            "tests of this process have {held}, of other processes of this run {siblings}, other runs {others}; {foreign} hold somebody's data"
        )
    }
}

/// Looks which databases could be leased: first those that the run has and does not use, then empty ones, then those of dead runs.
pub(super) fn look(
    connection: &mut Connection,
    server: &Server,
    run: &str,
    held: &BTreeSet<u32>,
) -> RedisResult<Standing> {
    let owners = owners(connection, server)?;
    let mut sizes = pipe();
    for number in server.numbers() {
        sizes.cmd("SELECT").arg(number).ignore().cmd("DBSIZE");
    }
    let sizes: Vec<u64> = sizes.query(connection)?;

    let mut standing = Standing { held: held.len(), ..Standing::default() };
    let (mut empty, mut dead) = (Vec::new(), Vec::new());
    let mut alive = BTreeMap::new();
    for (number, size) in server.numbers().zip(sizes) {
        match owners.get(&number) {
            _ if held.contains(&number) => {}
            Some(owner) if owner == run => standing.free.push(number),
            Some(owner) => {
                if !alive.contains_key(owner) {
                    alive.insert(owner, is_alive(connection, owner)?);
                }
                if alive[owner] { standing.others += 1 } else { dead.push(number) }
            }
            None if size == 0 => empty.push(number),
            None => standing.foreign += 1,
        }
    }
    standing.free.extend(empty.into_iter().chain(dead));
    Ok(standing)
}

/// Leases a database to the run, and empties it where it holds what a run left; false when another was quicker. The caller holds the number's lock.
pub(super) fn claim(connection: &mut Connection, number: u32, run: &str) -> RedisResult<bool> {
    let lease = key(number);
    loop {
        let owner: Option<String> = at_home()
            .cmd("WATCH")
            .arg(&lease)
            .ignore()
            .cmd("GET")
            .arg(&lease)
            .query::<(Option<String>,)>(connection)?
            .0;
        let mut taken = pipe();
        taken.atomic();
        match &owner {
            None => {
                // Not watched, as a database cannot be; nobody of ours writes without a lease.
                let (size,): (u64,) = pipe()
                    .cmd("SELECT")
                    .arg(number)
                    .ignore()
                    .cmd("DBSIZE")
                    .cmd("SELECT")
                    .arg(0)
                    .ignore()
                    .query(connection)?;
                if size > 0 {
                    return cmd("UNWATCH").exec(connection).map(|()| false);
                }
            }
            Some(owner) if owner == run => {}
            Some(other) => {
                cmd("WATCH").arg(life(other)).exec(connection)?;
                if is_alive(connection, other)? {
                    return cmd("UNWATCH").exec(connection).map(|()| false);
                }
            }
        }
        taken.cmd("SET").arg(life(run)).arg(here()).arg("EX").arg(LIFE.as_secs()).ignore();
        taken.cmd("SET").arg(&lease).arg(run).ignore();
        if owner.is_some() {
            flush(&mut taken, number);
        }
        taken.cmd("DBSIZE");
        // Nothing: the lease, or the other run's life, changed meanwhile.
        if taken.query::<Option<(u64,)>>(connection)?.is_some() {
            return Ok(true);
        }
    }
}

/// Empties a database and ends its lease, unless the run has it no more.
pub(super) fn release(connection: &mut Connection, number: u32, run: &str) -> RedisResult<()> {
    let lease = key(number);
    loop {
        let (owner,): (Option<String>,) =
            at_home().cmd("WATCH").arg(&lease).ignore().cmd("GET").arg(&lease).query(connection)?;
        if owner.as_deref() != Some(run) {
            return cmd("UNWATCH").exec(connection);
        }
        let mut given_back = pipe();
        given_back.atomic();
        flush(&mut given_back, number);
        given_back.cmd("DEL").arg(&lease);
        if given_back.query::<Option<(u64,)>>(connection)?.is_some() {
            return Ok(());
        }
    }
}

/// Says that the run lives, and writes again the leases that somebody's `FLUSHALL` took.
pub(super) fn renew(
    connection: &mut Connection,
    run: &str,
    held: &BTreeSet<u32>,
) -> RedisResult<()> {
    let mut signs = at_home();
    signs.cmd("SET").arg(life(run)).arg(here()).arg("EX").arg(LIFE.as_secs()).ignore();
    for number in held {
        signs.cmd("SET").arg(key(*number)).arg(run).arg("NX").ignore();
    }
    signs.exec(connection)
}

/// Empties and gives back everything that the run leased.
pub(super) fn release_all(
    connection: &mut Connection,
    server: &Server,
    run: &str,
) -> RedisResult<()> {
    for (number, _) in owners(connection, server)?.into_iter().filter(|(_, owner)| owner == run) {
        release(connection, number, run)?;
    }
    at_home().cmd("DEL").arg(life(run)).exec(connection)
}

/// The runs that have a database, by its number.
fn owners(connection: &mut Connection, server: &Server) -> RedisResult<BTreeMap<u32, String>> {
    let mut all = at_home();
    all.cmd("MGET").arg(server.numbers().map(key).collect::<Vec<_>>());
    let (owners,): (Vec<Option<String>>,) = all.query(connection)?;
    Ok(server.numbers().zip(owners).filter_map(|(number, owner)| Some((number, owner?))).collect())
}

fn is_alive(connection: &mut Connection, run: &str) -> RedisResult<bool> {
    let (alive,) = at_home().cmd("EXISTS").arg(life(run)).query(connection)?;
    Ok(alive)
}

fn flush(transaction: &mut redis::Pipeline, number: u32) {
    transaction.cmd("SELECT").arg(number).ignore().cmd("FLUSHDB").arg("ASYNC").ignore();
    transaction.cmd("SELECT").arg(0).ignore();
}

/// Commands that begin in database 0, wherever the last ones ended.
fn at_home() -> redis::Pipeline {
    let mut commands = pipe();
    commands.cmd("SELECT").arg(0).ignore();
    commands
}

fn key(number: u32) -> String {
    format!("testenv:lease:{number}")
}

fn life(run: &str) -> String {
    format!("testenv:run:{run}")
}

/// For people who look into database 0 and wonder whose keys these are.
fn here() -> String {
    nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned()
}
