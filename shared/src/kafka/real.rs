//! A real broker: somebody else's, or Apache Kafka in a container of the run.

use std::time::Duration;

use rdkafka::ClientConfig;
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::types::RDKafkaErrorCode;
use testcontainers_modules::kafka::apache::{KAFKA_PORT, Kafka};
use testcontainers_modules::testcontainers::ImageExt;
use testcontainers_modules::testcontainers::core::ContainerPort;
use tokio::sync::OnceCell;

use super::{Topic, Used, unique};
use crate::provider::{KAFKA, REACH_LIMIT, Way, reach, say};
use crate::run::cleaner::Refused;
use crate::run::{self, Run, apart, owned};
use crate::verdict::Told;
use crate::wait::HeldClock;
use crate::{Error, docker};

/// Measured 5 s from nothing to ready on two cores; a loaded machine takes several times that.
const START_LIMIT: Duration = Duration::from_secs(60);

/// A broker on this machine makes a topic in 10 to 30 ms; one that elects a leader for its first takes a second.
const TOPIC_LIMIT: Duration = Duration::from_secs(10);

/// A server that accepts connections and is no broker is found out within the two seconds that a wrong address may take.
const SIGN_LIMIT: Duration = Duration::from_millis(1500);

const PORTS: &[ContainerPort] = &[KAFKA_PORT];
const LOG_DIR: &str = "/tmp/kafka-logs";

/// A broker tells its clients where it is. Its module has it say the published port of 127.0.0.1, in a script that it waits for; clients in other containers
/// need the container's own address.
const OWN_ADDRESS: &str = r#"script=/opt/kafka/testcontainers_start.sh
while [[ ! -s $script ]]; do sleep 0.1; done
while read -r ip name _ && [[ $name != "$HOSTNAME" ]]; do :; done < /etc/hosts
text=$(< "$script")
[[ $text =~ 127\.0\.0\.1:[0-9]+ ]] && eval "${text/${BASH_REMATCH[0]}/$ip:9092}""#;

struct Broker {
    brokers: String,
    is_ours: bool,
    admin: AdminClient<DefaultClientContext>,
}

/// A new topic: the brokers and its name.
pub(super) async fn make(test: &str) -> Result<(String, String), Error> {
    static BROKER: OnceCell<Broker> = OnceCell::const_new();
    let _until_it_is_made = HeldClock::new();
    let run = Run::join()?;
    let broker = BROKER.get_or_try_init(|| apart(async move || connect(run).await)).await?;

    let name = unique(test, run.token());
    if !broker.is_ours {
        owned::note(run.dir(), "kafka", &name, &broker.brokers)?;
    }
    let options =
        AdminOptions::new().operation_timeout(Some(TOPIC_LIMIT)).request_timeout(Some(TOPIC_LIMIT));
    let refused = |cause: String| {
        Error::new(format!("the broker at {} made no topic", broker.brokers)).cause(cause)
    };
    let topic = NewTopic::new(&name, 1, TopicReplication::Fixed(1));
    let made = broker
        .admin
        .create_topics([&topic], &options)
        .await
        .map_err(|error| refused(error.to_string()))?;
    for topic in made {
        topic.map_err(|(_, code)| refused(code.to_string()))?;
    }
    Ok((broker.brokers.clone(), name))
}

/// How to read a topic of a failed test.
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

/// Deletes a topic on somebody else's broker; for the keeper.
pub(super) fn remove(_token: &str, name: &str, brokers: &str) -> Result<(), Refused> {
    // A run may have left a hundred topics: a broker that is gone is found out at once, not once per topic.
    let address = KAFKA.address(brokers)?;
    reach(&address, REACH_LIMIT).map_err(Refused::Unreachable)?;
    delete(name, brokers).map_err(|why| match reach(&address, REACH_LIMIT) {
        Ok(()) => Refused::Stays(why),
        Err(_) => Refused::Unreachable(why),
    })
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

async fn connect(run: &'static Run) -> Result<Broker, Error> {
    let way = KAFKA.choose()?;
    let is_ours = !matches!(way, Way::Url(_));
    let brokers = match way {
        Way::Url(address) => {
            let brokers = address.whole();
            say(KAFKA.name, &format!("the broker at {brokers} ({} is set)", KAFKA.url_var));
            greet(&brokers)?;
            brokers
        }
        Way::Docker(_) => {
            run.once(KAFKA.name, async |run| docker::on_engine(start(run)).await).await?
        }
        Way::Native(programs) => unreachable!("{} has no native way, yet {programs:?}", KAFKA.name),
    };
    let admin = admin(&brokers).map_err(|cause| Error::new("no Kafka client").cause(cause))?;
    Ok(Broker { brokers, is_ours, admin })
}

async fn start(run: &'static Run) -> Result<String, Error> {
    let image = docker::resolve(KAFKA.image).await?;
    say(
        KAFKA.name,
        &format!("a container of {image} ({}; {} is not set)", image.why, KAFKA.url_var),
    );
    let request = Kafka::default()
        .with_jvm_image()
        .with_name(&image.name)
        .with_tag(&image.tag)
        // One node: what Kafka keeps in threes by default would wait for two more.
        .with_env_var("KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR", "1")
        .with_env_var("KAFKA_TRANSACTION_STATE_LOG_MIN_ISR", "1")
        // The first join of a group waits three seconds for others by default.
        .with_env_var("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0")
        .with_env_var("KAFKA_LOG_DIRS", LOG_DIR);
    let request = if docker::is_among_containers().await? {
        request.with_cmd(["-c", OWN_ADDRESS])
    } else {
        request
    };
    let started = docker::start(run, KAFKA.name, request, PORTS, &[LOG_DIR], START_LIMIT).await?;
    started.address(KAFKA_PORT).await
}

/// Fails unless a Kafka broker answers.
fn greet(brokers: &str) -> Result<(), Error> {
    let refused = |cause: String| {
        Error::new(format!("no Kafka broker answers at {brokers}"))
            .tried(format!("{}={brokers}", KAFKA.url_var))
            .cause(cause)
            .fix(format!(
                "correct {0}, or `unset {0}` to have a server started for the run",
                KAFKA.url_var
            ))
    };
    let client: BaseConsumer =
        config(brokers).create().map_err(|error| refused(error.to_string()))?;
    client.fetch_metadata(None, SIGN_LIMIT).map(drop).map_err(|error| refused(error.to_string()))
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
