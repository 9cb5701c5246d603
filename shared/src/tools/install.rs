//! Packages of the system. They are always named, and installed only if the user said `--install`.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use super::steps::step;
use crate::cure::command;
use crate::{Error, Heading};

/// Long enough for a slow mirror. A mirror that does not answer ends here.
const APT_LIMIT: Duration = Duration::from_mins(20);

/// Debian's tools ask this program whether a service may be started.
const POLICY: &str = "/usr/sbin/policy-rc.d";

/// Runs apt-get and leaves nothing else behind. In particular, no setting that would forbid
/// services to packages that somebody installs later.
const QUIETLY: &str = include_str!("quietly.sh");

/// Where a program is: in the PATH, or in a directory of system programs that is not in a user's
/// PATH on Debian.
pub(crate) fn find_program(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(system)
        .map(|dir| dir.join(program))
        .find(|path| path.is_file())
}

/// Where a program of cargo's is: in the PATH, or in the directory of `cargo install`, where cargo
/// looks for it.
pub(crate) fn find_cargo_program(program: &str) -> Option<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(std::env::home_dir()?.join(".cargo")));
    let installed = home.map(|home| home.join("bin").join(program));
    find_program(program).or(installed.filter(|path| path.is_file()))
}

/// True on Debian, on Ubuntu, and on systems that name themselves like them.
pub(crate) fn has_apt() -> bool {
    let release = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
    let ids = release
        .lines()
        .filter_map(|line| line.strip_prefix("ID=").or_else(|| line.strip_prefix("ID_LIKE=")));
    let debian = ids
        .flat_map(|ids| ids.trim_matches('"').split(' '))
        .any(|id| matches!(id, "debian" | "ubuntu"));
    debian && find_program("apt-get").is_some()
}

/// The line that installs the packages here, as the user would type it.
pub(crate) fn line(packages: &[&str]) -> String {
    let packages = packages.join(" ");
    if has_apt() {
        as_typed(&format!("apt-get install -y --no-install-recommends {packages}"))
    } else {
        format!("install what your system calls {packages}")
    }
}

/// A command for the administrator, as the user would type it.
pub(crate) fn as_typed(command: &str) -> String {
    if is_root() { command.to_owned() } else { format!("sudo {command}") }
}

/// Installs packages. The first call also updates the list of packages from the mirrors.
pub(crate) struct Installer {
    updated: bool,
}

impl Installer {
    /// Creates an installer that has not asked the mirrors and has installed nothing yet.
    pub(crate) fn new() -> Installer {
        Installer { updated: false }
    }

    /// Installs the packages through apt.
    pub(crate) fn install(&mut self, packages: &[&str]) -> Result<(), Error> {
        if !has_apt() {
            return Err(Error::under(
                Heading::Setup,
                "packages are installed for you on Debian and Ubuntu only",
            )
            .fix(line(packages)));
        }
        if !self.updated {
            self.apt("asking for package lists", &["update", "-q"], packages)?;
            self.updated = true;
        }
        let arguments: Vec<&str> = ["install", "-y", "-q", "--no-install-recommends"]
            .iter()
            .chain(packages)
            .copied()
            .collect();
        self.apt(&format!("installing {}", packages.join(" ")), &arguments, packages)
    }

    fn apt(&self, label: &str, arguments: &[&str], packages: &[&str]) -> Result<(), Error> {
        let mut apt = as_root("sh")?;
        apt.args(["-c", QUIETLY, POLICY]).args(arguments);
        step(label, &mut apt, APT_LIMIT)?.map_err(|words| {
            Error::under(Heading::Setup, format!("{label} failed")).cause(words).fix(line(packages))
        })
    }
}

/// A command that runs as the administrator: directly for root, otherwise through sudo, which may
/// first ask for a password.
pub(crate) fn as_root(program: &str) -> Result<Command, Error> {
    if is_root() {
        return Ok(Command::new(program));
    }
    if find_program("sudo").is_none() {
        return Err(Error::under(
            Heading::Setup,
            "this needs the administrator, and there is no sudo",
        )
        .fix(format!("run it as root: {}", command("setup --install"))));
    }
    let quiet = Command::new("sudo")
        .args(["-n", "true"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .status();
    let asked = || Command::new("sudo").arg("-v").status();
    let granted = quiet.is_ok_and(|status| status.success())
        || (std::io::stdin().is_terminal() && asked().is_ok_and(|status| status.success()));
    if !granted {
        return Err(Error::under(Heading::Setup, "sudo wants a password")
            .fix(format!("run this in a terminal, or as root: {}", command("setup --install"))));
    }
    let mut sudo = Command::new("sudo");
    sudo.args(["-n", program]);
    Ok(sudo)
}

/// True for the user 0.
pub(crate) fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

/// For each pair of program and package, those whose program is missing.
pub(crate) fn missing(programs: &[(String, String)]) -> Vec<&(String, String)> {
    programs.iter().filter(|(program, _)| find_program(program).is_none()).collect()
}

/// Reads a recipe's file `needs`: lines `<program> <debian-package>`.
pub(crate) fn needs(recipe: &Path) -> Result<Vec<(String, String)>, Error> {
    let path = recipe.join("needs");
    let text = std::fs::read_to_string(&path).map_err(|cause| {
        Error::under(Heading::Setup, format!("cannot read {}", path.display())).cause(cause)
    })?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty() && !line.trim_start().starts_with('#'));
    let pairs = lines.map(|(at, line)| match line.split_whitespace().collect::<Vec<_>>()[..] {
        [program, package] => Ok((program.to_owned(), package.to_owned())),
        _ => Err(Error::under(
            Heading::Setup,
            format!("{}:{}: not `<program> <debian-package>`: {line}", path.display(), at + 1),
        )
        .fix("write the two words")),
    });
    pairs.collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::path::Path;
    use std::process::{Child, Command};
    use std::time::Duration;

    use crate::wait;

    use super::QUIETLY;

    /// An installation with an `apt-get` that says what a package's script would meet, and runs
    /// until the test ends it.
    struct Installation {
        dir: tempfile::TempDir,
        shell: Child,
    }

    impl Installation {
        /// `may_unshare`: whether the system lets a process have a view of the file system of its own.
        fn start(may_unshare: bool) -> Installation {
            let dir = tempfile::tempdir().unwrap();
            let program = |name: &str, text: &str| {
                let path = dir.path().join(name);
                std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
            };
            let at = dir.path().display();
            program(
                "apt-get",
                &format!(
                    "if [ -e {at}/policy ]; then {at}/policy; echo $? > {at}/new; else cmp -s /bin/true /usr/sbin/invoke-rc.d && echo hidden > {at}/new; fi
                    echo $$ > {at}/pid; mv {at}/new {at}/said; exec sleep 600"
                ),
            );
            if !may_unshare {
                program("unshare", "exit 1");
            }
            // A suite that was started in the background of a script inherits that signals are ignored.
            let mut shell = Command::new("env");
            shell
                .args(["--default-signal=HUP,INT", "sh", "-c", QUIETLY])
                .arg(dir.path().join("policy"))
                .arg("install");
            let path = std::env::var("PATH").unwrap();
            let shell = shell.env("PATH", format!("{at}:{path}")).spawn().unwrap();
            Installation { dir, shell }
        }

        fn policy(&self) -> std::path::PathBuf {
            self.dir.path().join("policy")
        }

        /// What a package's script meets that would start a service.
        fn said(&self) -> String {
            let said = || std::fs::read_to_string(self.dir.path().join("said"));
            wait::until_blocking(Duration::from_secs(10), "the package's word", said).unwrap()
        }
    }

    impl Drop for Installation {
        fn drop(&mut self) {
            let pid = std::fs::read_to_string(self.dir.path().join("pid")).unwrap_or_default();
            Command::new("kill").args(["-9", pid.trim()]).status().ok(); // it may have ended
            self.shell.kill().ok();
            self.shell.wait().ok();
        }
    }

    /// Whether a package could start its service now.
    fn permits(policy: &Path) -> bool {
        !policy.exists() || Command::new(policy).status().unwrap().success()
    }

    #[test]
    fn an_installation_that_is_killed_forbids_nothing_afterwards() {
        let mut installation = Installation::start(false);
        assert_eq!(installation.said().trim(), "101", "no service starts meanwhile");

        installation.shell.kill().unwrap();
        installation.shell.wait().unwrap();

        assert!(permits(&installation.policy()));
        assert!(!installation.policy().exists(), "and what was left is gone after it was asked");
    }

    #[test]
    fn an_installation_that_is_interrupted_leaves_no_policy() {
        for signal in ["-INT", "-TERM", "-HUP"] {
            let mut installation = Installation::start(false);
            assert_eq!(installation.said().trim(), "101");
            let pid = std::fs::read_to_string(installation.dir.path().join("pid")).unwrap();

            // As a terminal does, to both.
            for pid in [installation.shell.id().to_string(), pid.trim().to_owned()] {
                Command::new("kill").args([signal, &pid]).status().unwrap();
            }
            installation.shell.wait().unwrap();

            assert!(!installation.policy().exists(), "{signal}");
        }
    }

    #[test]
    fn the_next_installation_removes_what_a_killed_one_left_and_keeps_what_others_made() {
        let mut installation = Installation::start(false);
        assert_eq!(installation.said().trim(), "101");
        installation.shell.kill().unwrap();
        installation.shell.wait().unwrap();
        let left = std::fs::read(installation.policy()).unwrap();
        let mine = installation.dir.path().join("mine");
        std::fs::write(&mine, left).unwrap();
        std::fs::set_permissions(&mine, std::fs::Permissions::from_mode(0o755)).unwrap();
        let theirs = installation.dir.path().join("theirs");
        std::fs::write(&theirs, "#!/bin/sh\nexit 101\n").unwrap();

        for policy in [&mine, &theirs] {
            let script = QUIETLY.replace("\napt-get \"$@\"", "\ntrue");
            let mut next = Command::new("sh");
            next.args(["-c", &script]).arg(policy).env("PATH", path(&installation));
            assert!(next.status().unwrap().success());
        }

        assert!(!mine.exists() && theirs.exists());
    }

    fn path(installation: &Installation) -> String {
        format!("{}:{}", installation.dir.path().display(), std::env::var("PATH").unwrap())
    }

    /// Root that may, and the others that may not: in both cases services are forbidden while it runs, and in the first nothing is written for that.
    #[test]
    fn no_service_starts_while_packages_are_installed() {
        let installation = Installation::start(true);

        let said = installation.said();

        assert!(["hidden", "101"].contains(&said.trim()), "{said}");
        assert_eq!(installation.policy().exists(), said.trim() == "101");
    }
}
