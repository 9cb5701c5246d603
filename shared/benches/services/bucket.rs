//! Buckets.

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Config, Credentials, Region};

use crate::{Instead, SAMPLES, compare, runtime, sample, times};

pub(crate) fn bench() {
    // The first one waits for the server.
    let first = runtime().block_on(testenv::fresh_bucket());

    let ours = sample(times(SAMPLES), async |_| drop(testenv::fresh_bucket().await));
    let buckets = sample(times(SAMPLES), async |number| by_hand(first.endpoint(), number).await);
    let goal = if cfg!(feature = "integration") { 60.0 } else { 20.0 };
    let others = [
        Instead { name: "create-bucket on the same server", samples: buckets, most: 1.2 },
        #[cfg(feature = "integration")]
        Instead {
            name: "a container for each test",
            samples: sample(times(crate::FEW), async |_| container().await),
            most: 1.0,
        },
    ];
    compare("fresh_bucket", goal, &ours, &others);
}

/// What a user would write: a client for the test's runtime, and a bucket by a name made up.
async fn by_hand(endpoint: &str, number: usize) {
    let config = Config::builder()
        .credentials_provider(Credentials::new("test", "test", None, None, "by hand"))
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    let name = format!("by-hand-{}-{number}", std::process::id());
    Client::from_conf(config).create_bucket().bucket(name).send().await.unwrap();
}

#[cfg(feature = "integration")]
async fn container() {
    use testcontainers_modules::localstack::LocalStack;
    use testcontainers_modules::testcontainers::ImageExt;
    use testcontainers_modules::testcontainers::runners::AsyncRunner;
    use testenv::tools::{S3, docker};

    let image = docker::resolve(S3.image).await.unwrap();
    drop(LocalStack::default().with_name(image.name).with_tag(image.tag).start().await.unwrap());
}
