//! A shard by its number: `1/2` is the first of two.
//!
//! Invariant: a [`Shard`] exists, its number is from 1 to the number of shards.

use std::fmt;
use std::str::FromStr;

use testenv::fault;

/// One of the parts that a suite is split into. It is written `1/2`, the first of two.
///
/// ```
/// use task14_shard::Shard;
///
/// let shard: Shard = "1/2".parse()?;
/// assert_eq!((shard.number(), shard.of()), (1, 2));
/// # Ok::<(), task14_shard::ShardError>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    number: u16,
    of: u16,
}

/// The reason why there is no such shard.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShardError {
    /// The number of shards is 0.
    #[error("a suite cannot be split into 0 shards; say 1 or more")]
    NoShards,
    /// The number of the shard is 0, or more than the number of shards.
    #[error("there is no shard {number} of {of}; the shards are numbered from 1 to {of}")]
    NoSuchShard {
        /// The number of the shard.
        number: u16,
        /// The number of shards.
        of: u16,
    },
    /// The text is not two numbers with a `/` between them, or a number is more than 65535.
    #[error("`{0}` names no shard; write its number and the number of shards, such as 1/2")]
    Unreadable(String),
}

impl Shard {
    /// Returns the number of this shard, from 1.
    pub fn number(self) -> u16 {
        self.number
    }

    /// Returns the number of shards.
    pub fn of(self) -> u16 {
        self.of
    }
}

impl FromStr for Shard {
    type Err = ShardError;

    fn from_str(text: &str) -> Result<Shard, ShardError> {
        let numbers = text.split_once('/').and_then(|(number, of)| {
            Some(Shard { number: number.parse().ok()?, of: of.parse().ok()? })
        });
        let shard = numbers.ok_or_else(|| ShardError::Unreadable(text.to_owned()))?;
        let Shard { number, of } = shard;
        if of == 0 {
            return Err(ShardError::NoShards);
        }
        let first = if fault!("zeroth-accepted") { 0 } else { 1 };
        let last = if fault!("last-refused") && of > 1 { of - 1 } else { of };
        if (first..=last).contains(&number) {
            Ok(shard)
        } else {
            Err(ShardError::NoSuchShard { number, of })
        }
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// Returns an empty list for each shard.
pub(crate) fn empty_lists(of: u16) -> Result<Vec<Vec<String>>, ShardError> {
    match of {
        0 if fault!("zero-is-one") => Ok(vec![Vec::new()]),
        0 => Err(ShardError::NoShards),
        _ => Ok(vec![Vec::new(); usize::from(of)]),
    }
}

#[cfg(test)]
mod tests {
    use super::Shard;

    #[test]
    fn a_text_that_names_no_shard_is_refused_in_one_sentence() {
        for (text, sentence) in [
            ("1/0", "a suite cannot be split into 0 shards; say 1 or more"),
            ("0/2", "there is no shard 0 of 2; the shards are numbered from 1 to 2"),
            ("3/2", "there is no shard 3 of 2; the shards are numbered from 1 to 2"),
            ("a/b", "`a/b` names no shard; write its number and the number of shards, such as 1/2"),
            ("1", "`1` names no shard; write its number and the number of shards, such as 1/2"),
        ] {
            assert_eq!(text.parse::<Shard>().unwrap_err().to_string(), sentence);
        }
        for text in ["", "/", "1/", "/2", "1/2/3", "-1/2", "1/-2", " 1/2", "1/65536"] {
            assert!(text.parse::<Shard>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_shard_is_written_as_it_is_read() {
        for text in ["1/1", "2/2", "1/1000", "65535/65535"] {
            assert_eq!(text.parse::<Shard>().unwrap().to_string(), text);
        }
    }
}
