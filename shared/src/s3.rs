//! An S3 bucket for one test, on a server that all tests share.
//!
//! In the plain tier, the server runs in the test's process and stores in memory. With the feature
//! `integration` it is LocalStack, one per run, or the server of `TESTENV_S3_ENDPOINT`.
//!
//! Private to the test: the bucket, with its objects, versions and multipart uploads. Not private,
//! because there is only one server: what `ListBuckets` lists, and every bucket whose name a test
//! makes up itself. Take the bucket's name from [`Bucket::name`].
//!
//! The server of the plain tier has objects with their metadata, copies, ranges, listings in pages,
//! multipart uploads, and the condition `If-None-Match: *` for writing. It answers
//! `NotImplemented` to everything else that would change what is stored or read, such as versions,
//! tags, other conditions, storage classes, policies and encryption. It does not check the checksums
//! that a client sends, and checks no rights.
//!
//! ```no_run
//! # async fn test() -> Result<(), aws_sdk_s3::Error> {
//! let bucket = testenv::fresh_bucket().await;
//! let put = bucket.client().put_object().bucket(bucket.name()).key("greeting");
//! put.body(b"hello".to_vec().into()).send().await?;
//! # Ok(()) }
//! ```
//!
//! # A server of `TESTENV_S3_ENDPOINT`
//!
//! The client takes its credentials and region from the variables that the SDK of AWS reads:
//! `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_SESSION_TOKEN`, `AWS_REGION`. They need the
//! rights to create, list, empty and delete buckets whose names begin with `test-`. Only buckets
//! that this run created are ever removed.
//!
//! Invariant: no two buckets of a run have the same name. A bucket on a server that does not end
//! with the run is noted before it is created.

use std::fmt;
use std::panic::Location;

use aws_sdk_s3::Client;

use crate::current_test;
#[cfg(feature = "integration")]
use crate::run::cleaner::Cleaner;
#[cfg(feature = "integration")]
use crate::server::Starter;
use crate::service::S3;
use crate::verdict::{Evidence, Held, Told};
use crate::wait;

#[cfg(not(feature = "integration"))]
mod embedded;
#[cfg(feature = "integration")]
mod empty;
#[cfg(feature = "integration")]
mod real;
#[cfg(feature = "integration")]
mod remover;
#[cfg(feature = "integration")]
mod words;
mod client;
mod name;

#[cfg(not(feature = "integration"))]
use embedded as store;
#[cfg(feature = "integration")]
use real as store;

/// How the server is started before a test asks for it.
#[cfg(feature = "integration")]
pub(crate) const START: Starter = (S3.name, || crate::server::start(real::home()));

/// Removes buckets on servers that do not end with the run.
#[cfg(feature = "integration")]
pub(crate) const CLEANER: Cleaner =
    Cleaner { is_external: true, ..Cleaner::new("s3", real::remove) };

/// How many buckets of failed tests are reported: the newest ones.
const TOLD: usize = 16;

/// A bucket that no other test uses.
///
/// When it is dropped, the bucket is removed with everything in it: objects, versions, delete
/// markers, and unfinished multipart uploads. The drop neither waits nor needs a runtime. The
/// bucket of a failed test stays until the run ends, and the command that lists it is printed.
///
/// ```no_run
/// # async fn test() -> Result<(), Box<dyn std::error::Error>> {
/// use testenv::Bucket;
///
/// let bucket: Bucket = testenv::fresh_bucket().await;
/// let (client, name) = (bucket.client(), bucket.name());
/// client.put_object().bucket(name).key("a").body(b"hello".to_vec().into()).send().await?;
/// let listed = client.list_objects_v2().bucket(name).send().await?;
/// assert_eq!(listed.key_count(), Some(1));
/// # Ok(()) }
/// ```
#[must_use = "dropping the guard removes the bucket; bind it to a variable"]
pub struct Bucket {
    client: Client,
    name: String,
    endpoint: String,
    held: Held,
}

/// Returns an empty bucket that no other test can meet by accident, on a server that answers.
///
/// The first call of the process (plain tier: milliseconds) or of the run (LocalStack: 2 s) starts
/// the server.
///
/// # Panics
///
/// Outside a Tokio runtime, and if no server can be reached or started. The message says what was
/// tried and what to type.
///
/// ```no_run
/// # async fn test() {
/// let bucket = testenv::fresh_bucket().await;
/// println!("aws --endpoint-url {} s3 ls s3://{}", bucket.endpoint(), bucket.name());
/// # }
/// ```
#[track_caller]
pub fn fresh_bucket() -> impl Future<Output = Bucket> {
    let asked = Location::caller();
    async move {
        let test = current_test::name();
        let made = match wait::expect_runtime("a bucket") {
            Ok(()) => store::make(&test).await,
            Err(error) => Err(error),
        };
        let (client, endpoint, name) = made.unwrap_or_else(|error| error.raise(asked));
        Bucket { client, name, endpoint, held: Held::new(S3.name, test) }
    }
}

impl Bucket {
    /// A client of the SDK of AWS, for this server: with its endpoint, path style, credentials and
    /// region. Its connections live as long as the runtime of the test.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The bucket's name: the end of the test's name, with parts that make it unique.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The address of the server, `http://host:port`, for any client. Use path style. A server that
    /// the harness started takes `test` as access key, as secret, and `us-east-1` as region.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }
}

impl fmt::Debug for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bucket({} at {})", self.name, self.endpoint)
    }
}

impl Drop for Bucket {
    fn drop(&mut self) {
        self.held
            .end(Used { told: store::told(&self.name, &self.endpoint), name: self.name.clone() });
    }
}

/// The bucket of a test that has ended.
struct Used {
    name: String,
    told: Told,
}

impl Evidence for Used {
    fn room(&self) -> usize {
        TOLD
    }

    fn let_go(&mut self) {
        store::let_go(&self.name);
    }

    fn told(&self) -> Told {
        self.told.clone()
    }
}
