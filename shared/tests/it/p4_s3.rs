//! P4 for S3: nothing is left, however the run ends. On a given server, nothing that belongs to
//! others is touched.

use std::process::{Child, Stdio};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{Config, Credentials, Region};

use crate::lab::engine::{docker, labelled, started};
use crate::lab::{self, Lab, PROMISED, sixteen_race};
use crate::p4_nothing_is_left::every_kind_of_end;

/// A client of a server that takes any credentials.
pub(crate) fn client(endpoint: &str) -> Client {
    let config = Config::builder()
        .credentials_provider(Credentials::new("test", "test", None, None, "a test"))
        .region(Region::new("us-east-1"))
        .endpoint_url(endpoint)
        .force_path_style(true)
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
}

pub(crate) fn buckets(endpoint: &str) -> Vec<String> {
    let listed = runtime().block_on(client(endpoint).list_buckets().send()).unwrap();
    listed.buckets().iter().map(|bucket| bucket.name().unwrap().to_owned()).collect()
}

/// A server that somebody else runs, with a bucket and an object of theirs in it.
pub(crate) struct Given {
    lab: Lab,
    owner: Child,
    pub(crate) endpoint: String,
    theirs: Vec<String>,
}

impl Given {
    pub(crate) fn start() -> Given {
        let lab = Lab::new();
        let mut owner =
            lab.actor("bucket", "wait").env("TESTENV_RUN_ID", "theirs").spawn().unwrap();
        lab::line(&mut owner);
        let endpoint = lab.address_of("theirs", "s3");
        let theirs = buckets(&endpoint);
        assert_eq!(theirs.len(), 1);
        Given { lab, owner, endpoint, theirs }
    }

    pub(crate) fn vars(&self) -> [(&'static str, String); 3] {
        [
            ("TESTENV_S3_ENDPOINT", self.endpoint.clone()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ]
    }

    pub(crate) fn expect_only_theirs(&self) {
        assert_eq!(buckets(&self.endpoint), self.theirs);
        let bucket = &self.theirs[0];
        let client = client(&self.endpoint);
        let listed = runtime().block_on(client.list_objects_v2().bucket(bucket).send()).unwrap();
        assert_eq!(listed.key_count(), Some(1));
    }

    /// The id of the server's container.
    fn container(&self) -> String {
        let owner = self.lab.base().display().to_string();
        let listed = labelled("container", "testenv.owner", &owner);
        listed[0].split_whitespace().nth(1).unwrap().to_owned()
    }

    pub(crate) fn end(mut self) {
        drop(self.owner.stdin.take());
        self.owner.wait().unwrap();
        self.lab.expect_nothing_left(PROMISED);
    }
}

#[test]
pub(crate) fn sixteen_processes_racing_a_cold_start_start_one_container_of_localstack() {
    let lab = Lab::new();

    let started = started(&lab, || sixteen_race(&lab, "bucket", &[]));

    assert_eq!(started, ["s3"]);
    lab.expect_nothing_left(PROMISED);
}

#[test]
pub(crate) fn nothing_is_left_of_a_localstack_after_every_kind_of_end() {
    every_kind_of_end(8, "bucket", &[]);
}

#[test]
pub(crate) fn no_bucket_of_ours_is_left_on_a_given_server_after_every_kind_of_end() {
    let given = Given::start();

    every_kind_of_end(9, "bucket", &given.vars());

    given.expect_only_theirs();
    given.end();
}

#[test]
pub(crate) fn of_a_killed_test_objects_versions_and_uploads_go_with_the_bucket() {
    let given = Given::start();
    let lab = Lab::new();
    let mut killed = lab.actor("full bucket", "wait");
    let mut killed = killed.envs(given.vars()).env("OBJECTS", "1500").spawn().unwrap();
    let ours = lab::line(&mut killed);
    assert!(buckets(&given.endpoint).contains(&ours));

    killed.kill().unwrap();

    killed.wait().unwrap();
    // The limit of the promise is for the usual test; this one has 1500 versions.
    lab.expect_nothing_left(4 * PROMISED);
    given.expect_only_theirs();
    given.end();
}

#[test]
fn a_test_that_goes_on_without_its_bucket_has_it_removed_with_all_that_is_in_it() {
    let lab = Lab::new();

    let mut test = lab.actor("emptied bucket", "pass");
    let output = test.stderr(Stdio::piped()).output().unwrap();

    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    lab.expect_nothing_left(PROMISED);
}

#[test]
fn a_server_that_is_mute_does_not_hold_up_the_end_of_a_run_and_its_bucket_is_swept_later() {
    let given = Given::start();
    let lab = Lab::new();
    let mut killed = lab.actor("bucket", "wait");
    let mut killed = killed.envs(given.vars()).spawn().unwrap();
    assert_eq!(lab::line(&mut killed), "bucket");
    let container = given.container();
    docker(&["pause", &container]);

    killed.kill().and_then(|()| killed.wait()).unwrap();

    // The engine accepts connections, so that the server is asked.
    lab.expect_reapers(4 * PROMISED, 0, "");
    docker(&["unpause", &container]);
    assert!(lab.actor("nothing", "pass").status().unwrap().success());
    lab.expect_nothing_left(PROMISED);
    given.expect_only_theirs();
    given.end();
}
