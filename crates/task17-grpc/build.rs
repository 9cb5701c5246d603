//! Compiles `proto/echo.proto` in Rust: no `protoc` has to be installed.

use std::error::Error;
use std::io::{self, Write};

fn main() -> Result<(), Box<dyn Error>> {
    writeln!(io::stdout(), "cargo::rerun-if-changed=proto")?;
    let compiled = protox::compile(["echo.proto"], ["proto"])?;
    // Without a transport: the service runs on any stream of bytes.
    tonic_prost_build::configure().build_transport(false).compile_fds(compiled)?;
    Ok(())
}
