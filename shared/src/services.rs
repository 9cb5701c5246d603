//! The services, named once: what each hands to the cleaning process of a run.

use crate::run::cleaner::Cleaner;

/// What this binary can remove beside a run's own things.
pub(crate) const CLEANERS: &[&Cleaner] = &[
    #[cfg(feature = "integration")]
    &crate::docker::CLEANER,
    #[cfg(all(feature = "integration", feature = "kafka"))]
    &crate::kafka::CLEANER,
    #[cfg(all(feature = "integration", feature = "postgres"))]
    &crate::postgres::CLEANER,
    #[cfg(all(feature = "integration", feature = "redis"))]
    &crate::redis::CLEANER,
];
