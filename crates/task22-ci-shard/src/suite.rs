//! The suite that the jobs share.

use std::time::Duration;

/// A test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// The package.
    pub package: &'static str,
    /// The name, which no other test of the suite has.
    pub name: String,
    /// How long the test takes.
    pub took: Duration,
}

/// Packages with the number of their tests, in the proportions of this workspace: one package has
/// most of them.
const PACKAGES: [(&str, u64); 9] = [
    ("course", 30),
    ("shared", 270),
    ("task03-postgres", 12),
    ("task06-redis", 14),
    ("task07-kafka", 9),
    ("task15-shared-broker", 11),
    ("task16-s3", 16),
    ("task20-snapshot", 12),
    ("task27-failure-injection", 14),
];

/// Returns the suite: 388 tests, of 50 to 1500 ms.
pub fn suite() -> Vec<Test> {
    let of_package = |(package, count): (&'static str, u64)| {
        (0..count).map(move |number| Test {
            package,
            name: format!("{}::test_{number}", package.replace('-', "_")),
            took: Duration::from_millis(50 + number * 389 % 1451),
        })
    };
    PACKAGES.into_iter().flat_map(of_package).collect()
}
