//! Runs a program in a running container.

use std::future::poll_fn;

use testcontainers_modules::testcontainers::bollard::container::LogOutput;
use testcontainers_modules::testcontainers::bollard::exec::StartExecResults;
use testcontainers_modules::testcontainers::bollard::models::ExecConfig;

use super::client::docker_client_instance;

/// How a program ended.
pub(crate) struct Finished {
    pub(crate) status: i64,
    pub(crate) output: Vec<u8>,
    pub(crate) errors: String,
}

/// Runs a program in a container and returns its output. Call it on [`super::on_engine`].
///
/// An error comes from the engine: there is no such container, or no such program.
pub(crate) async fn execute(container: &str, command: Vec<String>) -> Result<Finished, String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let engine = docker_client_instance().await.map_err(|error| words(&error))?;
    let config = ExecConfig {
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(command),
        ..ExecConfig::default()
    };
    let made = engine.create_exec(container, config).await.map_err(|error| words(&error))?;
    let started = engine.start_exec(&made.id, None).await.map_err(|error| words(&error))?;
    let StartExecResults::Attached { output: mut written, .. } = started else {
        unreachable!("nobody asked to be detached")
    };
    let (mut output, mut errors) = (Vec::new(), Vec::new());
    while let Some(part) =
        poll_fn(|context| futures_core::Stream::poll_next(written.as_mut(), context)).await
    {
        match part.map_err(|error| words(&error))? {
            LogOutput::StdErr { message } => errors.extend_from_slice(&message),
            other => output.extend_from_slice(&other.into_bytes()),
        }
    }
    let ended = engine.inspect_exec(&made.id).await.map_err(|error| words(&error))?;
    Ok(Finished {
        // An engine that does not know how it ended does not say that it ended well.
        status: ended.exit_code.unwrap_or(-1),
        output,
        errors: String::from_utf8_lossy(&errors).into_owned(),
    })
}
