//! A network between a server and Redis that holds writes back, or loses what is answered to them.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use super::Redis;

/// The network.
pub struct Between {
    port: u16,
    state: Arc<State>,
    events: Receiver<Event>,
}

/// What it does with the next write. What comes behind a write on the same connection shares its fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    Arrives,
    IsHeld,
    IsNotAnswered,
}

/// What became of a write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    Held,
    /// Redis answered to one that was held.
    Late,
    NotAnswered,
}

struct State {
    plan: Mutex<Plan>,
    released: Condvar,
    events: Mutex<Sender<Event>>,
}

struct Plan {
    fate: Fate,
    /// For writes that contain this.
    of: String,
    released: bool,
}

/// How both directions of a connection treat what comes.
#[derive(Default)]
struct Connection {
    fate: Mutex<Option<Fate>>,
}

impl Between {
    pub fn new(redis: &Redis) -> Between {
        let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, events) = mpsc::channel();
        let plan = Mutex::new(Plan { fate: Fate::Arrives, of: String::new(), released: false });
        let state = Arc::new(State { plan, released: Condvar::new(), events: Mutex::new(sender) });
        let (shared, redis) = (Arc::clone(&state), redis.port);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let Ok(server) = TcpStream::connect(("127.0.0.1", redis)) else { continue };
                connect(&shared, client, server);
            }
        });
        Between { port, state, events }
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// What becomes of writes from now on.
    pub fn set(&self, fate: Fate) {
        self.set_for("", fate);
    }

    /// What becomes of writes with this text from now on.
    pub fn set_for(&self, text: &str, fate: Fate) {
        let mut plan = self.state.plan.lock().unwrap();
        (plan.fate, plan.of) = (fate, text.to_owned());
    }

    /// Lets what is held go on.
    pub fn release(&self) {
        self.state.plan.lock().unwrap().released = true;
        self.state.released.notify_all();
    }

    pub fn next(&self) -> Event {
        tokio::task::block_in_place(|| self.events.recv_timeout(Duration::from_secs(30))).unwrap()
    }
}

fn connect(state: &Arc<State>, mut client: TcpStream, mut server: TcpStream) {
    let connection = Arc::new(Connection::default());
    let (mut back, mut answers) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let (shared, ours) = (Arc::clone(state), Arc::clone(&connection));
    std::thread::spawn(move || {
        let mut piece = [0; 65_536];
        while let Some(length) = client.read(&mut piece).ok().filter(|length| *length > 0) {
            let fate = shared.fate_of(&String::from_utf8_lossy(&piece[..length]));
            let before = *ours.fate.lock().unwrap();
            if let (Some(fate), None) = (fate, before) {
                *ours.fate.lock().unwrap() = Some(fate).filter(|fate| *fate != Fate::Arrives);
                if fate == Fate::IsHeld {
                    shared.tell(Event::Held);
                    let plan = shared.plan.lock().unwrap();
                    drop(shared.released.wait_while(plan, |plan| !plan.released).unwrap());
                }
            }
            if server.write_all(&piece[..length]).is_err() {
                break;
            }
        }
        drop(server.shutdown(Shutdown::Write));
    });
    let shared = Arc::clone(state);
    std::thread::spawn(move || {
        let mut piece = [0; 65_536];
        while let Some(length) = answers.read(&mut piece).ok().filter(|length| *length > 0) {
            let fate = *connection.fate.lock().unwrap();
            match fate {
                Some(Fate::IsNotAnswered) => shared.tell(Event::NotAnswered),
                fate => {
                    // Who was to be answered may have gone.
                    drop(back.write_all(&piece[..length]));
                    if fate == Some(Fate::IsHeld) {
                        shared.tell(Event::Late);
                    }
                }
            }
        }
        drop(back.shutdown(Shutdown::Both));
    });
}

impl State {
    fn fate_of(&self, piece: &str) -> Option<Fate> {
        let plan = self.plan.lock().unwrap();
        (piece.contains("EVALSHA") && piece.contains(&plan.of)).then_some(plan.fate)
    }

    fn tell(&self, event: Event) {
        // A test that is over hears nothing.
        let _ = self.events.lock().unwrap().send(event);
    }
}
