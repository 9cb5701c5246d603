//! Where the manual says more about an error.

use std::env;
use std::path::Path;

/// The map of the workspace that this crate is a folder of.
const MANUAL: &str = "TESTING.md";

macro_rules! headings {
    ($($(#[$doc:meta])* $name:ident: $title:literal,)*) => {
        /// A heading of the manual's troubleshooting. Each error of the harness belongs to one.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Heading {
            $($(#[$doc])* $name,)*
        }

        impl Heading {
            /// All headings, in the manual's order.
            pub const ALL: &[Heading] = &[$(Heading::$name),*];

            /// The words of the heading.
            pub fn title(self) -> &'static str {
                match self {
                    $(Heading::$name => $title,)*
                }
            }
        }
    };
}

headings! {
    /// The engine does not answer, or refuses.
    Docker: "The Docker engine cannot be used",
    /// An image is not there, and cannot be pulled.
    Image: "An image is missing",
    /// No way to a server is open.
    Server: "No server for the integration tier",
    /// The project asks for a server in words that have no meaning.
    Project: "What a project asks for is not understood",
    /// A server was started and did not get ready.
    Start: "A server does not start",
    /// A server that somebody else runs, or that was there before, does not do what a test needs.
    Given: "A server cannot be used",
    /// Each database of a Redis server is taken.
    Databases: "No Redis database is free",
    /// A container cannot reach a server, or a test in a container cannot.
    Inside: "A container reaches no server",
    /// A template, or one of its migrations, failed.
    Template: "A template is not built",
    /// The database refused the row of a factory.
    Row: "A row is not inserted",
    /// A database was not written to a file, or not read from one.
    Snapshot: "A snapshot is not written or restored",
    /// A topic was not made, written or read.
    Topic: "A topic cannot be used",
    /// A proxy, or what a test asked of it, was refused.
    Proxy: "A proxy is refused",
    /// What was waited for did not come in time.
    Missing: "Something is still missing",
    /// A call needs a Tokio runtime.
    Runtime: "No Tokio runtime",
    /// A seed has no meaning, or a thread has no stream.
    Seed: "A seed is refused",
    /// A server that is kept between runs cannot be used.
    Kept: "A kept server cannot be used",
    /// The directory of the run cannot be used.
    State: "The state of the run cannot be kept",
    /// The system refuses a file, a port, a thread or a program.
    Machine: "The machine refuses",
    /// `setup` did not get to its end.
    Setup: "Set-up does not finish",
    /// A test left a task or a thread.
    Leak: "A test leaves a task",
    /// The harness does not do what it should.
    Harness: "The harness itself fails",
}

impl Heading {
    /// The anchor that GitHub gives to the heading. No title has a sign that GitHub leaves out.
    pub fn anchor(self) -> String {
        self.title().to_lowercase().replace(' ', "-")
    }

    /// The manual's file and the anchor. `None` if the harness was copied without its manual.
    ///
    /// Within the manual's workspace, the file has no directory: there is one of this name only.
    pub fn link(self) -> Option<String> {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
        let manual = workspace.join(MANUAL);
        if !manual.is_file() {
            return None;
        }
        let is_here = env::current_dir().is_ok_and(|here| here.starts_with(workspace));
        let file = if is_here { MANUAL.into() } else { manual.display().to_string() };
        Some(format!("{file}#{}", self.anchor()))
    }
}
