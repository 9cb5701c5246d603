//! A real server: an external one, or LocalStack in a container of the run.

use std::env;
use std::time::Duration;

use aws_sdk_s3::Client;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::types::{BucketLocationConstraint, CreateBucketConfiguration};
use testcontainers_modules::localstack::LocalStack;
use testcontainers_modules::testcontainers::core::{ContainerPort, WaitFor};
use testcontainers_modules::testcontainers::{ContainerRequest, ImageExt};
use tokio::sync::OnceCell;

use super::client::{Identity, OURS, REGION, client, impatient};
use super::name::unique;
use super::words::words;
use super::{empty, remover};
use crate::address::Address;
use crate::docker::Chosen;
use crate::provider::{REACH_LIMIT, reach};
use crate::run::cleaner::Refused;
use crate::run::{self, Run, ledger};
use crate::server::{self, Data, Origin, Secrets, Served, Server};
use crate::service::{S3, Service};
use crate::verdict::Told;
use crate::wait::HeldClock;
use crate::{Error, Heading, wait};

/// The limit for the first answer. A wrong address must be reported within two seconds, also if a
/// server accepts connections and does not speak S3.
const SIGN_LIMIT: Duration = Duration::from_millis(1100);

/// The limit for creating a bucket: LocalStack takes 5 to 20 ms, a server of a provider half a
/// second.
const BUCKET_LIMIT: Duration = Duration::from_secs(20);

/// The limit for each step of a removal. A server that does not answer must not hold up the end of
/// the run.
const REMOVAL_LIMIT: Duration = Duration::from_secs(10);

/// The variables that the SDK of AWS reads.
const KEY_VAR: &str = "AWS_ACCESS_KEY_ID";
const SECRET_VAR: &str = "AWS_SECRET_ACCESS_KEY";
const TOKEN_VAR: &str = "AWS_SESSION_TOKEN";
const REGION_VARS: [&str; 2] = ["AWS_REGION", "AWS_DEFAULT_REGION"];

/// Variables of the image.
const SETTINGS: &[&str] = &[
    "SERVICES=s3",
    // S3 is loaded before LocalStack says that it is ready, not at the first request.
    "EAGER_SERVICE_LOADING=1",
    "STRICT_SERVICE_LOADING=1",
    // It asks nobody outside.
    "DISABLE_EVENTS=1",
    "SKIP_SSL_CERT_DOWNLOAD=1",
    "DNS_ADDRESS=0",
];

/// The server of the run, as each of its processes knows it.
pub(super) struct Home {
    run: &'static Run,
    server: Server,
    identity: Identity,
    endpoint: String,
}

/// Creates a bucket. Returns a client for the test, the endpoint and the bucket's name.
pub(super) async fn make(test: &str) -> Result<(Client, String, String), Error> {
    let _until_it_is_made = HeldClock::new();
    let home = home().await?;

    let name = unique(test, home.run.token());
    if !home.server.is_owned() {
        ledger::note(home.run.dir(), S3.name, &name, &home.note())?;
    }
    let client = client(&home.endpoint, &home.identity);
    let region = &home.identity.region;
    // The usual region has no name here.
    let constraint = (region != REGION).then(|| {
        let constraint = BucketLocationConstraint::from(region.as_str());
        CreateBucketConfiguration::builder().location_constraint(constraint).build()
    });
    let create =
        client.create_bucket().bucket(&name).set_create_bucket_configuration(constraint).send();
    let refused = || {
        Error::under(Heading::Given, format!("the S3 server at {} made no bucket", home.endpoint))
    };
    match wait::within(BUCKET_LIMIT, create).await {
        None => Err(refused().cause(format!("no answer within {} s", BUCKET_LIMIT.as_secs()))),
        // A first answer was lost, and the SDK asked again: the name is nobody else's.
        Some(Err(error)) if error.code() == Some("BucketAlreadyOwnedByYou") => {
            Ok((client, home.endpoint.clone(), name))
        }
        Some(Err(error)) => {
            // Who may not create a bucket may not remove one either, and there is none.
            let status = error.raw_response().map(|response| response.status());
            if status.is_some_and(|status| status.is_client_error()) {
                ledger::forget(home.run.dir(), S3.name, &name);
            }
            Err(advised(refused(), &error))
        }
        Some(Ok(_)) => Ok((client, home.endpoint.clone(), name)),
    }
}

static HOME: OnceCell<Home> = OnceCell::const_new();

pub(super) async fn home() -> Result<&'static Home, Error> {
    HOME.get_or_try_init(async || {
        let (run, server) = server::connect::<OfS3>().await?;
        let identity = identity(server.origin)?;
        let endpoint = server.address.whole();
        Ok(Home { run, server, identity, endpoint })
    })
    .await
}

impl Home {
    /// Removes a bucket. If that fails, the end of the run tries again, and says so.
    pub(super) async fn remove(&self, client: &Client, name: &str) {
        if empty::remove(client, name).await.is_ok() {
            ledger::forget(self.run.dir(), S3.name, name);
        }
    }

    /// A client for removals.
    pub(super) fn remover(&self) -> Client {
        impatient(&self.endpoint, &self.identity, REMOVAL_LIMIT)
    }

    /// The text for the reaper, whose environment has no credentials.
    fn note(&self) -> String {
        let Identity { region, key, secret, token } = &self.identity;
        let token = token.as_deref().unwrap_or_default();
        format!("{}\n{region}\n{key}\n{secret}\n{token}", self.server.note())
    }
}

/// Removes the bucket of a test that has passed, on a thread of its own.
pub(super) fn let_go(name: &str) {
    if let Some(home) = HOME.get() {
        remover::remove(home, name);
    }
}

/// The command that lists a failed test's bucket. The credentials of an external server are in the
/// user's environment.
pub(super) fn told(name: &str, endpoint: &str) -> Told {
    let is_given = HOME.get().is_some_and(|home| home.server.origin == Origin::External);
    let with = if is_given {
        String::new()
    } else {
        format!("AWS_ACCESS_KEY_ID={OURS} AWS_SECRET_ACCESS_KEY={OURS} AWS_REGION={REGION} ")
    };
    let grace = run::grace().as_millis();
    Told {
        stays: format!("bucket stays until the run ends, {grace} ms after the last test"),
        open: Some(format!("{with}aws --endpoint-url {endpoint} s3 ls --recursive s3://{name}")),
        more: vec![format!("keep it for ten minutes: export {}=600000", run::GRACE_VAR)],
    }
}

/// Removes a bucket on a server that does not end with the run. It is for the reaper.
pub(super) fn remove(_token: &str, name: &str, note: &str) -> Result<(), Refused> {
    let mut lines = note.lines();
    let mut line = || lines.next().unwrap_or_default().to_owned();
    let server = Server::read(&S3, &line()).map_err(|error| error.to_string())?;
    let (region, key, secret) = (line(), line(), line());
    let token = Some(line()).filter(|token| !token.is_empty());
    let identity = Identity { region, key, secret, token };
    // A run may have left a hundred buckets: a server that is gone is found out at once, not once per bucket.
    let removed = reach(&server.address, REACH_LIMIT).and_then(|()| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| error.to_string())?;
        let client = impatient(&server.address.whole(), &identity, REMOVAL_LIMIT);
        runtime.block_on(empty::remove(&client, name))
    });
    removed.or_else(|why| server.refused(why))
}

/// What the client of a server signs with.
fn identity(origin: Origin) -> Result<Identity, Error> {
    if origin != Origin::External {
        return Ok(Identity::ours());
    }
    let set = |var: &str| env::var(var).ok().filter(|value| !value.trim().is_empty());
    let needed = |var: &str| {
        set(var).ok_or_else(|| {
            Error::under(
                Heading::Given,
                format!("no credentials for the S3 server of {}", S3.url_var),
            )
            .tried(format!("{var}: not set"))
            .fix(format!("export {KEY_VAR}=… {SECRET_VAR}=…"))
            .fix("eval \"$(aws configure export-credentials --format env)\"")
        })
    };
    Ok(Identity {
        region: REGION_VARS.iter().find_map(|var| set(var)).unwrap_or_else(|| REGION.to_owned()),
        key: needed(KEY_VAR)?,
        secret: needed(SECRET_VAR)?,
        token: set(TOKEN_VAR),
    })
}

/// The error with the server's words and the cure for the usual ones.
fn advised<E>(error: Error, cause: &SdkError<E>) -> Error
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let code = cause.as_service_error().and_then(|error| error.code()).unwrap_or_default();
    let response = cause.raw_response();
    let status = response.map(|response| response.status().as_u16());
    let error = error.cause(words(cause));
    match (code, status) {
        ("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "InvalidToken" | "ExpiredToken", _) => {
            error.fix(format!("correct {KEY_VAR}, {SECRET_VAR} and {TOKEN_VAR}"))
        }
        (
            "AuthorizationHeaderMalformed"
            | "IllegalLocationConstraintException"
            | "PermanentRedirect",
            _,
        ) => error.fix(format!("export {}=<the region of the server>", REGION_VARS[0])),
        (_, Some(301 | 302 | 307 | 308)) => {
            let to = response.and_then(|response| response.headers().get("location"));
            error.fix(format!(
                "export {}=<the address to which it redirects{}>",
                S3.url_var,
                to.map(|to| format!(": {to}")).unwrap_or_default()
            ))
        }
        ("AccessDenied", _) => error.fix(format!(
            "give the user of {KEY_VAR} the rights to create, list, empty and delete buckets named test-*"
        )),
        _ => error.fix(format!(
            "correct {0}, or `unset {0}` to have a server started for the run",
            S3.url_var
        )),
    }
}

struct OfS3;

impl Served for OfS3 {
    const SERVICE: &'static Service = &S3;
    const PORT: ContainerPort = ContainerPort::Tcp(4566);
    const DATA: Data = Data::At(&["/var/lib/localstack", "/tmp"]);
    /// Measured 1.5 to 2.5 s on two cores; a loaded machine takes several times that.
    const START_LIMIT: Duration = Duration::from_secs(60);
    const SETTINGS: &'static [&'static str] = SETTINGS;
    type Image = LocalStack;

    fn container(image: &Chosen, _: &Secrets, _: Option<&str>) -> ContainerRequest<LocalStack> {
        let request = LocalStack::default()
            .with_name(&image.name)
            .with_tag(&image.tag)
            // The module waits for three more seconds; we ask for an answer instead.
            .with_ready_conditions(vec![WaitFor::message_on_stdout("Ready.")]);
        let settings = SETTINGS.iter().filter_map(|setting| setting.split_once('='));
        settings.fold(request, |request, (name, value)| request.with_env_var(name, value))
    }

    /// The address, without a password: LocalStack takes any. It listens on loopback or in a
    /// network of the engine.
    fn url(_: &str, place: &str) -> String {
        format!("http://{place}")
    }

    async fn answers(address: &Address) -> Result<(), String> {
        let client = client(&address.whole(), &Identity::ours());
        match wait::within(SIGN_LIMIT, client.list_buckets().send()).await {
            None => Err(mute()),
            Some(answer) => answer.map(drop).map_err(|error| words(&error)),
        }
    }

    async fn handshake(address: &Address, origin: Origin) -> Result<String, Error> {
        let facts = "-".to_owned();
        if origin == Origin::Owned {
            return Ok(facts);
        }
        let client = client(&address.whole(), &identity(origin)?);
        let error = Error::under(
            Heading::Given,
            format!("no S3 server that can be used answers at {address}"),
        )
        .tried(format!("{}={address}", S3.url_var));
        match wait::within(SIGN_LIMIT, client.list_buckets().send()).await {
            None => Err(error.cause(mute()).fix(format!(
                "correct {0}, or `unset {0}` to have a server started for the run",
                S3.url_var
            ))),
            // Whoever may create a bucket may not always list those of others.
            Some(Err(refused)) if refused.code() == Some("AccessDenied") => Ok(facts),
            Some(Err(refused)) => Err(advised(error, &refused)),
            Some(Ok(_)) => Ok(facts),
        }
    }
}

fn mute() -> String {
    format!("no answer within {} ms", SIGN_LIMIT.as_millis())
}
