//! Tests that failed after they had dropped their guard. What they use then, by a pool, a connection
//! or an address, is gone, and no client's error says why.

use std::collections::BTreeMap;
use std::sync::Weak;
use std::time::{Duration, Instant};

use super::{Evidence, Left, Told, panics};

/// How long before its failure a test dropped its last guard.
struct Dropped(Duration);

impl Evidence for Dropped {
    fn room(&self) -> usize {
        0 // it waits for nothing
    }

    fn told(&self) -> Told {
        let since = self.0;
        Told {
            stays: "guard was dropped before that".into(),
            open: None,
            more: vec![format!(
                "its guard was dropped {since:.1?} before it failed. If it then used a pool, a connection or an address that it had from the guard, keep the guard in a variable until the test ends"
            )],
        }
    }
}

/// What is known of the tests that dropped their last guard, and then panicked.
pub(super) fn before_a_panic(
    dropped: BTreeMap<(&'static str, String), Instant>,
) -> impl Iterator<Item = Left> {
    dropped.into_iter().filter_map(|((service, test), at)| {
        let since = panics::at(&test)?.checked_duration_since(at)?;
        Some(Left {
            service,
            test,
            at,
            has_panicked: true,
            is_note: false,
            thread: Weak::new(),
            evidence: Box::new(Dropped(since)),
        })
    })
}
