//! The user's credentials. `docker login` keeps them in Docker's configuration, or in a program
//! that the configuration names.

use std::path::PathBuf;
use std::time::Duration;

use docker_credential::{CredentialRetrievalError as Refusal, DockerCredential};
use testcontainers_modules::testcontainers::bollard::auth::DockerCredentials;

/// A program that keeps passwords answers at once. A program that asks the user for another
/// password opens a window for that.
const LIMIT: Duration = Duration::from_secs(20);

/// The registry that `docker login` uses when none is named.
const HUB: &str = "https://index.docker.io/v1/";

/// The user's credentials for the registry of an image; `None` if there are none. The error says
/// why they could not be read.
pub(super) async fn of(image: &str) -> Result<Option<DockerCredentials>, String> {
    let Some(config) = config() else { return Ok(None) };
    let registry = registry(image).to_owned();
    let what = format!("the program that keeps the credentials of {registry}");
    // The crate waits for the program, so it is asked on a thread of its own.
    let asking = tokio::task::spawn_blocking(move || find(&config, &registry));
    match tokio::time::timeout(LIMIT, asking).await {
        Ok(Ok(found)) => found,
        Ok(Err(panicked)) => Err(panicked.to_string()),
        Err(_) => Err(format!("{what} did not answer within {LIMIT:?}")),
    }
}

/// Docker's configuration. `DOCKER_AUTH_CONFIG` holds the text itself, as on GitLab. Otherwise the
/// file is in `DOCKER_CONFIG`, otherwise in `~/.docker`.
fn config() -> Option<String> {
    let set = |var| std::env::var(var).ok().filter(|value| !value.is_empty());
    set("DOCKER_AUTH_CONFIG").or_else(|| {
        let home = || std::env::home_dir().map(|home| home.join(".docker"));
        let dir = set("DOCKER_CONFIG").map(PathBuf::from).or_else(home)?;
        std::fs::read_to_string(dir.join("config.json")).ok()
    })
}

fn find(config: &str, registry: &str) -> Result<Option<DockerCredentials>, String> {
    let secure = format!("https://{registry}");
    // Docker writes the name of the registry, other tools the URL; Docker Hub has several names.
    let names = if registry == HUB {
        [HUB, "index.docker.io", "docker.io"]
    } else {
        [registry, &secure, registry]
    };
    for name in names {
        let server = Some(registry.to_owned());
        let found = match docker_credential::get_credential_from_reader(config.as_bytes(), name) {
            Ok(DockerCredential::IdentityToken(token)) => DockerCredentials {
                identitytoken: Some(token),
                serveraddress: server,
                ..DockerCredentials::default()
            },
            Ok(DockerCredential::UsernamePassword(username, password)) => DockerCredentials {
                username: Some(username),
                password: Some(password),
                serveraddress: server,
                ..DockerCredentials::default()
            },
            Err(Refusal::NoCredentialConfigured) => continue,
            // A reaper of passwords says so of a registry that it does not know; its words may hold what is
            // nobody else's business.
            Err(Refusal::HelperFailure { helper, stdout, stderr }) => {
                let words = format!("{stdout}{stderr}").to_lowercase();
                if words.contains("not found") {
                    continue;
                }
                return Err(format!("{helper} refuses the credentials of {registry}"));
            }
            Err(error) => return Err(format!("the credentials of {registry}: {error}")),
        };
        return Ok(Some(found));
    }
    Ok(None)
}

/// The registry of an image: the text before the first slash, if that can be a host.
fn registry(image: &str) -> &str {
    match image.split_once('/') {
        Some(("docker.io" | "index.docker.io", _)) => HUB,
        Some((host, _)) if host.contains(['.', ':']) || host == "localhost" => host,
        _ => HUB,
    }
}

#[cfg(test)]
mod tests {
    use super::{HUB, find, registry};

    fn login(config: &str, registry: &str) -> Option<(String, String)> {
        let found = find(config, registry).unwrap()?;
        Some((found.username?, found.password?))
    }

    #[test]
    fn the_registry_of_an_image_is_its_host() {
        assert_eq!(registry("postgres"), HUB);
        assert_eq!(registry("apache/kafka:3"), HUB);
        assert_eq!(registry("docker.io/library/postgres"), HUB);
        assert_eq!(registry("localhost/postgres"), "localhost");
        assert_eq!(registry("localhost:5000/a/b@sha256:ab"), "localhost:5000");
        assert_eq!(registry("ghcr.io/a/b"), "ghcr.io");
    }

    #[test]
    fn a_login_is_found_under_every_name_that_tools_write() {
        // `me:secret`
        let config =
            |name: &str| format!(r#"{{"auths": {{"{name}": {{"auth": "bWU6c2VjcmV0"}}}}}}"#);
        let me = Some(("me".to_owned(), "secret".to_owned()));

        for (name, of) in [
            ("host.example:5000", "host.example:5000"),
            ("https://host.example", "host.example"),
            ("https://index.docker.io/v1/", HUB),
            ("docker.io", HUB),
        ] {
            assert_eq!(login(&config(name), of), me, "{name}");
        }
        assert_eq!(login(&config("other.example"), "host.example"), None);
        assert_eq!(login("{}", "host.example"), None);
    }

    #[test]
    fn a_configuration_that_cannot_be_read_is_said_without_its_words() {
        let error = find(r#"{"auths": {"host": {"auth": "c2VjcmV0"}}}"#, "host").unwrap_err();

        assert!(error.contains("credentials of host") && !error.contains("c2Vj"), "{error}");
    }
}
