//! Where servers run: in the Docker engine or, without an engine, as processes of this machine.

use std::time::Duration;

use nix::sys::signal::Signal;
use testenv::tools::Run;
use testenv::tools::docker::runtime;
use testenv::tools::{POSTGRES, PROVIDER_VAR, REACH_LIMIT, announce, ping_docker};
use testenv::{Error, wait};
use tokio::sync::{OnceCell, oneshot};

use super::{docker, native, server};
use crate::execute;

/// Starting takes half a second; a machine that is busy with a build takes several.
pub(super) const START_LIMIT: Duration = Duration::from_secs(60);

/// Makes the cluster `$0` that all servers begin with, once a run; `$1` is the password of its user `postgres`. Nothing is written out, and it is small.
pub(super) const BAKE: &str = r#"set -eu
initdb --username=postgres --auth=trust --encoding=UTF8 --no-sync --wal-segsize=1 --pgdata="$0"
echo 'host all all all md5' > "$0/pg_hba.conf"
postgres --single -D "$0" -c password_encryption=md5 postgres <<END
ALTER ROLE postgres PASSWORD '$1'
ALTER DATABASE template0 IS_TEMPLATE false
DROP DATABASE template0
END
echo baked"#;

/// Makes a copy of the cluster `$0` in `$1`, and becomes the server with the remaining arguments. The
/// server runs only the processes that it needs.
pub(super) const SERVE: &str = r#"set -eu
mkdir -m 700 "$1"; cd "$1"; cp -R "$0/." .
data=$1; shift
exec postgres -D "$data" -c unix_socket_directories= -c password_encryption=md5 -c shared_buffers=8MB \
  -c autovacuum=off -c wal_level=minimal -c max_wal_senders=0 -c max_logical_replication_workers=0 "$@""#;

/// Ends the server whose data is in `$0`, at once but not by SIGKILL, which would leave its shared memory behind.
pub(super) const KILL: &str = r#"if server=$(head -n 1 "$0/postmaster.pid"); then
  kill -CONT "$server"; kill -QUIT "$server"
  while kill -0 "$server"; do sleep 0.02; done
fi 2>/dev/null"#;

pub(super) const FREEZE: &str = r#"kill -STOP "$(head -n 1 "$0/postmaster.pid")""#;

pub(super) enum Engine {
    Docker(docker::Engine),
    Native(native::Engine),
}

/// Does `work` on a thread of its own: it goes on when the caller is dropped, and what it awaits need not be [`Send`].
pub(super) async fn apart<T: Send + 'static>(work: impl AsyncFnOnce() -> T + Send + 'static) -> T {
    let (tell, told) = oneshot::channel();
    std::thread::spawn(move || tell.send(runtime().block_on(work())).ok());
    told.await.expect("work on the engine does not panic")
}

pub(super) async fn open() -> Result<&'static Engine, Error> {
    static ENGINE: OnceCell<Engine> = OnceCell::const_new();
    ENGINE.get_or_try_init(choose).await
}

async fn choose() -> Result<Engine, Error> {
    let run = Run::join()?;
    let forced = std::env::var(PROVIDER_VAR).unwrap_or_default();
    let docker =
        if forced == "native" { Err("ruled out".into()) } else { ping_docker(REACH_LIMIT) };
    match docker {
        Ok(()) => Ok(Engine::Docker(docker::Engine::open(run).await?)),
        Err(why) => {
            let no_lab = |cause: String| {
                Error::new("no place for the machine's servers")
                    .tried(format!("Docker: {why}"))
                    .cause(cause)
                    .fix("cargo course setup --install")
            };
            if forced == "docker" {
                return Err(no_lab(format!("{PROVIDER_VAR}=docker")));
            }
            if std::env::var_os(POSTGRES.url_var).is_some() {
                let given = format!("{} is somebody else's, not to be killed", POSTGRES.url_var);
                return Err(no_lab(given).fix(format!("unset {}", POSTGRES.url_var)));
            }
            let programs = POSTGRES.native_programs().map_err(no_lab)?;
            announce("lab", &format!("servers as processes of this machine (Docker: {why})"));
            Ok(Engine::Native(native::Engine::open(run, programs).await?))
        }
    }
}

impl Engine {
    /// Starts a server, and returns its address when it answers.
    pub(super) async fn start(
        &self,
        name: &str,
        settings: &[String],
        password: &str,
    ) -> Result<String, Error> {
        let settings: Vec<&str> =
            settings.iter().flat_map(|setting| ["-c", setting.as_str()]).collect();
        let address = match self {
            Engine::Docker(engine) => engine.start(name, &settings).await,
            Engine::Native(engine) => engine.start(name, &settings),
        }?;
        let first = server::url(&address, Run::join()?.token());
        let own = format!("ALTER ROLE postgres PASSWORD '{password}'");
        let ready = wait::until(START_LIMIT, "the server's first answer", async || {
            execute(&first, &own).await
        });
        ready.await.map(|()| address)
    }

    pub(super) async fn kill(&self, name: &str) {
        match self {
            Engine::Docker(engine) => engine.run_script(name, KILL).await,
            Engine::Native(engine) => engine.kill(name),
        }
    }

    pub(super) async fn freeze(&self, name: &str) {
        match self {
            Engine::Docker(engine) => engine.run_script(name, FREEZE).await,
            Engine::Native(engine) => engine.signal(name, Signal::SIGSTOP),
        }
    }

    pub(super) async fn remove(&self, name: &str) {
        match self {
            Engine::Docker(engine) => engine.remove(name).await,
            Engine::Native(engine) => engine.remove(name),
        }
    }

    /// The same, without waiting for it.
    pub(super) fn leave(&'static self, name: &str) {
        match self {
            Engine::Docker(engine) => {
                let name = name.to_owned();
                std::thread::spawn(move || runtime().block_on(engine.remove(&name)));
            }
            Engine::Native(engine) => engine.remove(name),
        }
    }
}
