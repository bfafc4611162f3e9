//! stub while compiling
#[derive(Debug, clap::Args)]
pub(crate) struct RunArguments {}
pub(crate) async fn run(_: RunArguments) -> Result<(), crate::serve::ServeError> { Ok(()) }
