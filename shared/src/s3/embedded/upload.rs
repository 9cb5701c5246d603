//! Multipart uploads.

use std::collections::BTreeMap;
use std::sync::Arc;

use md5::{Digest, Md5};
use s3s::dto::*;
use s3s::{S3Result, s3_error};

use super::object::{Head, Object, hex, now};

/// Of every part but the last.
const LEAST: usize = 5 * 1024 * 1024;

/// The limit of S3.
const MOST_PARTS: i32 = 10_000;

/// An upload that is neither completed nor aborted.
pub(super) struct Upload {
    pub(super) key: String,
    pub(super) head: Head,
    pub(super) parts: BTreeMap<i32, Arc<Object>>,
    pub(super) since: Timestamp,
}

impl Upload {
    pub(super) fn new(key: String, head: Head) -> Upload {
        Upload { key, head, parts: BTreeMap::new(), since: now() }
    }

    /// Takes a part. One with the same number takes the place of the earlier one.
    pub(super) fn part(&mut self, number: i32, part: Arc<Object>) -> S3Result<()> {
        if !(1..=MOST_PARTS).contains(&number) {
            return Err(s3_error!(InvalidArgument, "part numbers are 1 to {MOST_PARTS}"));
        }
        self.parts.insert(number, part);
        Ok(())
    }

    /// The parts of the complete object, in their order.
    pub(super) fn chosen(&self, parts: &[CompletedPart]) -> S3Result<Vec<Arc<Object>>> {
        let mut numbers = parts.iter().map(|part| part.part_number.unwrap_or_default());
        if !numbers.clone().is_sorted_by(|one, next| one < next) {
            return Err(s3_error!(InvalidPartOrder));
        }
        if parts.is_empty() {
            return Err(s3_error!(MalformedXML, "it names no part"));
        }
        let mut chosen = Vec::new();
        for (place, part) in parts.iter().enumerate() {
            let known = numbers.next().and_then(|number| self.parts.get(&number));
            let is_it = |known: &&Arc<Object>| {
                part.e_tag.as_ref().is_none_or(|etag| etag.value() == known.etag)
            };
            let known = known.filter(is_it).ok_or_else(|| s3_error!(InvalidPart))?;
            if known.bytes.len() < LEAST && place + 1 < parts.len() {
                return Err(s3_error!(EntityTooSmall, "a part but the last is smaller than 5 MiB"));
            }
            chosen.push(known.clone());
        }
        Ok(chosen)
    }
}

/// The object of these parts.
pub(super) fn join(parts: &[Arc<Object>], head: Head) -> Arc<Object> {
    let (mut bytes, mut sums) = (Vec::new(), Md5::new());
    for part in parts {
        bytes.extend_from_slice(&part.bytes);
        sums.update(Md5::digest(&part.bytes));
    }
    let etag = format!("{}-{}", hex(&sums.finalize()), parts.len());
    Object::with_etag(bytes.into(), head, etag)
}
