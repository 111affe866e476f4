//! `tokenward demo`: the main job, seen from all sides, on this machine alone.
//!
//! The emulator plays the platforms, a real server keeps four credentials fresh, four services read tokens
//! over HTTP and use them, and somebody kills a token now and then. Lives are eight seconds, everything else
//! is scaled alike, so that a day's work is seen in a minute.

mod proof;
mod service;
mod show;
mod stage;

use std::sync::Arc;
use std::time::Duration;

use tokenward_server::Seen;
use tokio::sync::broadcast::error::RecvError;

use crate::command::Signals;
use crate::failure::Failure;
use proof::Proof;
use show::Show;
use stage::Stage;

/// When the first token is killed, and how often after that.
const SABOTAGE: Duration = Duration::from_secs(6);

/// Plays until Ctrl-C, or for a time; then says whether what was promised happened.
pub async fn run(lasting: Option<Duration>) -> Result<(), Failure> {
    let mut signals = Signals::listen()?;
    let Stage { emulator, server, key, _folder } = Stage::set().await?;
    let (url, platform) = (format!("http://{}", server.address()), emulator.url());
    let show = Arc::new(Show::begin());
    show.introduce(&url, &platform, key);

    let proof = Arc::new(Proof::default());
    let (stopper, seen) = (server.stopper(), server.watch());
    let serving = tokio::spawn(server.run());
    let watching = tokio::spawn(watch(seen, Arc::clone(&show), Arc::clone(&proof)));
    let mut actors = tokio::task::JoinSet::new();
    for credential in stage::CREDENTIALS {
        let service = service::Service::new(credential, &url, &platform, key, Arc::clone(&proof))?;
        actors.spawn(service.run(Arc::clone(&show)));
    }
    actors.spawn(sabotage(emulator.control().clone(), Arc::clone(&show)));

    match lasting {
        // Ctrl-C ends it early, and then it has to prove itself all the same.
        Some(lasting) => drop(tokio::time::timeout(lasting, signals.next()).await),
        None => signals.next().await,
    }
    actors.shutdown().await;
    stopper.stop();
    let served = serving.await.is_ok();
    watching.abort();
    emulator.stop().await;
    if lasting.is_none() {
        show.say("ended");
        return Ok(());
    }
    match proof.verdict(served) {
        Ok(summary) => {
            show.say(&summary);
            Ok(())
        }
        Err(missing) => Err(Failure::failed(
            format!("the demo did not show what it promises: {missing}"),
            "Run it for at least 15 s on a machine that is not overloaded; report it if it happens again.",
        )),
    }
}

/// Shows what happens to credentials.
async fn watch(mut seen: tokio::sync::broadcast::Receiver<Seen>, show: Arc<Show>, proof: Arc<Proof>) {
    loop {
        match seen.recv().await {
            Ok(Seen { credential, happening }) => {
                proof.note(credential.as_str(), &happening);
                show.happening(credential.as_str(), &happening);
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// Somebody else fetches: now the classic app, now the stable one loses its token.
async fn sabotage(control: tokenward_emulator::Control, show: Arc<Show>) {
    let mut turns = tokio::time::interval_at(tokio::time::Instant::now() + SABOTAGE, 2 * SABOTAGE);
    for credential in [stage::CREDENTIALS[0], stage::CREDENTIALS[1]].iter().cycle() {
        turns.tick().await;
        if control.invalidate(Some(credential.app)).is_ok() {
            show.sabotage(credential.name);
        }
    }
}
