//! One number behind every random choice of a run, and a stream of random numbers for every test.
//!
//! The number is [`SEED_VAR`]. If it is not set, the run draws a number, which all its processes
//! share. It is printed once per run, and in the command that runs a failed test again.
//!
//! A stream depends on the seed, the name of the test and the name of the test's binary, and on
//! nothing else: not on the order of tests, not on the number of threads, not on the runner.
//!
//! ```
//! use testenv::seed::rand::{RngExt, seq::SliceRandom};
//! use testenv::seed::{self, SEED_VAR, Stream};
//!
//! let mut first: Stream = seed::stream_for("a customer's week"); // in a test: `seed::stream()`
//! let total_cents = first.random_range(1..=50_000);
//! let mut days = ["Mon", "Tue", "Wed"];
//! days.shuffle(&mut first);
//!
//! let mut again = seed::stream_for("a customer's week");
//! assert_eq!(again.random_range(1..=50_000), total_cents);
//! println!("the same values again: {SEED_VAR}={} cargo test", seed::of_the_run().unwrap());
//! ```
//!
//! A password, a token or a name that nobody else may have must not come from here: a seed makes
//! them predictable, and the next run with this seed makes the same ones.
//!
//! Invariant: the same seed, binary, test and order of calls in the test give the same numbers.

mod tally;

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::sync::{Mutex, OnceLock, PoisonError};

use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng, TryRng};
use sha2::{Digest, Sha256};

use tally::Tally;

use crate::provider::announce;
use crate::verdict::{self, Evidence, Told};
use crate::{Error, Heading, current_test, error, run, secret};

/// The library whose traits draw numbers from a [`Stream`]. A test that has it from here has the
/// version of the stream.
pub use rand;

/// The variable with the name of a file to which each stream appends a line when it is dropped. See
/// [`Stream`].
pub const LOG_VAR: &str = "TEST_SEED_LOG";

/// The variable with the seed: a whole number from 0 to 18446744073709551615, in decimal digits.
pub const SEED_VAR: &str = "TEST_SEED";

const WHAT: &str = "seed";

/// The number behind every random choice of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seed(u64);

impl Seed {
    /// The number itself, for a generator of your own.
    pub fn value(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Random numbers that the seed decides. It implements [`rand::Rng`], so
/// `random_range(…)` and `shuffle(…)` work on it.
///
/// It is not `Clone`: a clone would give the same numbers a second time.
///
/// If [`LOG_VAR`] names a file, the stream appends a line to it when it is dropped: the package, the
/// stream's name, how many numbers it gave, and their SHA-256. The sorted files of two runs with one
/// seed are equal, whatever the order of the tests and the runner. If they differ, the line names the
/// test whose choices depend on something else.
///
/// The generator is `ChaCha` with 12 rounds. Its numbers are the same in every version of the
/// library, which those of `StdRng` need not be. The key is a SHA-256, because the standard
/// library may change its `DefaultHasher`.
#[derive(Debug)]
#[must_use]
pub struct Stream {
    key: [u8; 32],
    numbers: ChaCha12Rng,
    tally: Option<Tally>,
}

impl Stream {
    fn of(parts: &[&[u8]], name: impl FnOnce() -> String) -> Stream {
        let mut hash = Sha256::new();
        for part in parts {
            // Without its length, ("ab", "c") would be ("a", "bc").
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let key: [u8; 32] = hash.finalize().into();
        Stream { key, numbers: ChaCha12Rng::from_seed(key), tally: Tally::new(name) }
    }

    /// Returns the stream with this label below this stream, for a thread or a task that the test
    /// starts.
    ///
    /// It does not depend on how many numbers this stream has given. The same label gives the same
    /// stream again.
    pub fn child(&self, label: &str) -> Stream {
        let parent = || self.tally.as_ref().map_or_else(String::new, Tally::name);
        Stream::of(&[b"child", &self.key, label.as_bytes()], || format!("{}/{label}", parent()))
    }

    fn note(&mut self, bytes: &[u8]) {
        if let Some(tally) = &mut self.tally {
            tally.note(bytes);
        }
    }
}

impl TryRng for Stream {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let number = self.numbers.next_u32();
        self.note(&number.to_le_bytes());
        Ok(number)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let number = self.numbers.next_u64();
        self.note(&number.to_le_bytes());
        Ok(number)
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        self.numbers.fill_bytes(bytes);
        self.note(bytes);
        Ok(())
    }
}

/// The seed of the run: what [`SEED_VAR`] says, else a number that the run's first process drew.
///
/// # Errors
///
/// When [`SEED_VAR`] is set to something that is no seed, or when the run cannot be joined (see
/// [`tools::Run::join`](crate::tools::Run::join)).
pub fn of_the_run() -> Result<Seed, Error> {
    static SEED: OnceLock<Result<Seed, Error>> = OnceLock::new();
    SEED.get_or_init(find).clone()
}

/// Returns the next stream of the current test: the first call in a test gives its first stream,
/// the second call another one.
///
/// So two helpers of a test do not get the same numbers, and the numbers of the second helper do
/// not depend on how many numbers the first one took.
///
/// # Panics
///
/// If [`of_the_run`] has an error, or if the thread is not a test's own. A thread or a task that
/// the test starts takes a [`Stream::child`] with it: which of two threads calls first is chance.
/// Under `cargo test`, a thread to which the test gave a name cannot be told from a test's own.
#[track_caller]
pub fn stream() -> Stream {
    error::expect(of_this_test("stream"))
}

/// Returns the stream of this name, from its beginning, whoever asks. It is for code that no test
/// calls, and for what several tests must choose in the same way.
///
/// # Panics
///
/// If [`of_the_run`] has an error.
#[track_caller]
pub fn stream_for(name: &str) -> Stream {
    error::expect(named(name))
}

/// Returns the configuration of a property, with the seed of its cases from the current test's
/// stream. No file with failed cases is written: the seed finds them again.
///
/// ```no_run
/// use proptest::prelude::*;
///
/// # fn test() {
/// let config = testenv::seed::proptest(ProptestConfig::with_cases(64));
/// proptest!(config, |(a in 0..1000_i32, b in 0..1000_i32)| {
///     prop_assert!(a + b >= a.max(b));
/// });
/// # }
/// ```
///
/// # Panics
///
/// As [`stream`].
#[cfg(feature = "proptest")]
#[must_use]
#[track_caller]
pub fn proptest(config: proptest::test_runner::Config) -> proptest::test_runner::Config {
    use proptest::test_runner::{Config, RngAlgorithm, RngSeed};
    let mut stream = error::expect(of_this_test("proptest"));
    Config {
        rng_algorithm: RngAlgorithm::ChaCha,
        rng_seed: RngSeed::Fixed(stream.next_u64()),
        failure_persistence: None,
        ..config
    }
}

/// The next stream of this thread's test for one purpose. The purposes do not shift each other.
fn of_this_test(purpose: &'static str) -> Result<Stream, Error> {
    let test = current_test::of_thread().ok_or_else(|| {
        Error::under(
            Heading::Seed,
            "seed: this thread belongs to no test, so no test's stream is its own",
        )
        .fix("call seed::stream() in the test and move stream.child(\"worker\") to the thread")
        .fix("or call seed::stream_for(\"a name of your own\")")
    })?;
    next(&test, purpose)
}

/// The same for the factories, which are also called on threads that belong to no test. All such
/// threads of a process share one stream, so their order counts.
pub(crate) fn of_this_thread(purpose: &'static str) -> Stream {
    error::expect(next(&current_test::name(), purpose))
}

fn next(test: &str, purpose: &'static str) -> Result<Stream, Error> {
    static COUNTS: Mutex<Option<HashMap<(String, &str), u64>>> = Mutex::new(None);
    let seed = of_the_run()?;
    verdict::note(WHAT, test, Used(seed));
    let mut counts = COUNTS.lock().unwrap_or_else(PoisonError::into_inner);
    let count = counts.get_or_insert_default().entry((test.to_owned(), purpose)).or_default();
    *count += 1;
    Ok(of_test(seed, &current_test::binary(), test, purpose, *count))
}

fn of_test(seed: Seed, binary: &str, test: &str, purpose: &str, count: u64) -> Stream {
    let name = || format!("{binary} {test} {purpose} {count}");
    let (seed, count) = (seed.0.to_le_bytes(), count.to_le_bytes());
    let parts =
        [b"test", &seed[..], binary.as_bytes(), test.as_bytes(), purpose.as_bytes(), &count];
    Stream::of(&parts, name)
}

fn named(name: &str) -> Result<Stream, Error> {
    let seed = of_the_run()?;
    if let Some(test) = current_test::of_thread() {
        verdict::note(WHAT, &test, Used(seed));
    }
    let named = || format!("{} name {name}", current_test::binary());
    Ok(Stream::of(&[b"name", &seed.0.to_le_bytes(), name.as_bytes()], named))
}

fn find() -> Result<Seed, Error> {
    let set = std::env::var_os(SEED_VAR).map(|set| parse(&set.to_string_lossy())).transpose()?;
    let (note, seed, why) = match set {
        // A run whose commands name different seeds prints each of them once.
        Some(seed) => (format!("{WHAT}-{seed}"), seed, "as TEST_SEED says"),
        None => (WHAT.to_owned(), Seed(secret::bits()), "TEST_SEED is not set"),
    };
    let text = run::once_blocking(note, move || {
        announce(WHAT, &format!("{seed} ({why})"));
        seed.to_string()
    })?;
    parse(&text)
}

fn parse(text: &str) -> Result<Seed, Error> {
    // `u64::from_str` would accept a plus sign.
    let is_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| is_digits).map(Seed).ok_or_else(|| {
        Error::under(Heading::Seed, format!("{SEED_VAR}={text:?} is no seed"))
            .cause(format!(
                "a seed is a whole number from 0 to {}, in decimal digits, without spaces",
                u64::MAX
            ))
            .fix(format!("set {SEED_VAR} to such a number: export {SEED_VAR}=7"))
            .fix(format!("or let each run draw one: unset {SEED_VAR}"))
    })
}

/// That a test used the seed.
struct Used(Seed);

impl Evidence for Used {
    fn room(&self) -> usize {
        usize::MAX // a note of a few bytes
    }

    fn told(&self) -> Told {
        let stays = format!("random values come from the seed {}", self.0);
        Told { stays, open: None, more: Vec::new() }
    }

    fn again_with(&self) -> Option<String> {
        Some(format!("{SEED_VAR}={}", self.0))
    }
}

#[cfg(test)]
mod tests;
