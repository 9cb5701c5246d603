//! The names of buckets.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Of the test's name. S3 allows 63 characters; the rest is for what makes the name unique: 16 of a
/// run's token, a process's number, a count.
const OF_THE_TEST: usize = 24;

/// A legal bucket name that contains the end of the test's name. `token` tells runs (or processes)
/// apart. The process and a count tell buckets apart.
pub(super) fn unique(test: &str, token: &str) -> String {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let legal = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let mut words: Vec<char> = test.chars().map(legal).collect();
    words.dedup_by(|one, next| *one == '-' && *next == '-');
    let end: String = words[words.len().saturating_sub(OF_THE_TEST)..].iter().collect();
    let process = std::process::id();
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    // Some beginnings are reserved, so each name has the same.
    format!("test-{}-{token}-{process}-{count}", end.trim_matches('-')).replace("--", "-")
}

#[cfg(test)]
mod tests {
    use super::unique;

    #[test]
    fn a_bucket_name_is_legal_unique_and_carries_the_end_of_the_tests_name() {
        let (one, two) = (unique("mod::A test \u{e9}", "t"), unique("mod::A test \u{e9}", "t"));

        assert!(one.starts_with("test-mod-a-test-t-"), "{one}");
        assert_ne!(one, two);
        for test in ["x".repeat(500).as_str(), "", "\u{e9}\u{e9}", "-a-", "xn--a", "::"] {
            let name = unique(test, "0123456789abcdef");
            let legal = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
            assert!(name.len() <= 63 && name.chars().all(legal), "{name}");
            assert!(!name.contains("--") && !name.ends_with('-'), "{name}");
        }
    }
}
