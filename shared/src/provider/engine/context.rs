//! Docker's contexts: names for engines, in the directory of Docker's configuration.

use std::env;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{Engine, set};

/// The engine of `DOCKER_CONTEXT`, otherwise of the context that `docker context use` chose. `None`
/// if that is the default context.
///
/// # Errors
///
/// When the context does not exist, or names no engine.
pub(super) fn engine() -> Result<Option<Engine>, String> {
    let Some(dir) = config_dir() else { return Ok(None) };
    match set("DOCKER_CONTEXT").or_else(|| current(&dir)) {
        Some(name) if name != "default" => of(&dir, &name).map(Some),
        _ => Ok(None),
    }
}

/// The directory `DOCKER_CONFIG`, otherwise `~/.docker`.
pub(super) fn config_dir() -> Option<PathBuf> {
    let home = || env::home_dir().map(|home| home.join(".docker"));
    set("DOCKER_CONFIG").map(PathBuf::from).or_else(home)
}

fn current(dir: &Path) -> Option<String> {
    let name = read(&dir.join("config.json"))?["currentContext"].as_str()?.to_owned();
    Some(name).filter(|name| !name.is_empty())
}

fn of(dir: &Path, name: &str) -> Result<Engine, String> {
    let contexts = dir.join("contexts");
    let entries = std::fs::read_dir(contexts.join("meta")).into_iter().flatten().flatten();
    let found = entries.map(|entry| entry.path()).find_map(|entry| {
        let meta = read(&entry.join("meta.json"))?;
        (meta["Name"].as_str()? == name).then_some((entry, meta))
    });
    let (entry, meta) = found
        .ok_or_else(|| format!("Docker's context `{name}` is not there: docker context ls"))?;
    // A context keeps the keys of its engine under the same name.
    let keys = contexts.join("tls").join(entry.file_name().unwrap_or_default()).join("docker");
    let host = meta["Endpoints"]["docker"]["Host"].as_str().filter(|host| !host.is_empty());
    match host {
        Some(host) => {
            Ok(Engine { host: host.to_owned(), keys: Some(keys).filter(|it| it.exists()) })
        }
        None => Err(format!("Docker's context `{name}` names no engine")),
    }
}

fn read(path: &Path) -> Option<Value> {
    serde_json::from_slice(&std::fs::read(path).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{current, of};

    fn write(dir: &std::path::Path, path: &str, text: &str) {
        let path = dir.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    #[test]
    fn a_context_is_found_by_its_name() {
        let dir = tempfile::tempdir().unwrap();
        let meta = |host: &str, name: &str| {
            format!(
                r#"{{"Name":"{name}","Metadata":{{}},"Endpoints":{{"docker":{{"Host":"{host}"}}}}}}"#
            )
        };
        write(dir.path(), "config.json", r#"{"auths": {}, "currentContext": "away"}"#);
        write(dir.path(), "contexts/meta/a/meta.json", &meta("unix:///run/mine.sock", "mine"));
        write(dir.path(), "contexts/meta/b/meta.json", &meta("tcp://away:1", "away"));
        write(dir.path(), "contexts/meta/c/meta.json", &meta("tcp://safe:1", "safe"));
        write(dir.path(), "contexts/tls/c/docker/ca.pem", "");
        write(dir.path(), "contexts/meta/d/meta.json", "broken");

        assert_eq!(current(dir.path()).as_deref(), Some("away"));
        let of = |name| of(dir.path(), name);
        assert_eq!(of("away").unwrap().host, "tcp://away:1");
        assert_eq!(of("mine").unwrap().host, "unix:///run/mine.sock");
        assert_eq!(of("mine").unwrap().keys, None);
        assert!(of("gone").err().unwrap().contains("docker context ls"));
        assert_eq!(of("safe").unwrap().keys, Some(dir.path().join("contexts/tls/c/docker")));
    }
}
