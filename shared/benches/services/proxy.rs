//! Proxies.

use crate::echo::Echo;
use crate::{SAMPLES, compare, runtime, sample, times};

pub(crate) fn bench() {
    let upstream = Echo::start().address;
    // The first one waits for the server.
    let _first = runtime().block_on(testenv::fresh_proxy(upstream));

    let ours = sample(times(SAMPLES), async |_| drop(testenv::fresh_proxy(upstream).await));
    #[cfg(not(feature = "integration"))]
    compare("fresh_proxy", 10.0, &ours, &[]);
    #[cfg(feature = "integration")]
    {
        // A container is removed in a runtime.
        let runtime = runtime();
        let _entered = runtime.enter();
        let api = runtime.block_on(by_hand::Server::start());
        let proxies = sample(times(SAMPLES), async |number| api.proxy(upstream, number).await);
        let containers = sample(times(crate::FEW), async |_| drop(by_hand::container().await));
        let others = [
            crate::Instead { name: "toxiproxy's API, by reqwest", samples: proxies, most: 1.2 },
            crate::Instead { name: "a container for each test", samples: containers, most: 1.0 },
        ];
        compare("fresh_proxy", 10.0, &ours, &others);
    }
}

/// What a user would write.
#[cfg(feature = "integration")]
mod by_hand {
    use std::net::SocketAddr;

    use testcontainers_modules::testcontainers::core::{ContainerPort, WaitFor};
    use testcontainers_modules::testcontainers::runners::AsyncRunner;
    use testcontainers_modules::testcontainers::{ContainerAsync, GenericImage};
    use testenv::tools::{TOXIPROXY, docker};

    const API: ContainerPort = ContainerPort::Tcp(8474);

    /// A Toxiproxy that all tests share.
    pub(crate) struct Server {
        address: String,
        _container: ContainerAsync<GenericImage>,
    }

    impl Server {
        pub(crate) async fn start() -> Server {
            let container = container().await;
            let port = container.get_host_port_ipv4(API).await.unwrap();
            Server { address: format!("http://127.0.0.1:{port}"), _container: container }
        }

        /// A client for the test's runtime, and a proxy by a name made up.
        pub(crate) async fn proxy(&self, upstream: SocketAddr, number: usize) {
            let client = reqwest::Client::new();
            let body = format!(
                r#"{{"name":"by-hand-{}-{number}","listen":"0.0.0.0:0","upstream":"{upstream}"}}"#,
                std::process::id()
            );
            let made = client.post(format!("{}/proxies", self.address)).body(body).send().await;
            made.unwrap().error_for_status().unwrap();
        }
    }

    pub(crate) async fn container() -> ContainerAsync<GenericImage> {
        let image = docker::resolve(TOXIPROXY.image).await.unwrap();
        let ready = WaitFor::message_on_stdout("Starting Toxiproxy HTTP server");
        let image = GenericImage::new(image.name, image.tag).with_exposed_port(API);
        image.with_wait_for(ready).start().await.unwrap()
    }
}
