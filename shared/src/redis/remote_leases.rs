//! Who leases which database of a given server: keys in its database 0.
//!
//! `testenv:lease:<number>` contains the token of the run that has the database, and does not
//! expire. `testenv:keys:<number>` is the set of the names of the keys that the run's tests wrote.
//! `testenv:run:<token>` says that the run lives, and expires unless it is renewed.
//!
//! Nothing is ever flushed here: an application may write into a database that was empty when it
//! was leased.
//!
//! Invariant: a key is removed only if three conditions hold. Its name is noted. The transaction
//! that removes it still has the lease. The server has agreed to the number of the database before,
//! because a command in a wrong database would meet database 0.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use redis::{Connection, RedisError, RedisResult, cmd, pipe};

use super::server::Server;

/// How long a run lives without a sign of life. A test that stands in a debugger gives no sign for
/// a while, and a machine that died never will.
const LIFE: Duration = Duration::from_mins(10);

/// How often a run gives a sign of life.
pub(super) const RENEW: Duration = Duration::from_mins(1);

/// What prevents a test from getting a database.
#[derive(Debug, Default)]
pub(super) struct Availability {
    /// The numbers that can be leased, the best first.
    pub(super) free: Vec<u32>,
    /// How many databases hold data that no run leased.
    pub(super) foreign: u32,
    others: u32,
    held: usize,
}

impl Availability {
    /// On a server that we started, only other tests of the run can be in the way.
    pub(super) fn of_own(server: &Server, held: &BTreeSet<u32>) -> Availability {
        let free = server.numbers().filter(|number| !held.contains(number)).collect();
        Availability { free, held: held.len(), ..Availability::default() }
    }
}

impl fmt::Display for Availability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Availability { free, foreign, others, held } = self;
        let siblings = free.len();
        write!(
            f,
            "this process has {held}, other processes of this run have {siblings}, other runs have {others}, and {foreign} hold somebody's data"
        )
    }
}

/// Finds the databases that can be leased: first those that the run has and does not use, then
/// empty ones, then those of dead runs.
pub(super) fn look(
    connection: &mut Connection,
    server: &Server,
    run: &str,
    held: &BTreeSet<u32>,
) -> RedisResult<Availability> {
    let owners = owners(connection, server)?;
    // A number that cannot be selected fails the whole answer: no size is taken for another database's.
    let mut sizes = pipe();
    for number in server.numbers() {
        sizes.cmd("SELECT").arg(number).ignore().cmd("DBSIZE");
    }
    let sizes: Vec<u64> = sizes.query(connection)?;

    let mut availability = Availability { held: held.len(), ..Availability::default() };
    let (mut empty, mut dead) = (Vec::new(), Vec::new());
    let mut alive = BTreeMap::new();
    for (number, size) in server.numbers().zip(sizes) {
        match owners.get(&number) {
            _ if held.contains(&number) => {}
            Some(owner) if owner == run => availability.free.push(number),
            Some(owner) => {
                if !alive.contains_key(owner) {
                    alive.insert(owner, is_alive(connection, owner)?);
                }
                if alive[owner] { availability.others += 1 } else { dead.push(number) }
            }
            None if size == 0 => empty.push(number),
            None => availability.foreign += 1,
        }
    }
    availability.free.extend(empty.into_iter().chain(dead));
    Ok(availability)
}

/// Leases a database to the run, and removes the keys that an earlier run left. `false` if another
/// run was quicker, or if somebody else's keys are there. The caller holds the number's lock.
pub(super) fn claim(connection: &mut Connection, number: u32, run: &str) -> RedisResult<bool> {
    loop {
        let owner = watched(connection, number)?;
        if let Some(other) = owner.as_deref().filter(|owner| *owner != run) {
            cmd("WATCH").arg(life(other)).exec(connection)?;
            if is_alive(connection, other)? {
                return cmd("UNWATCH").exec(connection).map(|()| false);
            }
        }
        let names = if owner.is_some() { noted(connection, number)? } else { Vec::new() };
        select(connection, number)?;
        let mut taken = pipe();
        taken.atomic();
        unlink(&mut taken, &names);
        taken.cmd("DBSIZE").cmd("SELECT").arg(0).ignore();
        taken.cmd("SET").arg(life(run)).arg(here()).arg("EX").arg(LIFE.as_secs()).ignore();
        taken.cmd("SET").arg(key(number)).arg(run).ignore();
        taken.cmd("DEL").arg(keys(number)).ignore();
        // Nothing: the lease, or the other run's life, changed meanwhile.
        if let Some((left,)) = taken.query::<Option<(u64,)>>(connection)? {
            if left == 0 {
                return Ok(true);
            }
            // Somebody else's: as long as they are there, the database is nobody's to lease.
            return leave(connection, number).map(|()| false);
        }
    }
}

/// Removes the keys that tests wrote and ends the lease, unless the run no longer has the lease.
/// Returns how many keys of others stay.
pub(super) fn release(connection: &mut Connection, number: u32, run: &str) -> RedisResult<u64> {
    loop {
        if watched(connection, number)?.as_deref() != Some(run) {
            return cmd("UNWATCH").exec(connection).map(|()| 0);
        }
        let names = noted(connection, number)?;
        match select(connection, number) {
            Ok(()) => {}
            // A server that was started again with fewer databases: nothing is there.
            Err(error) if is_out_of_range(&error) => {
                return leave(connection, number).map(|()| 0);
            }
            Err(error) => return Err(error),
        }
        let mut given_back = pipe();
        given_back.atomic();
        unlink(&mut given_back, &names);
        given_back.cmd("DBSIZE").cmd("SELECT").arg(0).ignore();
        given_back.cmd("DEL").arg(key(number)).arg(keys(number)).ignore();
        if let Some((left,)) = given_back.query::<Option<(u64,)>>(connection)? {
            return Ok(left);
        }
    }
}

/// The command that notes the names of keys before they are written.
pub(super) fn note(number: u32, names: &[Vec<u8>]) -> redis::Cmd {
    let mut note = cmd("SADD");
    note.arg(keys(number)).arg(names);
    note
}

/// The run that has the database. From now on, a change of the lease is watched.
fn watched(connection: &mut Connection, number: u32) -> RedisResult<Option<String>> {
    select(connection, 0)?;
    cmd("WATCH").arg(key(number)).exec(connection)?;
    cmd("GET").arg(key(number)).query(connection)
}

/// The noted names. Called in database 0.
fn noted(connection: &mut Connection, number: u32) -> RedisResult<Vec<Vec<u8>>> {
    cmd("SMEMBERS").arg(keys(number)).query(connection)
}

/// Ends a lease without looking into its database.
fn leave(connection: &mut Connection, number: u32) -> RedisResult<()> {
    select(connection, 0)?;
    cmd("DEL").arg(key(number)).arg(keys(number)).exec(connection)
}

/// Selects a database in a command of its own, so that a refusal is known before the next command
/// is sent.
pub(super) fn select(connection: &mut Connection, number: u32) -> RedisResult<()> {
    cmd("SELECT").arg(number).exec(connection)
}

fn is_out_of_range(error: &RedisError) -> bool {
    error.to_string().contains("out of range")
}

/// Removes keys. A thread of the server frees the memory of large keys.
fn unlink(transaction: &mut redis::Pipeline, names: &[Vec<u8>]) {
    for names in names.chunks(1000) {
        transaction.cmd("UNLINK").arg(names).ignore();
    }
}

/// Says that the run lives. Also writes again the leases that somebody's `FLUSHALL` removed.
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

/// Gives back everything that the run leased.
pub(super) fn release_all(
    connection: &mut Connection,
    server: &Server,
    run: &str,
) -> RedisResult<()> {
    for (number, _) in owners(connection, server)?.into_iter().filter(|(_, owner)| owner == run) {
        // What others wrote stays where it is.
        release(connection, number, run)?;
    }
    at_home().cmd("DEL").arg(life(run)).exec(connection)
}

/// The runs that have a database, by the database's number.
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

/// Commands that begin in database 0, wherever the last commands ended.
fn at_home() -> redis::Pipeline {
    let mut commands = pipe();
    commands.cmd("SELECT").arg(0).ignore();
    commands
}

fn key(number: u32) -> String {
    format!("testenv:lease:{number}")
}

fn keys(number: u32) -> String {
    format!("testenv:keys:{number}")
}

fn life(run: &str) -> String {
    format!("testenv:run:{run}")
}

/// The machine's name, for people who look into database 0 and wonder whose keys these are.
fn here() -> String {
    nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned()
}
