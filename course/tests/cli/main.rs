//! The command line as a learner meets it: the built program on a small workspace of its own, in a folder whose path has spaces.

mod workspace;

mod dev;
mod environment;
mod grading;
mod hunt;
mod learning;
mod machine;
mod promises;
mod quarantine;
mod reporting;
mod shard;
mod tier;
mod watch;
