//! The random values of one test.

use std::collections::BTreeSet;

use proptest::test_runner::{Config, RngAlgorithm, RngSeed};
use rand::rngs::ChaCha12Rng;
use rand::{Rng, RngExt, SeedableRng};
use sha2::{Digest, Sha256};
use testenv::fault;

use crate::faults;

/// What the shop sells.
const PRODUCTS: [&str; 8] = ["bread", "cheese", "figs", "honey", "olives", "rice", "salt", "tea"];

/// An order of the shop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// One to five products, each of them once.
    pub products: Vec<&'static str>,
    /// From 1 to 50000.
    pub total_cents: u64,
}

/// Random values that a seed and a name decide.
#[derive(Debug)]
pub struct Stream {
    key: [u8; 32],
    seed: u64,
    numbers: ChaCha12Rng,
}

impl Stream {
    pub(crate) fn of(parts: &[&[u8]], seed: u64) -> Stream {
        let mut hash = Sha256::new();
        for part in parts {
            // Without its length, ("ab", "c") would be ("a", "bc").
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        let key: [u8; 32] = hash.finalize().into();
        Stream { key, seed, numbers: faults::generator(key) }
    }

    /// The next number, of all numbers.
    pub fn number(&mut self) -> u64 {
        self.numbers.next_u64()
    }

    /// Returns the stream with this label below this one, for a helper or a thread of the test.
    pub fn child(&self, label: &str) -> Stream {
        if fault!("child-repeats-parent") {
            return Stream { numbers: ChaCha12Rng::from_seed(self.key), ..*self };
        }
        let position = faults::position(&self.numbers);
        let label = if fault!("label-not-used") { "" } else { label };
        let parts = [b"child".as_slice(), &self.key, label.as_bytes(), &position];
        Stream::of(&parts, self.seed)
    }

    /// Puts the items in a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            let end = if fault!("shuffle-never-stays") { last } else { last + 1 };
            let other = faults::unseeded(end).unwrap_or_else(|| self.numbers.random_range(0..end));
            items.swap(last, other);
        }
    }

    /// Returns so many orders.
    pub fn orders(&mut self, count: usize) -> Vec<Order> {
        (0..count).map(|_| self.order()).collect()
    }

    /// Returns the configuration with the stream's choice of cases, and without a file of failures.
    #[must_use]
    pub fn cases(&mut self, config: Config) -> Config {
        let config = if fault!("settings-lost") { Config::default() } else { config };
        let drawn = self.numbers.next_u64();
        let seed = if fault!("cases-alike-in-every-test") { self.seed } else { drawn };
        let fixed = RngSeed::Fixed(seed);
        let rng_seed = if fault!("cases-unseeded") { RngSeed::Random } else { fixed };
        let failure_persistence =
            if fault!("failure-file-kept") { config.failure_persistence } else { None };
        Config { rng_algorithm: RngAlgorithm::ChaCha, rng_seed, failure_persistence, ..config }
    }

    fn order(&mut self) -> Order {
        let count = self.numbers.random_range(1..=5);
        let mut products = BTreeSet::new();
        while products.len() < count {
            products.insert(PRODUCTS[self.numbers.random_range(0..PRODUCTS.len())]);
        }
        let products = faults::listed(products);
        Order { products, total_cents: self.numbers.random_range(1..=50_000) }
    }
}
