//! Servers without Docker: PostgreSQL as processes of this machine. Their data is beside the data
//! of the run's own server, and is removed with it.

use std::collections::HashMap;
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use testenv::Error;
use testenv::tools::Run;

use super::engine::{BAKE, SERVE};
use super::locked;

pub(super) struct Engine {
    run: &'static Run,
    /// The folder of the programs.
    programs: PathBuf,
    /// Where clusters are; it belongs to the user that they run as.
    dir: PathBuf,
    processes: Mutex<HashMap<String, Child>>,
}

impl Engine {
    pub(super) async fn open(run: &'static Run, programs: Vec<PathBuf>) -> Result<Engine, Error> {
        // The run's own server has a place in memory, for its user, that the reaper removes.
        let db = testenv::fresh_db().await;
        let data: String = sqlx::query_scalar("SELECT current_setting('data_directory')")
            .fetch_one(db.superuser())
            .await
            .map_err(|cause| no_cluster(&cause).fix("unset TESTENV_POSTGRES_URL"))?;
        let dir = Path::new(&data).parent().unwrap_or(Path::new("/")).to_owned();
        let programs = programs[0].parent().unwrap_or(Path::new("/")).to_owned();
        let engine = Engine { run, programs, dir, processes: Mutex::default() };
        run.once("lab-cluster", async |_| engine.bake().map(|()| String::new())).await?;
        Ok(engine)
    }

    /// Makes the cluster that servers begin with.
    fn bake(&self) -> Result<(), Error> {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &self.script(BAKE)]).arg(self.dir.join("cluster"));
        command
            .arg(self.run.token())
            .current_dir(&self.dir)
            .stdin(Stdio::null())
            .env("LC_ALL", "C");
        if geteuid().is_root() {
            let (uid, gid) = owner(&self.dir)?;
            command.uid(uid).gid(gid);
        }
        let made = command.output().map_err(|cause| no_cluster(&cause))?;
        if made.status.success() {
            return Ok(());
        }
        Err(no_cluster(&String::from_utf8_lossy(&made.stderr).trim()))
    }

    fn script(&self, text: &str) -> String {
        format!("PATH='{}':$PATH\n{text}", self.programs.display())
    }

    pub(super) fn start(&self, name: &str, settings: &[&str]) -> Result<String, Error> {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.map_err(|cause| no_cluster(&cause))?.port().to_string();
        let text = |path: PathBuf| path.display().to_string();
        let (cluster, data) = (text(self.dir.join("cluster")), text(self.dir.join(name)));
        let script = self.script(SERVE);
        let mut arguments: Vec<&str> = vec!["-c", &script, &cluster, &data, "-p", &port];
        arguments.extend(["-c", "listen_addresses=127.0.0.1"]);
        arguments.extend(settings);
        let (uid, gid) = owner(&self.dir)?;
        let child = if geteuid().is_root() {
            let (uid, gid) = (format!("--reuid={uid}"), format!("--regid={gid}"));
            let other = [&uid, &gid, "--clear-groups", "/bin/sh"];
            let arguments: Vec<&str> = other.into_iter().chain(arguments).collect();
            self.run.start_native(name, "setpriv".as_ref(), &arguments)
        } else {
            self.run.start_native(name, "/bin/sh".as_ref(), &arguments)
        }?;
        locked(&self.processes, |processes| processes.insert(name.to_owned(), child));
        Ok(format!("127.0.0.1:{port}"))
    }

    /// Ends it at once, but not by SIGKILL, which would leave its shared memory behind.
    pub(super) fn kill(&self, name: &str) {
        if let Some(mut child) = self.end(name) {
            let _killed_is_gone = child.wait();
        }
    }

    pub(super) fn remove(&self, name: &str) {
        if let Some(mut child) = self.end(name) {
            // Collected, so that no zombie stays; not waited for.
            std::thread::spawn(move || child.wait());
        }
        // What it still writes goes with the run.
        let _left = std::fs::remove_dir_all(self.dir.join(name));
    }

    fn end(&self, name: &str) -> Option<Child> {
        self.signal(name, Signal::SIGCONT);
        self.signal(name, Signal::SIGQUIT);
        locked(&self.processes, |processes| processes.remove(name))
    }

    pub(super) fn signal(&self, name: &str, signal: Signal) {
        locked(&self.processes, |processes| {
            let pid = processes.get(name).map(|child| Pid::from_raw(child.id().cast_signed()));
            let _already_gone = pid.map(|pid| kill(pid, signal));
        });
    }
}

fn owner(dir: &Path) -> Result<(u32, u32), Error> {
    let metadata = dir.metadata().map_err(|cause| no_cluster(&cause))?;
    Ok((metadata.uid(), metadata.gid()))
}

fn no_cluster(cause: &impl std::fmt::Display) -> Error {
    Error::new("no cluster for the machine's servers").cause(cause).fix("cargo course doctor")
}
