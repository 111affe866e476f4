//! The `tokenward` command.
//!
//! Results go to standard output, everything else to standard error. Exit codes: 0 done, 1 refused or failed,
//! 2 wrong usage or configuration.

mod args;
mod command;
mod demo;
mod failure;
mod output;
mod place;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

use std::process::ExitCode;
use std::time::Duration;

use clap::Parser as _;

use args::{Arguments, Command};
use failure::Failure;

/// How long the process waits for threads when all is done: one that hangs at a dead disk comes back never.
const LAST_WAIT: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let json = arguments.json;
    let outcome = runtime()
        .map_err(|error| {
            Failure::failed(format!("cannot start: {error}"), "Free some memory or file handles.")
        })
        .and_then(|runtime| {
            let outcome = runtime.block_on(run(arguments));
            runtime.shutdown_timeout(LAST_WAIT);
            outcome
        });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            failure.show(json);
            failure.exit_code()
        }
    }
}

/// With one core a scheduler for many only costs.
fn runtime() -> std::io::Result<tokio::runtime::Runtime> {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let mut builder = match cores {
        1 => tokio::runtime::Builder::new_current_thread(),
        _ => tokio::runtime::Builder::new_multi_thread(),
    };
    builder.enable_all().build()
}

async fn run(arguments: Arguments) -> Result<(), Failure> {
    let Arguments { config, json, command } = arguments;
    let config = config.as_deref();
    match command {
        Command::Serve => command::serve::run(&place::config_path(config)).await,
        Command::Check { live } => command::check::run(&place::config_path(config), live, json).await,
        Command::Token { name, min_ttl } => {
            command::token::run(&place::server(config)?, &name, min_ttl, json).await
        }
        Command::Report { name, generation } => {
            command::token::report(&place::server(config)?, &name, generation, json).await
        }
        Command::Refresh { name, force } => {
            command::refresh::run(&place::server(config)?, &name, force, json).await
        }
        Command::Status { name } => {
            command::status::run(&place::server(config)?, name.as_deref(), json).await
        }
        Command::Sign(what) => command::sign::run(&place::server(config)?, what).await,
        Command::Import(wishes) => command::import::run(&place::config_path(config), wishes, json).await,
        Command::Cert { dir, host, days } => command::cert::run(&dir, &host, days, json),
        Command::Callback(what) => command::callback::run(&place::server(config)?, what, json).await,
        Command::Cloud(cloud) => command::cloud::run(&place::server(config)?, cloud, json).await,
        Command::Emulate(flags) => command::emulate::run(flags, json).await,
        Command::Demo { lasting } => demo::run(lasting).await,
        Command::Completions { shell } => {
            command::completions::run(shell);
            Ok(())
        }
    }
}
