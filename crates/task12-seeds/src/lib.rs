#![doc = "[before]: ../task11_factories/index.html\n[next]: ../task13_flake_hunt/index.html\n"]
// In rustdoc these definitions win, because they come first: the links lead to rustdoc pages.
// Not under `doctest`: rustdoc would compile the README's commands as Rust.
#![cfg_attr(not(doctest), doc = include_str!("../README.md"))]

mod faults;
mod log;
mod stream;

pub use log::Log;
pub use stream::{Order, Stream};

use testenv::fault;

/// The variable that a program reads the setting from.
pub const SEED_VAR: &str = "TEST_SEED";

/// The setting is no seed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{SEED_VAR}={text:?} is no seed: set {SEED_VAR} to a number from 0 to {max}, or unset it", max = u64::MAX)]
pub struct BadSeed {
    text: String,
}

/// The seed of a run, and the streams that come from it.
///
/// ```
/// # use task12_seeds::{BadSeed, Log, Seeds};
/// # fn run() -> Result<(), BadSeed> {
/// let setting = std::env::var("TEST_SEED").ok();
/// let seeds = Seeds::of_run(setting.as_deref(), &Log::new())?;
///
/// seeds.test("billing::a_day_is_billed_once", |stream| {
///     let orders = stream.orders(100);
///     assert_eq!(orders.len(), 100);
/// });
/// # Ok(())
/// # }
/// # run().unwrap();
/// ```
#[derive(Debug)]
pub struct Seeds {
    seed: u64,
    is_set: bool,
    log: Log,
}

impl Seeds {
    /// Takes the seed from the setting, or draws one, and writes it to the log.
    ///
    /// # Errors
    ///
    /// [`BadSeed`], for a setting that is no seed.
    pub fn of_run(setting: Option<&str>, log: &Log) -> Result<Seeds, BadSeed> {
        let set = setting.map(faults::parse).transpose()?.flatten();
        let seed = match set {
            Some(seed) => seed,
            None => faults::drawn(),
        };
        if set.is_none() || !fault!("logs-only-when-unset") {
            log.say(&faults::line(seed, set.is_some()));
        }
        Ok(Seeds { seed, is_set: set.is_some(), log: log.clone() })
    }

    /// The seed of the run.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the stream of a test, from its beginning.
    pub fn stream(&self, test: &str) -> Stream {
        let (seed, test) = faults::source(self.seed, test);
        let parts = [b"test".as_slice(), &seed.to_le_bytes(), test.as_bytes()];
        faults::stream(&parts, self.seed)
    }

    /// Runs the body of a test with the test's stream. If the body panics, the log gets the command
    /// that repeats the test.
    pub fn test(&self, test: &str, body: impl FnOnce(&mut Stream)) {
        let _says_so_if_it_fails = Repeat { seeds: self, test };
        let mut stream = self.stream(test);
        if fault!("panic-swallowed") {
            return faults::swallow(|| body(&mut stream));
        }
        body(&mut stream);
    }
}

/// Returns the seed that a text is.
fn parse(text: &str) -> Result<u64, BadSeed> {
    // `u64::from_str` would accept a plus sign.
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_digits).ok_or_else(|| BadSeed { text: text.to_owned() })
}

/// Writes the command to the log if it is dropped by a panic.
struct Repeat<'a> {
    seeds: &'a Seeds,
    test: &'a str,
}

impl Drop for Repeat<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() || fault!("command-of-every-test") {
            self.seeds.log.say(&faults::command(self.seeds.seed, self.seeds.is_set, self.test));
        }
    }
}
