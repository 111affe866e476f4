//! A small load generator: a fixed request on each connection, the next one when the answer is whole.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd as _;
use std::time::{Duration, Instant};

use rustix::event::epoll;

/// Connections that ask the same thing again and again.
pub struct Load {
    connections: Vec<Connection>,
    epoll: std::os::fd::OwnedFd,
    request: Vec<u8>,
    length: usize,
}

struct Connection {
    stream: TcpStream,
    sent: Instant,
    received: usize,
}

/// What one slice came to.
pub struct Done {
    pub elapsed: Duration,
    /// Nanoseconds of each request.
    pub latencies: Vec<u64>,
}

impl Load {
    /// Connects and asks once on each connection, to learn how long an answer is. It must stay that long.
    pub fn connect(address: SocketAddr, request: &[u8], connections: usize) -> Load {
        let epoll = epoll::create(epoll::CreateFlags::empty()).unwrap();
        let mut load = Load { connections: Vec::new(), epoll, request: request.to_vec(), length: 0 };
        for index in 0..connections {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.set_nodelay(true).unwrap();
            stream.write_all(request).unwrap();
            load.length = read_answer(&mut stream);
            stream.set_nonblocking(true).unwrap();
            let data = epoll::EventData::new_u64(index as u64);
            epoll::add(&load.epoll, stream.as_fd(), data, epoll::EventFlags::IN).unwrap();
            load.connections.push(Connection { stream, sent: Instant::now(), received: 0 });
        }
        load
    }

    /// Asks for so long, then lets what is under way finish.
    pub fn run(&mut self, slice: Duration) -> Done {
        let begun = Instant::now();
        let mut latencies = Vec::with_capacity(100_000);
        for connection in &mut self.connections {
            connection.ask(&self.request);
        }
        let mut open = self.connections.len();
        let mut events = Vec::with_capacity(self.connections.len());
        let mut buffer = [0; 4096];
        while open > 0 {
            events.clear();
            epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), None).unwrap();
            let now = Instant::now();
            for event in &events {
                let index = usize::try_from(event.data.u64()).unwrap();
                let connection = &mut self.connections[index];
                let read = connection.stream.read(&mut buffer).unwrap();
                if connection.received == 0 {
                    assert!(
                        buffer.starts_with(b"HTTP/1.1 200"),
                        "{}",
                        String::from_utf8_lossy(&buffer[..read])
                    );
                }
                connection.received += read;
                assert!(read > 0 && connection.received <= self.length, "an answer of another length");
                if connection.received == self.length {
                    latencies.push(u64::try_from((now - connection.sent).as_nanos()).unwrap());
                    if begun.elapsed() < slice {
                        connection.ask(&self.request);
                    } else {
                        open -= 1;
                    }
                }
            }
        }
        Done { elapsed: begun.elapsed(), latencies }
    }
}

impl Connection {
    fn ask(&mut self, request: &[u8]) {
        self.received = 0;
        self.sent = Instant::now();
        self.stream.write_all(request).unwrap();
    }
}

fn read_answer(stream: &mut TcpStream) -> usize {
    let mut answer = Vec::new();
    let mut byte = [0; 1];
    while !answer.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        answer.push(byte[0]);
    }
    let head = String::from_utf8(answer).unwrap().to_lowercase();
    let length = head.split("content-length:").nth(1).unwrap().lines().next().unwrap().trim();
    let length: usize = length.parse().unwrap();
    stream.read_exact(&mut vec![0; length]).unwrap();
    head.len() + length
}
