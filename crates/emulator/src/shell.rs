//! Connections: reads requests, lets the machine decide, and does to the connection what it decided.
//!
//! Invariants: no decision is made here; connections and bodies are bounded; nothing is logged.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Collected, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::cloud::{Arrival, Cloud, Storage};
use crate::control::Control;
use crate::cut_body::CutBody;
use crate::outcome::{Delivery, Outcome};
use crate::push;
use crate::reply::Reply;
use crate::request::Request;
use crate::socket::{ResetSwitch, Socket};

/// More connections than this are refused by closing them.
const CONNECTIONS: usize = 10_000;
const BODY_BYTES: usize = 10 * 1024 * 1024;
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

type Answered = Result<http::Response<BoxBody<Bytes, io::Error>>, io::Error>;

/// Serves until `stopped` resolves, which it also does when its sender is dropped.
pub(crate) async fn serve(
    listener: TcpListener,
    control: Control,
    cloud: Cloud,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    let mut time = pin!(cloud.functions().clone().keep_time(control.clone()));
    loop {
        tokio::select! {
            _ = &mut stopped => break,
            () = &mut time => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) if connections.len() < CONNECTIONS => {
                    connections.spawn(serve_connection(stream, peer.ip().to_canonical(), control.clone(), cloud.clone()));
                }
                Ok(_) => {}
                // Out of file descriptors, most likely: the end of a connection will help.
                Err(_) if !connections.is_empty() => drop(connections.join_next().await),
                Err(_) => tokio::task::yield_now().await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    connections.shutdown().await;
    cloud.stop().await;
}

async fn serve_connection(stream: TcpStream, peer: IpAddr, control: Control, cloud: Cloud) {
    // Small answers must not wait for each other; a socket that cannot be told so still works.
    let _ = stream.set_nodelay(true);
    let (socket, reset) = Socket::new(stream);
    let service = service_fn(|request| answer(request, peer, &control, &cloud, &reset));
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .serve_connection(TokioIo::new(socket), service);
    // Connections end in errors by design here, and the client sees what it needs to see.
    let _ = connection.await;
}

/// An error ends the connection without an answer.
async fn answer(
    request: http::Request<Incoming>,
    peer: IpAddr,
    control: &Control,
    cloud: &Cloud,
    reset: &ResetSwitch,
) -> Answered {
    let (head, mut incoming) = request.into_parts();
    // Files are not collected: the storage takes them as they come.
    let path = one_slash(head.uri.path());
    let is_file = Storage::is_asked(&path);
    let whole = async {
        if is_file {
            return Ok(Bytes::new());
        }
        Limited::new(&mut incoming, BODY_BYTES).collect().await.map(Collected::to_bytes)
    };
    let body = match whole.await {
        Ok(body) => body,
        Err(error) if error.is::<LengthLimitError>() => {
            let text = format!("a request body may have {BODY_BYTES} bytes at most");
            return Ok(response(Reply::own_error(StatusCode::PAYLOAD_TOO_LARGE, &text)));
        }
        Err(error) => return Err(io::Error::other(error)),
    };
    let request = Request {
        method: head.method,
        path,
        query: head.uri.query().unwrap_or_default().to_owned(),
        headers: head.headers,
        body,
        peer,
    };
    if push::is_asked(&request) {
        return Ok(response(push::answer(&request).await));
    }
    let Outcome { delay, delivery, errand } = control.with(|machine, wall| machine.handle(wall, &request));
    let (delivery, file) = match errand {
        Some(errand) if is_file => {
            let body = Arrival::of(&request.headers, incoming);
            let handed = cloud.storage().answer(&request, body, errand.now).await?;
            (delivery.of(handed.reply), handed.file)
        }
        Some(errand) => (delivery.of(cloud.reply(errand).await), None),
        None => {
            // A client that is still sending would not read its answer.
            Arrival::of(&request.headers, incoming).discard().await?;
            (delivery, None)
        }
    };
    if !delay.is_zero() {
        // The one wait for time in this crate: being slow is what was asked for.
        tokio::time::sleep(delay).await;
    }
    match (delivery, file) {
        (Delivery::Whole(reply), None) => Ok(response(reply)),
        (Delivery::Whole(reply), Some(file)) => Ok(with_head(reply.status, reply.headers, file.boxed())),
        (Delivery::Cut(reply), None) => Ok(cut_response(reply)),
        (Delivery::Cut(reply), Some(file)) => Ok(with_head(reply.status, reply.headers, file.half().boxed())),
        (Delivery::Reset, _) => {
            reset.pull();
            Err(io::Error::from(io::ErrorKind::ConnectionReset))
        }
    }
}

/// A path that begins with one slash. What follows is the machine's to collapse, or is the name of a file.
fn one_slash(path: &str) -> String {
    format!("/{}", path.trim_start_matches('/'))
}

fn response(reply: Reply) -> http::Response<BoxBody<Bytes, io::Error>> {
    let body = Full::new(reply.body).map_err(|never: Infallible| match never {}).boxed();
    with_head(reply.status, reply.headers, body)
}

fn cut_response(reply: Reply) -> http::Response<BoxBody<Bytes, io::Error>> {
    with_head(reply.status, reply.headers, CutBody::half_of(reply.body).boxed())
}

fn with_head(
    status: StatusCode,
    headers: http::HeaderMap,
    body: BoxBody<Bytes, io::Error>,
) -> http::Response<BoxBody<Bytes, io::Error>> {
    let mut response = http::Response::new(body);
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}
