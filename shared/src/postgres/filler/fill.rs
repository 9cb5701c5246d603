//! Creates copies: first one for each test that waits, then in advance as many as tests take.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, Executor};

use super::{DROP_DELAY, ENDED, Filler, number_in, templates};
use crate::postgres::pool::{self, READY, USED};
use crate::postgres::template::pin;
use crate::postgres::wake::log;
use crate::postgres::whole::Lacks;
use crate::postgres::{client, failed, server};
use crate::run::cleaner::Refused;
use crate::run::ledger;
use crate::wait;

/// Enough for the tests that two cores run at once. If it is not enough, more copies are created.
const FEWEST: usize = 4;
/// 8 MB each, in memory.
const MOST: usize = 32;

/// The pause between a test's taking and the next copy, as long as half of the copies are there. A
/// copy that is created at once would compete with the test's own first query for the processor.
const REFILL_DELAY: Duration = Duration::from_millis(20);

/// `disk_full`, appendix "PostgreSQL Error Codes" of the manual.
const DISK_FULL: &str = "53100";

/// How long tests wait on a full disk. Databases that others give back meanwhile may make room.
const DISK_FULL_LIMIT: Duration = Duration::from_secs(3);

/// No test waits longer for a copy, see [`pool`](super::pool). A template of gigabytes takes
/// seconds.
const COPY_LIMIT: Duration = Duration::from_secs(60);

/// How often an idle session is checked. A session that was ended (`idle_session_timeout`, an
/// administrator) no longer holds a template.
const PING: Duration = Duration::from_secs(5);

/// How many copies of each template are kept ready, and how many were made.
#[derive(Default)]
pub(super) struct Wanted {
    of: HashMap<PathBuf, usize>,
    made: usize,
}

/// What a session that makes copies knows.
#[derive(Default)]
struct Making {
    held: HashMap<PathBuf, Lacks>,
    /// Since when a full disk refuses copies.
    refused: Option<Instant>,
}

/// Why there is no copy.
enum NoCopy {
    /// The session is lost, for this reason.
    Lost(String),
    /// The server, or the run's directory, refused.
    Refused(String, bool),
}

impl From<sqlx::Error> for NoCopy {
    fn from(error: sqlx::Error) -> NoCopy {
        if server::is_lost(&error) {
            return NoCopy::Lost(client::said(&error));
        }
        let code = error.as_database_error().and_then(|error| error.code());
        NoCopy::Refused(client::said(&error), code.as_deref() == Some(DISK_FULL))
    }
}

/// Leaves a copy that no test has taken to be dropped.
fn give_up_one(template: &Path) {
    let ready = std::fs::read_dir(template.join(READY)).into_iter().flatten().flatten();
    ready.take(1).for_each(|copy| pool::to_be_dropped(&copy.path()));
}

/// A template, as the reaper sees it before it creates copies.
struct Look {
    template: PathBuf,
    /// How many tests wait.
    waiting: usize,
    /// How many copies nobody has had.
    ready: usize,
    /// How many of them there shall be.
    enough: usize,
    is_held: bool,
}

impl Look {
    /// Whether somebody waits: for a copy, or until the template is held.
    fn is_waited_for(&self) -> bool {
        !self.is_held || self.waiting > self.ready
    }
}

/// Of the templates that nobody waits for, the one with the fewest copies.
fn neediest(looks: &[Look]) -> Option<&Look> {
    let in_advance = looks.iter().filter(|look| !look.is_waited_for() && look.ready < look.enough);
    in_advance.min_by_key(|look| look.ready)
}

impl Filler<'_> {
    /// Keeps copies ready: as many as were taken in the last second, within bounds, and one for
    /// each test that waits. Returns when the session is lost, with the reason.
    pub(super) async fn make(&self, admin: &mut PgConnection, wanted: &mut Wanted) -> String {
        let mut making = Making::default();
        let mut answered = Instant::now();
        loop {
            let looks = self.looks(wanted, &making.held);
            let mut made = false;
            for look in looks.iter().filter(|look| look.is_waited_for()) {
                match self.one_for(admin, look, wanted, &mut making).await {
                    Ok(one) => made |= one,
                    Err(lost) => return lost,
                }
                answered = Instant::now();
            }
            // One, and another look: whoever begins to wait meanwhile comes first.
            if !made && let Some(look) = neediest(&looks) {
                if look.ready * 2 >= look.enough {
                    wait::nap(REFILL_DELAY).await;
                }
                match self.one_for(admin, look, wanted, &mut making).await {
                    Ok(one) => made = one,
                    Err(lost) => return lost,
                }
                answered = Instant::now();
            }
            if !made {
                self.wake.woken(&self.wake.to_make).await;
            }
            if answered.elapsed() >= PING {
                match tokio::time::timeout(PING, admin.ping()).await {
                    Ok(Ok(())) => answered = Instant::now(),
                    Ok(Err(error)) => return client::said(&error),
                    Err(_) => return format!("no answer within {PING:?}"),
                }
            }
        }
    }

    fn looks(&self, wanted: &mut Wanted, held: &HashMap<PathBuf, Lacks>) -> Vec<Look> {
        let look = |template: PathBuf| {
            let waiting = pool::waiting(&template);
            let enough = wanted.of.entry(template.clone()).or_insert(FEWEST);
            if waiting > 0 {
                *enough = (*enough * 2).min(MOST);
            }
            let ready = number_in(&template.join(READY));
            let is_held = held.contains_key(&template);
            Look { enough: *enough, template, waiting, ready, is_held }
        };
        templates(self.dir).into_iter().map(look).collect()
    }

    /// Creates a copy of a template, or tells the tests that wait why there is none. Returns `true`
    /// if the filler should look again without a pause.
    ///
    /// # Errors
    ///
    /// The reason, if the session is lost.
    async fn one_for(
        &self,
        admin: &mut PgConnection,
        look: &Look,
        wanted: &mut Wanted,
        making: &mut Making,
    ) -> Result<bool, String> {
        let Look { template, waiting, .. } = look;
        let made = self.one_more(admin, template, &mut making.held, &mut wanted.made).await;
        let enough = wanted.of.entry(template.clone()).or_insert(FEWEST);
        match made {
            Ok(()) => {
                making.refused = None;
                return Ok(true);
            }
            Err(NoCopy::Lost(why)) => return Err(why),
            // Nobody waits for it, so nobody has to know. What a copy does not fit into, tests write into:
            // no copy is tried again in advance, and one that is ready makes room.
            Err(NoCopy::Refused(_, true)) if *waiting == 0 => {
                *enough = 0;
                give_up_one(template);
            }
            Err(NoCopy::Refused(..)) if *waiting == 0 => *enough = FEWEST,
            Err(NoCopy::Refused(_, true))
                if making.refused.get_or_insert_with(Instant::now).elapsed() < DISK_FULL_LIMIT =>
            {
                let given = failed::evict_oldest(self.server, admin, self.dir).await;
                if let Err(Refused::Unreachable(why)) = given {
                    return Err(why);
                }
                wait::nap(DROP_DELAY).await;
                return Ok(true);
            }
            Err(NoCopy::Refused(why, _)) => {
                log(&format!("no copy of {}: {why}", template.display()));
                pool::refuse(template, &why);
            }
        }
        Ok(false)
    }

    /// Creates a copy of a template. This session holds the template from then on.
    async fn one_more(
        &self,
        admin: &mut PgConnection,
        template: &Path,
        held: &mut HashMap<PathBuf, Lacks>,
        made: &mut usize,
    ) -> Result<(), NoCopy> {
        let from = template.file_name().unwrap_or_default().to_string_lossy();
        if !held.contains_key(template) {
            held.insert(template.to_owned(), self.hold(admin, template, &from).await?);
        }
        let Some(lacks) = held.get(template) else { return Ok(()) };
        *made += 1;
        let name = format!("test_{}_{}_{made}", self.token, std::process::id());
        let copied = tokio::time::timeout(COPY_LIMIT, self.copy(admin, &from, &name, lacks));
        let whole = copied.await.unwrap_or_else(|_| {
            Err(NoCopy::Lost(format!("no copy of the template within {COPY_LIMIT:?}")))
        })?;
        // One that is not whole goes where used ones go.
        let folder = if whole.is_ok() { READY } else { USED };
        let done = std::fs::write(template.join(folder).join(&name), "");
        done.map_err(|error| NoCopy::Refused(error.to_string(), false))?;
        Ok(whole?)
    }

    /// Keeps other runs from dropping a template that this run uses.
    async fn hold(
        &self,
        admin: &mut PgConnection,
        template: &Path,
        name: &str,
    ) -> Result<Lacks, NoCopy> {
        if !self.server.is_ours {
            // Its limit is a lost session: what was sent cannot be taken back.
            pin::pin_template(admin, name)
                .await
                .map_err(|error| NoCopy::Lost(error.to_string()))?;
        }
        pool::say_held(template).map_err(|error| NoCopy::Refused(error.to_string(), false))?;
        if !self.server.is_ours {
            // A date that could not be written is an older one: the template goes earlier, when nobody uses it.
            pin::note_use(admin, name).await.ok();
        }
        let lacks = Lacks::of(admin, name).await?;
        if lacks.owner.is_empty() {
            return Err(NoCopy::Refused(format!("database \"{name}\" does not exist"), false));
        }
        Ok(lacks)
    }

    async fn copy(
        &self,
        admin: &mut PgConnection,
        from: &str,
        name: &str,
        lacks: &Lacks,
    ) -> Result<sqlx::Result<()>, NoCopy> {
        // Copying the files takes 10 ms in memory; the default from 15 on logs every page and takes 28.
        let strategy = if self.server.version >= 150_000 { " STRATEGY FILE_COPY" } else { "" };
        let owner = &lacks.owner;
        let sql = format!("CREATE DATABASE \"{name}\" TEMPLATE \"{from}\" OWNER {owner}{strategy}");
        let ended = ENDED.lock().await;
        if *ended {
            std::future::pending::<()>().await;
        }
        if !self.server.is_ours {
            ledger::note(self.dir, "postgres", name, self.text)
                .map_err(|error| NoCopy::Refused(error.to_string(), false))?;
        }
        admin.execute(sqlx::raw_sql(AssertSqlSafe(sql))).await?;
        Ok(lacks.give(admin, name).await)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(name: &str, waiting: usize, ready: usize, enough: usize) -> Look {
        Look { template: PathBuf::from(name), waiting, ready, enough, is_held: true }
    }

    #[test]
    fn a_copy_in_advance_is_of_the_template_with_the_fewest_that_nobody_waits_for() {
        let unheld = Look { is_held: false, ..look("unheld", 0, 0, 4) };
        let looks = [
            look("waited for", 3, 0, 8),
            unheld,
            look("some", 0, 3, 4),
            look("fewest", 2, 2, 4),
            look("enough", 0, 1, 1),
        ];

        let waited_for: Vec<_> = looks.iter().map(Look::is_waited_for).collect();
        assert_eq!(waited_for, [true, true, false, false, false]);
        assert_eq!(neediest(&looks).unwrap().template, Path::new("fewest"));
        assert!(neediest(&looks[..2]).is_none());
    }
}
