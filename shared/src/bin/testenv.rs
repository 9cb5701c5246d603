//! `testenv`: looks at this machine, provides the servers that tests need, and cleans up after them.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use testenv::Error;
use testenv::tools::{self, say};

const EXIT_CODES: &str = "\
Exit codes:
  0  done: everything can be served, is there, is removed
  1  not all: something is missing, in use, or could not be removed
  2  a wrong command line, or an environment in which the command cannot do its work
";

/// Shows and provides the servers that tests need, and cleans up after them
#[derive(Parser)]
#[command(name = "testenv", version, after_help = EXIT_CODES, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    word: Word,
}

#[derive(Subcommand)]
enum Word {
    /// Shows what would serve each service here, and the cure for each gap
    #[command(after_help = EXIT_CODES)]
    Doctor,
    /// Provides the images that tests on real servers need or, without Docker, the programs
    #[command(after_help = EXIT_CODES)]
    Setup {
        /// Also installs what is missing and starts the Docker engine (Debian, Ubuntu)
        #[arg(long)]
        install: bool,
        /// Takes images from the files of this folder, and keeps them there (for the cache of a CI)
        #[arg(long, value_name = "FOLDER")]
        images: Option<PathBuf>,
    },
    /// The servers that are kept between runs (`TESTENV_REUSE=1`)
    #[command(subcommand, after_help = EXIT_CODES)]
    Reuse(ReuseWord),
    /// Removes what is left of runs that are over, as the next run would; says what it leaves, and
    /// why
    #[command(after_help = EXIT_CODES)]
    Sweep,
}

#[derive(Subcommand)]
enum ReuseWord {
    /// Lists the servers: name, service, image, age, state, and whether a run uses the server
    List,
    /// Stops the servers of this user that no run uses, and removes what is on them
    Stop,
}

fn main() -> ExitCode {
    run(Cli::parse().word).unwrap_or_else(|error| {
        say::note(format_args!("{}: {error}", say::paint(say::BAD, "error")));
        ExitCode::from(2)
    })
}

fn run(word: Word) -> Result<ExitCode, Error> {
    match word {
        Word::Doctor => Ok(tools::doctor()),
        Word::Setup { install, images } => {
            let mut setup = tools::Setup::new(install).archive(images);
            setup.tools(&tools::BUILD_TOOLS, false, "to build tests")?;
            setup.servers()?;
            Ok(setup.finish())
        }
        Word::Reuse(ReuseWord::List) => tools::reuse_list(),
        Word::Reuse(ReuseWord::Stop) => tools::reuse_stop(),
        Word::Sweep => Ok(tools::sweep()),
    }
}
