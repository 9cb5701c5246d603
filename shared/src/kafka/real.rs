//! A real broker: an external one, or Apache Kafka in a container of the run.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaErrorCode;
use testcontainers_modules::kafka::apache::{KAFKA_PORT, Kafka};
use testcontainers_modules::testcontainers::core::ContainerPort;
use testcontainers_modules::testcontainers::{ContainerRequest, ImageExt};
use tokio::sync::OnceCell;

use super::batch::Maker;
use super::topic::{Topic, Used, unique};
use crate::address::Address;
use crate::docker::Chosen;
use crate::provider::{REACH_LIMIT, reach};
use crate::run::cleaner::Refused;
use crate::run::{self, Run, ledger};
use crate::server::{self, Data, Secrets, Served, Server};
use crate::service::{KAFKA, Service};
use crate::verdict::Told;
use crate::wait::HeldClock;
use crate::{Error, Heading, wait};

/// A broker on this machine creates a topic in 10 to 30 ms. A broker that elects a leader for its
/// first topic takes a second.
pub(super) const TOPIC_LIMIT: Duration = Duration::from_secs(10);

/// The limit for the first answer. A wrong address must be reported within two seconds, also if a
/// server accepts connections and is no broker.
const SIGN_LIMIT: Duration = Duration::from_millis(1500);

const LOG_DIR: &str = "/tmp/kafka-logs";

/// Variables of the image. The image writes them into the broker's settings.
const SETTINGS: &[&str] = &[
    // One node: what Kafka keeps in threes by default would wait for two more.
    "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR=1",
    "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR=1",
    // The first join of a group waits three seconds for others by default.
    "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS=0",
    // As LOG_DIR.
    "KAFKA_LOG_DIRS=/tmp/kafka-logs",
];

/// A broker tells its clients its address. The Kafka module makes it tell the published port of
/// 127.0.0.1, in a script that the broker waits for. Clients on another machine need the engine's
/// host, and clients in other containers the container's own address and port.
///
/// The module's own command runs the script as soon as there is a file, which is empty for a
/// moment: a broker of one start in some hundreds ended at once, without a word.
const START: &str = r#"until [[ -e $SCRIPT ]] && text=$(< "$SCRIPT") && [[ $text == *docker/run* ]]; do sleep 0.1; done
[[ $text =~ 127\.0\.0\.1:([0-9]+) ]]
if [[ -n $TESTENV_HOST ]]; then at=$TESTENV_HOST:${BASH_REMATCH[1]}; else
    while read -r ip name _ && [[ $name != "$HOSTNAME" ]]; do :; done < /etc/hosts
    at=$ip:9092
fi
eval "${text/${BASH_REMATCH[0]}/$at}""#;

/// Where the Kafka module writes its script.
const SCRIPT: &str = "/opt/kafka/testcontainers_start.sh";

struct Broker {
    run: &'static Run,
    server: Server,
    brokers: String,
    topics: Maker,
}

/// Creates a topic. Returns the brokers and the topic's name.
pub(super) async fn make(test: &str, partitions: i32) -> Result<(String, String), Error> {
    static BROKER: OnceCell<Broker> = OnceCell::const_new();
    wait::expect_runtime("a topic")?;
    let _until_it_is_made = HeldClock::new();
    let broker = BROKER.get_or_try_init(connect).await?;

    let name = unique(test, broker.run.token());
    if !broker.server.is_owned() {
        ledger::note(broker.run.dir(), KAFKA.name, &name, &broker.server.note())?;
    }
    let refused = |cause: String| {
        Error::under(Heading::Topic, format!("the broker at {} made no topic", broker.brokers))
            .cause(cause)
    };
    broker.topics.make(&name, partitions).await.map_err(refused)?;
    Ok((broker.brokers.clone(), name))
}

/// The command that reads a failed test's topic.
pub(super) fn read(topic: &Topic) -> Used {
    let grace = run::grace().as_millis();
    let stays = format!("topic stays until the run ends, {grace} ms after the last test");
    let open = format!(
        "kafka-console-consumer.sh --from-beginning --bootstrap-server {} --topic '{}'",
        topic.brokers, topic.name
    );
    let more = vec![format!("keep it for ten minutes: export {}=600000", run::GRACE_VAR)];
    Used { told: Told { stays, open: Some(open), more } }
}

/// Deletes a topic on a broker that does not end with the run. It is for the reaper.
pub(super) fn remove(_token: &str, name: &str, note: &str) -> Result<(), Refused> {
    let server = Server::read(&KAFKA, note).map_err(|error| error.to_string())?;
    // A run may have left a hundred topics: a broker that is gone is found out at once, not once per topic.
    let deleted =
        reach(&server.address, REACH_LIMIT).and_then(|()| delete(name, &server.address.whole()));
    deleted.or_else(|why| server.refused(why))
}

fn delete(name: &str, brokers: &str) -> Result<(), String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let admin = admin(brokers).map_err(|error| error.to_string())?;
    let options =
        AdminOptions::new().operation_timeout(Some(TOPIC_LIMIT)).request_timeout(Some(TOPIC_LIMIT));
    let deleted = runtime
        .block_on(admin.delete_topics(&[name], &options))
        .map_err(|error| error.to_string())?;
    for topic in deleted {
        match topic {
            Ok(_) | Err((_, RDKafkaErrorCode::UnknownTopicOrPartition)) => {}
            Err((_, code)) => return Err(code.to_string()),
        }
    }
    Ok(())
}

/// Starts the broker of the run.
pub(super) async fn start() -> Result<(), Error> {
    connect().await.map(drop)
}

async fn connect() -> Result<Broker, Error> {
    let (run, server) = server::connect::<OfKafka>().await?;
    let brokers = server.address.whole();
    let admin = admin(&brokers)
        .map_err(|cause| Error::under(Heading::Harness, "no Kafka client").cause(cause))?;
    Ok(Broker { run, server, brokers, topics: Maker::start(admin)? })
}

struct OfKafka;

impl Served for OfKafka {
    const SERVICE: &'static Service = &KAFKA;
    const PORT: ContainerPort = KAFKA_PORT;
    const DATA: Data = Data::At(&[LOG_DIR]);
    /// Measured 5 s on two cores; a loaded machine takes several times that.
    const START_LIMIT: Duration = Duration::from_secs(60);
    const SETTINGS: &'static [&'static str] = SETTINGS;
    type Image = Kafka;

    fn container(image: &Chosen, _: &Secrets, host: Option<&str>) -> ContainerRequest<Kafka> {
        let request = Kafka::default().with_jvm_image().with_name(&image.name).with_tag(&image.tag);
        let settings = SETTINGS.iter().filter_map(|setting| setting.split_once('='));
        let told = [("SCRIPT", SCRIPT), ("TESTENV_HOST", host.unwrap_or_default())];
        settings
            .chain(told)
            .fold(request, |request, (name, value)| request.with_env_var(name, value))
            .with_cmd(["-c", START])
    }

    /// The address, without a password: a broker that we started listens on loopback or in a
    /// network of the engine.
    fn url(_: &str, place: &str) -> String {
        place.to_owned()
    }

    async fn answers(address: &Address) -> Result<(), String> {
        let client: BaseConsumer =
            config(&address.whole()).create().map_err(|error| error.to_string())?;
        client.fetch_metadata(None, SIGN_LIMIT).map(drop).map_err(|error| error.to_string())
    }
}

fn admin(brokers: &str) -> rdkafka::error::KafkaResult<AdminClient<DefaultClientContext>> {
    config(brokers).create()
}

fn config(brokers: &str) -> ClientConfig {
    let mut config = ClientConfig::new();
    // librdkafka logs every lost connection to standard error; an error that matters comes back as one.
    config.set("bootstrap.servers", brokers).set("log_level", "0");
    config
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};
    use std::time::Duration;

    use super::START;

    /// The module's script as it is written: a file without anything, and then all of it.
    fn told(host: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let script = dir.path().join("start.sh");
        std::fs::write(&script, "").unwrap();
        let mut broker = Command::new("bash");
        broker.args(["-c", START]).env("SCRIPT", &script).env("TESTENV_HOST", host);
        let broker = broker.stdout(Stdio::piped()).spawn().unwrap();
        crate::wait::nap_blocking(Duration::from_millis(50));
        let text = "#!/usr/bin/env bash\nexport AT=PLAINTEXT://127.0.0.1:777,BROKER://localhost:9093\necho $AT # docker/run\n";
        std::fs::write(&script, text).unwrap();
        let output = broker.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    }

    #[test]
    fn a_broker_waits_for_all_of_its_script_and_tells_the_address_that_its_clients_reach() {
        for host in ["127.0.0.1", "engine.test", "[::1]"] {
            assert_eq!(told(host), format!("PLAINTEXT://{host}:777,BROKER://localhost:9093\n"));
        }
    }
}
