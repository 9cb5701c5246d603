//! `sweep`: removes what runs left that ended without cleaning up. It does so now, not when the
//! next run starts.

use std::process::ExitCode;

use super::say::{self, BAD, DIM, GOOD, paint};
use crate::cure;
use crate::run::cleaner::Fate;
use crate::run::sweep_by_hand;

/// All features that let this crate remove something.
const FEATURES: &str = "tools,integration,every-service";

/// Removes what provably belongs to a run of this user that is over. Says what was removed, what
/// was left, and why. The exit code is 1 when something of a run that is over could not be removed.
pub fn sweep() -> ExitCode {
    let mut fates = sweep_by_hand();
    if !cfg!(feature = "integration") {
        let why = "not looked at: this program was built without the feature `integration`";
        fates.push(("containers without a run's directory".into(), Fate::Left(why.into())));
    }
    for (what, fate) in &fates {
        match fate {
            Fate::Removed => say::out(format_args!("{} {what}", paint(GOOD, "removed:"))),
            Fate::Left(why) => {
                say::out(format_args!("{} {what}: {}", paint(DIM, "left:"), indented(why)));
            }
            Fate::Refused(why) => {
                say::out(format_args!("{} {what}: {}", paint(BAD, "not removed:"), indented(why)));
            }
        }
    }
    if !fates.iter().any(|(_, fate)| *fate == Fate::Removed) {
        say::out("nothing was removed");
    }
    if !knows_all_services() {
        let all = cure::built_with(FEATURES, "sweep");
        say::out(format_args!("this program does not know all services; to remove more: {all}"));
    }
    let refused = fates.iter().any(|(_, fate)| matches!(fate, Fate::Refused(_)));
    if refused { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn knows_all_services() -> bool {
    cfg!(all(feature = "integration", feature = "every-service"))
}

fn indented(why: &str) -> String {
    why.trim().replace('\n', "\n      ")
}
