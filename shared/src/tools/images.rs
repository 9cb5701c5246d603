//! Images as the Docker client sees them, each question under a limit: a client that hangs must not hang us.

use std::process::Command;
use std::time::Duration;

use super::process;
use crate::images::Image;

/// Asking a local engine for an image takes 30 ms.
pub(crate) const INSPECT_LIMIT: Duration = Duration::from_secs(1);

/// The name under which a service's image is present: the override alone where one is set, else the pinned image, else its substitute.
///
/// `None` when none is there, an error in words when the client cannot be asked.
pub(crate) fn present(image: &Image, limit: Duration) -> Result<Option<String>, String> {
    let names = names(image);
    // At once, so that the limit is one limit.
    let answers: Vec<_> = std::thread::scope(|scope| {
        let asked: Vec<_> =
            names.iter().map(|name| scope.spawn(move || inspect(name, limit))).collect();
        asked
            .into_iter()
            .map(|asked| {
                asked.join().unwrap_or_else(|_| Err("the question to docker panicked".into()))
            })
            .collect()
    });
    for (name, answer) in names.into_iter().zip(answers) {
        if answer? {
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// The image that is pulled when none is there.
pub(crate) fn wanted(image: &Image) -> String {
    image.overridden().unwrap_or_else(|| image.pinned())
}

fn names(image: &Image) -> Vec<String> {
    image.overridden().map_or_else(|| vec![image.pinned(), image.local()], |only| vec![only])
}

fn inspect(name: &str, limit: Duration) -> Result<bool, String> {
    let mut command = Command::new("docker");
    command.args(["image", "inspect", "--format", "{{.Id}}", name]);
    let run = process::run(&mut command, limit, None)
        .map_err(|_| "the program docker is not in the PATH")?;
    match run.status {
        None => Err(format!("`docker image inspect` did not answer within {} s", limit.as_secs())),
        Some(status) if status.success() => Ok(true),
        Some(_) if run.stderr.to_lowercase().contains("no such image") => Ok(false),
        Some(_) => Err(run.stderr.trim().to_owned()),
    }
}
