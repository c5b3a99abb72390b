//! The command line: reads arguments, calls the operations, prints what they answer, and turns every end into an exit
//! code. Does nothing itself that another caller of the operations would have to do again.

pub mod args;
mod backup;
mod backups;
mod cat;
mod chown;
mod clone;
mod config;
mod consent;
mod create;
mod df;
mod doctor;
mod du;
mod exit;
mod get;
mod grep;
mod json;
mod keys;
mod ls;
mod output;
mod place;
mod progress;
mod recover;
mod removal;
mod rename;
mod restore;
mod screen;
mod session;
mod table;
mod tree;
mod undo;
mod verify;

use std::ffi::OsString;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use exit::Exit;

use args::{Arguments, Command};
use exit::Ending;
use output::Output;
use session::Context;

/// Runs the program with its arguments and returns its exit code.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => return exit::usage(&error),
    };
    let output = Arc::new(Output::of_process(&arguments.globals));
    // Where bytes stand, or the screen, no document may.
    let document = arguments
        .command
        .as_ref()
        .is_some_and(|command| !command.prints_bytes());
    let document = (output.json && document).then(|| Arc::clone(&output));
    let cancel = CancellationToken::new();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    let ended = match runtime {
        Ok(runtime) => {
            let ended = runtime.block_on(run(arguments, output, document.clone(), cancel.clone()));
            // A path that never answers must not hold up the end.
            runtime.shutdown_background();
            ended
        }
        Err(error) => Err(anyhow::Error::new(error).context("cannot start the runtime")),
    };
    let ending = Ending {
        cancelled: cancel.is_cancelled(),
        document: document.as_deref(),
    };
    exit::report(ended, &ending).into()
}

async fn run(
    arguments: Arguments,
    output: Arc<Output>,
    document: Option<Arc<Output>>,
    cancel: CancellationToken,
) -> anyhow::Result<Exit> {
    let Arguments { globals, command } = arguments;
    let Some(command) = command else {
        return screen::run(&globals).await;
    };
    match command {
        // These ask no engine.
        Command::Keys(options) => return keys::run(&options, &globals, &output),
        Command::Config => return config::run(&globals, &output),
        Command::Completions { shell } => return args::completions(shell, &output),
        _ => {}
    }
    let listening = tokio::spawn(cancel_on_signals(cancel.clone(), document));
    let context = Context {
        globals,
        output,
        cancel,
        beside: TaskTracker::new(),
    };
    let ended = match command {
        // These ask no engine either, and may take their time.
        Command::Backups(options) => backups::run(&context, &options).await,
        Command::Verify(options) => verify::run(&context, &options).await,
        command => engine_command(&context, command).await,
    };
    listening.abort();
    ended
}

async fn engine_command(context: &Context, command: Command) -> anyhow::Result<Exit> {
    let engine = context.connect().await?;
    if !matches!(command, Command::Recover(_)) {
        recover::remind(&engine).await;
    }
    let running = async {
        match command {
            Command::Ls(options) => ls::run(context, &engine, &options).await,
            Command::Du(options) => du::run(context, &engine, &options).await,
            Command::Df => df::run(context, &engine).await,
            Command::Doctor(options) => doctor::run(context, &engine, &options).await,
            Command::Tree(options) => tree::run(context, &engine, &options).await,
            Command::Cat(options) => cat::run(context, &engine, &options).await,
            Command::Grep(options) => grep::run(context, &engine, &options).await,
            Command::Get(options) => get::run(context, &engine, &options).await,
            Command::Prune(options) => removal::prune(context, &engine, &options).await,
            Command::Rm(options) => removal::rm(context, &engine, &options).await,
            Command::Create(options) => create::run(context, &engine, &options).await,
            Command::Chown(options) => chown::chown(context, &engine, &options).await,
            Command::Chmod(options) => chown::chmod(context, &engine, &options).await,
            Command::Undo(options) => undo::run(context, &engine, &options).await,
            Command::Restore(options) => restore::run(context, &engine, &options).await,
            Command::Clone(options) => clone::run(context, &engine, &options).await,
            Command::Rename(options) => rename::run(context, &engine, &options).await,
            Command::Recover(options) => recover::run(context, &engine, &options).await,
            Command::Backup(options) => backup::run(context, &engine, &options).await,
            Command::Backups(_)
            | Command::Verify(_)
            | Command::Keys(_)
            | Command::Config
            | Command::Completions { .. } => Ok(Exit::Done),
        }
    };
    let ended = running.await;
    // No helper outlives its client: the end waits until they are gone.
    tokio::join!(engine.release(), context.settle());
    ended
}

/// Cancels on the first interrupt or termination, so that helpers are removed; the second ends at once.
async fn cancel_on_signals(cancel: CancellationToken, document: Option<Arc<Output>>) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hang_up.recv() => {}
        }
        if cancel.is_cancelled() {
            if let Some(output) = &document {
                exit::document(output, Exit::Cancelled, None);
            }
            std::process::exit(i32::from(Exit::Cancelled.code()));
        }
        cancel.cancel();
    }
}
