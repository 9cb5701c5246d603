//! Mounts the data directory of an image in memory. The image itself says where it keeps its data.
//!
//! Images differ. `postgres` up to 17 keeps its data in `/var/lib/postgresql/data`. From 18 on it
//! refuses to start if anything is mounted there.

use std::collections::HashMap;

use super::client::{docker_client_instance, limited, query_limit};
use super::image::Chosen;
use crate::{Error, Heading};

/// Directories with the options of their mounts.
pub(crate) type Mounts = HashMap<String, String>;

/// Everybody may write: only the image knows the server's user.
const OPTIONS: &str = "rw,mode=1777";

/// The directories of an image that are mounted in memory. If the image sets `var` to its data
/// directory: the volume that holds this directory, otherwise the directory itself. If the image
/// does not set `var`: its volumes, or `usual` if it has none.
///
/// # Errors
///
/// When the engine gives an error or no answer.
pub(crate) async fn of(image: &Chosen, var: &str, usual: &str) -> Result<Mounts, Error> {
    let engine = docker_client_instance().await.map_err(|cause| {
        Error::under(Heading::Harness, "no client for the Docker engine").cause(cause)
    })?;
    let name = image.to_string();
    let what = format!("what the image {name} is made of");
    let look = limited(query_limit(), &what, engine.inspect_image(&name)).await?;
    let config = look
        .map_err(|cause| {
            Error::under(Heading::Docker, format!("the Docker engine does not say {what}"))
                .cause(cause)
        })?
        .config
        .unwrap_or_default();
    let volumes: Vec<String> =
        config.volumes.map(|volumes| volumes.into_iter().collect()).unwrap_or_default();
    let variables = config.env.unwrap_or_default();
    let data = variables.iter().find_map(|line| line.strip_prefix(var)?.strip_prefix('='));
    Ok(mounts(data, &volumes, &config.user.unwrap_or_default(), usual))
}

/// The mounts of known directories.
pub(crate) fn at(dirs: &[&str]) -> Mounts {
    dirs.iter().map(|dir| ((*dir).to_owned(), OPTIONS.to_owned())).collect()
}

fn mounts(data: Option<&str>, volumes: &[String], user: &str, usual: &str) -> Mounts {
    let clean = |dir: &str| format!("/{}", dir.trim_matches('/'));
    let holds = |volume: &str, data: &str| {
        data.strip_prefix(volume).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let Some(data) = data.map(clean) else {
        return match volumes {
            [] => at(&[usual]),
            _ => volumes.iter().map(|volume| (clean(volume), OPTIONS.to_owned())).collect(),
        };
    };
    let volume = volumes.iter().map(|volume| clean(volume)).find(|volume| holds(volume, &data));
    let dir = volume.unwrap_or_else(|| data.clone());
    // A server that is not root makes its directory in one that is everybody's, but cannot take one that is not its own.
    let (id, _group) = user.split_once(':').unwrap_or((user, ""));
    if dir != data || ["", "0", "root"].contains(&id) {
        return [(dir, OPTIONS.to_owned())].into();
    }
    match id.parse::<u32>() {
        Ok(id) => [(dir, format!("rw,mode=0700,uid={id}"))].into(),
        // The number behind the name is known inside the image only: then its data lies on disk.
        Err(_) => Mounts::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::{OPTIONS, mounts};

    fn dirs(data: Option<&str>, volumes: &[&str], user: &str) -> Vec<(String, String)> {
        let volumes: Vec<String> = volumes.iter().map(|volume| (*volume).to_owned()).collect();
        let mut dirs: Vec<_> = mounts(data, &volumes, user, "/usual").into_iter().collect();
        dirs.sort();
        dirs
    }

    fn in_memory(dir: &str) -> Vec<(String, String)> {
        vec![(dir.into(), OPTIONS.into())]
    }

    #[test]
    fn the_image_says_where_its_data_is() {
        let old = "/var/lib/postgresql/data";
        assert_eq!(dirs(Some(old), &[old], ""), in_memory(old));
        assert_eq!(
            dirs(Some("/var/lib/postgresql/18/docker"), &["/var/lib/postgresql"], ""),
            in_memory("/var/lib/postgresql"),
        );
        assert_eq!(dirs(Some("/data/"), &[], "root"), in_memory("/data"));
        assert_eq!(dirs(Some("/database"), &["/data"], ""), in_memory("/database"));
        assert_eq!(dirs(None, &["/bitnami/redis/data"], "1001"), in_memory("/bitnami/redis/data"));
        assert_eq!(dirs(None, &[], ""), in_memory("/usual"));
    }

    #[test]
    fn a_server_that_is_not_root_owns_its_directory() {
        assert_eq!(dirs(Some("/v/d"), &["/v"], "postgres"), in_memory("/v"));
        let own = vec![("/data".to_owned(), "rw,mode=0700,uid=26".to_owned())];
        assert_eq!(dirs(Some("/data"), &[], "26:26"), own);
        assert_eq!(dirs(Some("/data"), &["/data"], "postgres"), vec![]);
    }
}
