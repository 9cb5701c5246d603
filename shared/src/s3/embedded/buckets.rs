//! The buckets, in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use s3s::dto::ETagCondition;
use s3s::{S3Result, s3_error};

use super::object::Object;
use super::upload::Upload;

#[derive(Clone, Default)]
pub(super) struct Store {
    buckets: Arc<Mutex<BTreeMap<String, Bucket>>>,
}

#[derive(Default)]
pub(super) struct Bucket {
    pub(super) objects: BTreeMap<String, Arc<Object>>,
    /// By their ids.
    pub(super) uploads: BTreeMap<String, Upload>,
}

impl Store {
    pub(super) fn create(&self, name: &str) {
        self.lock().insert(name.to_owned(), Bucket::default());
    }

    /// Removes a bucket with everything in it.
    pub(super) fn forget(&self, name: &str) {
        self.lock().remove(name);
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Bucket>> {
        // Each change is one call of a map, so that none is half done.
        self.buckets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn with<T>(
        &self,
        name: &str,
        work: impl FnOnce(&mut Bucket) -> S3Result<T>,
    ) -> S3Result<T> {
        let mut buckets = self.lock();
        work(buckets.get_mut(name).ok_or_else(|| s3_error!(NoSuchBucket))?)
    }

    pub(super) fn object(&self, bucket: &str, key: &str) -> S3Result<Arc<Object>> {
        let object = |bucket: &mut Bucket| bucket.objects.get(key).cloned();
        self.with(bucket, |bucket| object(bucket).ok_or_else(|| s3_error!(NoSuchKey)))
    }
}

impl Bucket {
    pub(super) fn upload(&mut self, key: &str, id: &str) -> S3Result<&mut Upload> {
        let upload = self.uploads.get_mut(id).filter(|upload| upload.key == key);
        upload.ok_or_else(|| s3_error!(NoSuchUpload))
    }

    /// Puts an object in the place of the one that has its key.
    pub(super) fn put(
        &mut self,
        key: &str,
        object: Arc<Object>,
        only_new: Option<&ETagCondition>,
    ) -> S3Result<()> {
        if only_new.is_some_and(|condition| !condition.is_any()) {
            return Err(s3_error!(NotImplemented, "the server of the plain tier knows only `*`"));
        }
        if only_new.is_some() && self.objects.contains_key(key) {
            return Err(s3_error!(PreconditionFailed, "an object has this key"));
        }
        self.objects.insert(key.to_owned(), object);
        Ok(())
    }
}
