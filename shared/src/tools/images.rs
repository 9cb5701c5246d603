//! Images as the Docker client sees them. Each question has a limit, so a client that hangs cannot
//! hang us.

use std::process::Command;
use std::time::Duration;

use super::process;
use crate::images::Image;
use crate::project;

/// Asking a local engine for an image takes 30 ms.
pub(crate) const INSPECT_LIMIT: Duration = Duration::from_secs(1);

/// The name under which a service's image is present. If an override is set, only the override
/// counts. Otherwise it is the pinned image, otherwise the substitute.
///
/// `None` if no image is there. An error in words if the client cannot be asked.
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

/// The image that is pulled if none is there.
pub(crate) fn wanted(image: &Image) -> String {
    project::image_for(image).map_or_else(|| image.pinned(), |named| named.name)
}

/// The names under which an image may be there.
pub(super) fn names(image: &Image) -> Vec<String> {
    let named = project::image_for(image).map(|named| vec![named.name]);
    named.unwrap_or_else(|| vec![image.pinned(), image.local()])
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
