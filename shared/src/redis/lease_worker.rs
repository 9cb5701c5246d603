//! The work of the client's thread: it locks numbers, claims and empties databases, and renews
//! leases.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::Instant;

use redis::{Connection, RedisResult, cmd};

use super::lease_client::{Answer, Lease, Request};
use super::relay::Relay;
use super::remote_leases::{self, Availability};
use super::server::{Server, failed};
use super::written::Commands;
use crate::provider::announce;
use crate::run::Run;
use crate::run::layout::unwritable;
use crate::service::REDIS;
use crate::{Error, Heading};

/// The directory of the numbers' files, below the run's directory.
const FILES: &str = "redis";

/// The state of the thread.
pub(super) struct LeaseWorker {
    run: &'static str,
    server: Server,
    files: PathBuf,
    /// The numbers that tests of this process have.
    held: BTreeSet<u32>,
    connection: Option<Connection>,
    commands: Option<Arc<Commands>>,
    renewed: Instant,
    requests: Sender<Request>,
}

impl LeaseWorker {
    pub(super) fn new(
        run: &'static Run,
        server: Server,
        requests: Sender<Request>,
    ) -> Result<LeaseWorker, Error> {
        let files = run.dir().join(FILES);
        std::fs::create_dir_all(&files).map_err(|cause| unwritable(&files, &cause))?;
        Ok(LeaseWorker {
            run: run.token(),
            server,
            files,
            held: BTreeSet::new(),
            connection: None,
            commands: None,
            renewed: Instant::now(),
            requests,
        })
    }

    /// Answers requests until the process ends.
    pub(super) fn serve(mut self, incoming: &Receiver<Request>) {
        loop {
            match incoming.recv_timeout(remote_leases::RENEW) {
                Ok(Request::Lease(reply)) => {
                    // A test that does not wait any more drops the lease, and so gives it back.
                    reply.send(self.lease()).ok(); // the test that asked may be gone
                }
                Ok(Request::GiveBack(number, file, relay)) => self.take_back(number, &file, relay),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if !self.server.is_ours && self.renewed.elapsed() >= remote_leases::RENEW {
                let (run, held) = (self.run, self.held.clone());
                // Refused: the next request meets the same and says so.
                self.ask(|connection| remote_leases::renew(connection, run, &held)).ok();
                self.renewed = Instant::now();
            }
        }
    }

    fn lease(&mut self) -> Answer {
        let availability = self.availability().map_err(failed)?;
        if availability.free.is_empty() && availability.foreign == self.server.databases - 1 {
            let var = REDIS.url_var;
            return Err(Error::under(
                Heading::Databases,
                format!(
                    "each of the {} databases of {var} holds somebody's data",
                    availability.foreign
                ),
            )
            .cause("tests take empty databases only, and never the first")
            .fix("start the server with more databases: redis-server --databases 64")
            .fix(format!("`unset {var}` to have a server started for the run")));
        }
        let mut kept = Vec::new();
        for number in &availability.free {
            let Some(file) = self.lock(*number)? else { continue };
            match file.metadata() {
                Ok(state) if state.len() > 0 => kept.push((state.modified().ok(), *number)),
                _ => {
                    if let Some(lease) = self.secure(*number, file)? {
                        return Ok(Ok(lease));
                    }
                }
            }
        }
        // What failed first was looked at first, if at all.
        kept.sort();
        for (_, number) in kept {
            let Some(file) = self.lock(number)? else { continue };
            if let Some(lease) = self.secure(number, file)? {
                return Ok(Ok(lease));
            }
        }
        Ok(Err(availability.to_string()))
    }

    /// Which databases can be leased, the best first.
    fn availability(&mut self) -> RedisResult<Availability> {
        let (run, server, held) = (self.run, self.server.clone(), self.held.clone());
        if server.is_ours {
            return Ok(Availability::of_own(&server, &held));
        }
        self.ask(|connection| remote_leases::look(connection, &server, run, &held))
    }

    /// The number's file, unless another process of the run has it.
    fn lock(&self, number: u32) -> Result<Option<File>, Error> {
        let path = self.files.join(number.to_string());
        let opened = OpenOptions::new().create(true).append(true).open(&path);
        let file = opened.map_err(|cause| unwritable(&path, &cause))?;
        Ok(file.try_lock().is_ok().then_some(file))
    }

    /// Leases and empties the database whose file is locked. `None` if another run was quicker.
    fn secure(&mut self, number: u32, file: File) -> Result<Option<Lease>, Error> {
        let (run, is_ours) = (self.run, self.server.is_ours);
        let secured = self.ask(|connection| {
            if is_ours {
                return empty(connection, number).map(|()| true);
            }
            remote_leases::claim(connection, number, run)
        });
        if !secured.map_err(failed)? {
            return Ok(None);
        }
        file.set_len(0).map_err(|cause| unwritable(&self.files, &cause))?;
        self.held.insert(number);
        let relay = if is_ours { None } else { Some(self.relay(number)?) };
        Ok(Some(Lease::new(number, file, relay, &self.server, self.requests.clone())))
    }

    /// A test's relay to a database of a server that others use too.
    fn relay(&mut self, number: u32) -> Result<Relay, Error> {
        let commands = match &self.commands {
            Some(commands) => commands.clone(),
            None => Arc::new(self.ask(Commands::ask).map_err(failed)?),
        };
        self.commands = Some(commands.clone());
        Relay::open(&self.server, number, commands)
    }

    fn take_back(&mut self, number: u32, file: &File, relay: Option<Relay>) {
        self.held.remove(&number);
        if let Some(relay) = relay {
            relay.close();
        }
        if file.metadata().is_ok_and(|state| state.len() > 0) {
            return;
        }
        let (run, is_ours) = (self.run, self.server.is_ours);
        // Refused: whoever leases it next empties it, and the reaper gives back what the run leased.
        let left = self.ask(|connection| {
            if is_ours {
                empty(connection, number).map(|()| 0)
            } else {
                remote_leases::release(connection, number, run)
            }
        });
        if let Ok(left @ 1..) = left {
            announce(
                REDIS.name,
                &format!(
                    "database {number} holds {left} keys that no test of this run wrote: they stay, and no test gets it (look at them: redis-cli -u \"${}\" -n {number})",
                    REDIS.url_var
                ),
            );
        }
    }

    /// Asks the server. If a test or an idle hour has cut the old connection, opens a new one.
    fn ask<T>(
        &mut self,
        mut question: impl FnMut(&mut Connection) -> RedisResult<T>,
    ) -> RedisResult<T> {
        if let Some(connection) = &mut self.connection {
            match question(connection) {
                Err(error) if error.is_io_error() => self.connection = None,
                answer => return answer,
            }
        }
        let mut connection = self.server.connect()?;
        let answer = question(&mut connection);
        self.connection = Some(connection);
        answer
    }
}

/// Ends the connections to a database of our own server, and empties it. What a test left running, a
/// thread or a program, would write into the next test's database.
fn empty(connection: &mut Connection, number: u32) -> RedisResult<()> {
    remote_leases::select(connection, 0)?;
    let clients: String = cmd("CLIENT").arg("LIST").query(connection)?;
    for client in clients_in(&clients, number) {
        cmd("CLIENT").arg("KILL").arg("ID").arg(client).exec(connection)?;
    }
    remote_leases::select(connection, number)?;
    // The memory of a large database is freed by a thread of the server's.
    cmd("FLUSHDB").arg("ASYNC").exec(connection)
}

/// The ids of the clients that have selected a database. A line of the list is
/// `id=3 addr=127.0.0.1:5 … db=1 …`.
fn clients_in(list: &str, number: u32) -> impl Iterator<Item = &str> {
    let db = format!("db={number}");
    list.lines().filter_map(move |line| {
        let mut fields = line.split(' ');
        let id = fields.next()?.strip_prefix("id=")?;
        fields.any(|field| field == db).then_some(id)
    })
}

#[cfg(test)]
mod tests {
    use super::clients_in;

    #[test]
    fn the_clients_of_a_database_are_known_by_its_number() {
        let list = "id=3 addr=127.0.0.1:5 name= db=1 sub=0\nid=14 name=db=1x db=11 cmd=get\nid=15 db=1 cmd=get\n";

        assert_eq!(clients_in(list, 1).collect::<Vec<_>>(), ["3", "15"]);
        assert_eq!(clients_in(list, 2).count(), 0);
    }
}
