//! Random words, from the system's random source.
//!
//! A name that must be unlike all others and a password take different words: who reads the name learns nothing of the password.
//!
//! Invariant: no word is made from another.

/// 64 random bits in hexadecimal digits, for a name that no other has.
pub(crate) fn word() -> String {
    format!("{:016x}", bits())
}

/// 128 random bits in hexadecimal digits, for a password: it needs no quoting in a URL, a shell or a configuration file.
#[cfg(all(feature = "integration", any(feature = "postgres", feature = "redis")))]
pub(crate) fn password() -> String {
    word() + &word()
}

pub(crate) fn bits() -> u64 {
    getrandom::u64().expect("the system has a random source")
}
