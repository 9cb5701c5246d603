//! Which machine this is, for processes: the place in which this process could see a process of
//! another run, if that process were alive.
//!
//! Two containers on one host have the same kernel and may have the same host name, but they have
//! different process namespaces. Neither container sees the processes of the other, so neither can
//! say that they are gone.

use std::fmt;
use std::path::Path;
use std::sync::LazyLock;

/// Where processes live: the machine, its current boot, and the process namespace.
///
/// Invariant: of two processes with the same value, each sees the other, if it has the rights to
/// look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Machine {
    /// The machine's id. Empty if the system has none, as in many containers.
    id: String,
    boot: String,
    processes: String,
}

impl Machine {
    /// Where this process lives.
    pub(crate) fn here() -> &'static Machine {
        static HERE: LazyLock<Machine> = LazyLock::new(|| Machine {
            id: line("/etc/machine-id"),
            boot: boot(),
            processes: std::fs::read_link("/proc/self/ns/pid")
                .map(|link| link.to_string_lossy().chars().filter(char::is_ascii_digit).collect())
                .unwrap_or_default(),
        });
        &HERE
    }

    /// Reads what [`Machine`]'s `Display` wrote.
    pub(crate) fn parse(text: &str) -> Option<Machine> {
        let [id, boot, processes] = text.split('/').collect::<Vec<_>>()[..] else { return None };
        let own = |text: &str| text.to_owned();
        Some(Machine { id: own(id), boot: own(boot), processes: own(processes) })
    }

    /// Whether that was this machine before its last restart. Then none of its processes is alive.
    pub(crate) fn is_before_this_boot(&self) -> bool {
        let here = Machine::here();
        let differs = !self.boot.is_empty() && !here.boot.is_empty() && self.boot != here.boot;
        differs && !self.id.is_empty() && self.id == here.id
    }

    /// Whether this process may see every process there, and the files that each holds open. It may
    /// if both share a namespace, or if this process is root of the whole machine.
    pub(crate) fn is_in_sight(&self) -> bool {
        /// The namespace that contains all others, `PROC_PID_INIT_INO` of the kernel's `proc_ns.h`.
        const INITIAL: &str = "4026531836";
        let here = Machine::here();
        let sees_all = here.processes == INITIAL && nix::unistd::geteuid().is_root();
        let is_this_boot = !self.boot.is_empty() && self.boot == here.boot;
        is_this_boot && (self.processes == here.processes || sees_all)
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.id, self.boot, self.processes)
    }
}

#[cfg(target_os = "linux")]
fn boot() -> String {
    line("/proc/sys/kernel/random/boot_id")
}

#[cfg(not(target_os = "linux"))]
fn boot() -> String {
    let output = std::process::Command::new("sysctl").args(["-n", "kern.bootsessionuuid"]).output();
    output
        .map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned())
        .unwrap_or_default()
}

fn line(path: impl AsRef<Path>) -> String {
    std::fs::read_to_string(path).unwrap_or_default().trim().replace(['/', ' '], "")
}

#[cfg(test)]
mod tests {
    use super::Machine;

    fn machine(id: &str, boot: &str, processes: &str) -> Machine {
        Machine { id: id.into(), boot: boot.into(), processes: processes.into() }
    }

    #[test]
    fn a_machine_is_read_as_it_was_written() {
        let here = Machine::here();

        assert_eq!(Machine::parse(&here.to_string()).as_ref(), Some(here));
        assert!(here.is_in_sight() && !here.is_before_this_boot());
        assert_eq!(Machine::parse("host/tmp/testenv-0/of/an/older/version"), None);
    }

    #[test]
    fn another_kernel_is_out_of_sight_and_another_process_namespace_but_for_root_of_the_machine() {
        let Machine { id, boot, processes } = Machine::here();
        let sees_all = processes == "4026531836" && nix::unistd::geteuid().is_root();

        assert_eq!(machine(id, boot, "1").is_in_sight(), sees_all);
        assert!(!machine(id, "another boot", processes).is_in_sight());
        assert!(!machine(id, "", processes).is_in_sight());
        assert!(!machine(id, boot, "1").is_before_this_boot());
    }

    #[test]
    fn only_a_machine_with_an_id_is_known_again_after_a_boot() {
        let id = &Machine::here().id;

        assert!(!machine("", "another boot", "1").is_before_this_boot());
        assert!(!machine("another machine", "another boot", "1").is_before_this_boot());
        assert_eq!(machine(id, "another boot", "1").is_before_this_boot(), !id.is_empty());
    }
}
