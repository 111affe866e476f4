//! Files of the cloud in one call: `PUT`, `GET`, `DELETE /v1/cloud/{credential}/{env}/files/{path}`.
//!
//! What comes in goes out as it comes, in constant memory. The token goes to the platform alone, which answers with an
//! address and a signature for the storage; see `gateway/storage`. Deliberately absent: lists, which the platform's
//! HTTP API does not have.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Collected, Either, Limited};
use hyper::body::{Body as _, Incoming};
use percent_encoding::percent_decode_str;
use serde_json::json;
use tokenward_api::{ErrorCode, PlatformError, Problem};
use tokenward_cloud::wire::{
    BatchDeleteFile, BatchDeleteFileAnswer, BatchDownloadFile, BatchDownloadFileAnswer, Call, FileToDownload,
    Form, UploadFile, UploadFileAnswer, check_path, storage_refusal,
};
use tokenward_cloud::{CloudError, Kind};

use super::Api;
use super::answer::{Body, Refusal, json as answer_json, whole};
use super::cloud::{admit, failed, malformed, read};
use super::door::Activity;
use crate::clients::Caller;
use crate::clock;
use crate::feed::Entry;
use crate::gateway::{self, CallBody, Copy, Framed, Parcel, Relay, Rules, Target};

/// Which file is meant.
struct File<'a> {
    credential: &'a str,
    env: String,
    path: String,
}

/// What stands before the path in the ids of files: the platform alone knows the whole of it, and says it when an
/// upload is prepared. It never changes for an environment.
#[derive(Debug, Default)]
pub struct FileRoots {
    known: Mutex<HashMap<(String, String), String>>,
}

/// How a download is wished.
struct Wishes {
    stream: bool,
    max_age: u32,
}

const START: &str = "/v1/cloud/";
/// More environments than anybody has; then everything is asked for again.
const MOST_ROOTS: usize = 1024;
/// How long an address is good for, in seconds, unless something else is asked for.
const MAX_AGE: u32 = 7200;
/// How much of a refusal of the storage is read.
const LARGEST_REFUSAL: usize = 64 * 1024;
/// What the storage may ask, and what a client may learn.
const ASKED: [HeaderName; 5] =
    [header::RANGE, header::IF_RANGE, header::IF_NONE_MATCH, header::IF_MODIFIED_SINCE, header::ACCEPT];
const TOLD: [HeaderName; 6] = [
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::CONTENT_RANGE,
    header::ACCEPT_RANGES,
    header::ETAG,
    header::LAST_MODIFIED,
];

/// Whether a path is that of a file.
pub fn is_file(path: &str) -> bool {
    split(path).is_some()
}

/// The credential, the environment and the path, as they stand in the URL.
fn split(path: &str) -> Option<(&str, &str, &str)> {
    let mut parts = path.strip_prefix(START)?.splitn(4, '/');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(credential), Some(env), Some("files"), Some(file)) => Some((credential, env, file)),
        _ => None,
    }
}

/// Does what is asked with a file.
///
/// # Errors
/// There is none, it may not be done, or the platform or its storage refuses.
pub async fn answer(
    api: &Arc<Api>,
    caller: &Caller,
    request: Request<Incoming>,
    activity: &Arc<Activity>,
) -> Result<Response<Body>, Refusal> {
    let (parts, body) = request.into_parts();
    let (credential, env, path) = split(parts.uri.path()).unwrap_or_default();
    let entry = admit(api, caller, credential)?;
    let file = File { credential, env: decoded(env)?, path: decoded(path)? };
    // What could mean something else to another reader is no path; neither is what the platform would refuse.
    Target::parse(path).map_err(|bad| malformed(bad.to_string()))?;
    check_path(&file.path).map_err(|bad| malformed(bad.to_string()))?;
    match parts.method {
        Method::PUT => put(api, caller, entry, &file, &parts.headers, body).await,
        Method::GET => {
            let wishes = Wishes::parse(parts.uri.query())?;
            get(api, caller, entry, &file, &wishes, &parts.headers, activity).await
        }
        Method::DELETE => delete(api, caller, entry, &file).await,
        _ => Err(ErrorCode::MethodNotAllowed.problem("a file takes PUT, GET and DELETE").into()),
    }
}

fn decoded(text: &str) -> Result<String, Refusal> {
    let text = percent_decode_str(text).decode_utf8();
    Ok(text.map_err(|_| malformed("the path is not UTF-8"))?.into_owned())
}

impl Wishes {
    fn parse(query: Option<&str>) -> Result<Wishes, Refusal> {
        let mut wishes = Wishes { stream: false, max_age: MAX_AGE };
        for pair in query.unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
            match pair.split_once('=').unwrap_or((pair, "")) {
                ("stream", "true") => wishes.stream = true,
                ("stream", "false") => wishes.stream = false,
                ("max_age", seconds) => {
                    let seconds = seconds.parse().ok().filter(|seconds| *seconds > 0);
                    wishes.max_age =
                        seconds.ok_or_else(|| malformed("`max_age` is not a number of seconds"))?;
                }
                (name, _) => {
                    let known = "the query of a file has `stream=true` and `max_age`";
                    return Err(malformed(format!("{known}, not {name:?} like this")));
                }
            }
        }
        Ok(wishes)
    }
}

/// Makes one of the platform's calls.
async fn ask<C: Call>(
    api: &Api,
    caller: &Caller,
    rules: Rules,
    entry: &Arc<Entry>,
    call: &C,
) -> Result<C::Answer, Refusal> {
    let body = serde_json::to_vec(call).unwrap_or_default();
    let path = C::PATH.trim_start_matches('/');
    let said = gateway::ask(api, caller, rules, entry, path, body.into()).await?;
    read(&said).map_err(|error| failed(api, entry, said.status, error))
}

async fn put(
    api: &Arc<Api>,
    caller: &Caller,
    entry: &Arc<Entry>,
    file: &File<'_>,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Response<Body>, Refusal> {
    let route = api.gateway.route(entry)?;
    let length = body.size_hint().exact().filter(|_| headers.contains_key(header::CONTENT_LENGTH));
    let length = length.ok_or_else(|| ErrorCode::LengthRequired.problem("there is no `Content-Length`"))?;
    gateway::check_length(headers, route).map_err(|mut problem| {
        let next =
            "Upload a smaller file, or set `max_body` in [credentials.NAME.gateway], the largest file.";
        next.clone_into(&mut problem.next_step);
        problem
    })?;
    let permit = prepare(api, caller, Rules::Both, entry, file).await?;
    let boundary = format!("tokenward-{:016x}{:016x}", clock::entropy(), clock::entropy());
    let form = Form::new(&permit, &file.path, &boundary)
        .map_err(|bad| ErrorCode::CallBroken.problem(bad.to_string()))?;
    let mut outgoing = HeaderMap::new();
    outgoing.insert(header::CONTENT_LENGTH, HeaderValue::from(form.len(length)));
    outgoing.extend(HeaderValue::try_from(&form.content_type).map(|kind| (header::CONTENT_TYPE, kind)));
    let copy = Copy::of_at_most(0, length);
    let framed =
        Framed { before: form.before.into(), body, after: form.after.into(), copy: Arc::clone(&copy) };
    let body = CallBody::Framed(Box::new(framed));
    let parcel = Parcel { method: Method::POST, headers: outgoing, body, copy: Arc::clone(&copy) };
    let response = gateway::to_storage(api, entry, &permit.url, parcel).await?;
    match response.status() {
        StatusCode::OK | StatusCode::NO_CONTENT => {
            check_stored(response, copy.is_taken(length)).await?;
            Ok(answer_json(StatusCode::OK, &json!({ "file_id": permit.file_id, "size": length })))
        }
        _ => Err(refused(api, entry, response).await),
    }
}

/// The storage says nothing when it has stored a file. What says something is not the storage, and what answers before it
/// has the whole file cannot have stored it.
async fn check_stored(response: Response<Relay>, whole: bool) -> Result<(), Refusal> {
    let broken = |why: &str| {
        let mut problem = ErrorCode::CallBroken.problem(why);
        problem.next_step = "Upload the file again: that does no harm.".to_owned();
        Err(problem.into())
    };
    if !whole {
        return broken("the storage answered before it had the whole file");
    }
    let read = Limited::new(response.into_body(), LARGEST_REFUSAL).collect();
    let read = tokio::time::timeout(super::listen::BODY_TIMEOUT, read).await;
    match read.map(|read| read.map(Collected::to_bytes)) {
        Ok(Ok(bytes)) if bytes.is_empty() => Ok(()),
        _ => broken("what answered the upload does not answer as the storage does"),
    }
}

async fn get(
    api: &Arc<Api>,
    caller: &Caller,
    entry: &Arc<Entry>,
    file: &File<'_>,
    wishes: &Wishes,
    headers: &HeaderMap,
    activity: &Arc<Activity>,
) -> Result<Response<Body>, Refusal> {
    gateway::may_ask(api, caller, entry, BatchDownloadFile::PATH.trim_start_matches('/'))?;
    let fileid = file_id(api, caller, entry, file).await?;
    let wanted = FileToDownload { fileid: fileid.clone(), max_age: wishes.max_age };
    let request = BatchDownloadFile { env: file.env.clone(), file_list: vec![wanted] };
    let BatchDownloadFileAnswer { file_list } = ask(api, caller, Rules::Both, entry, &request).await?;
    let found = file_list.into_iter().find(|found| found.fileid == fileid).ok_or_else(nothing_said)?;
    if found.status != 0 {
        return Err(unavailable(api, entry, file, found.status, found.errmsg));
    }
    if found.download_url.is_empty() {
        return Err(nothing_said().into());
    }
    if !wishes.stream {
        return redirect(&gateway::storage_url(api, entry, &found.download_url)?);
    }
    let asked = ASKED.iter().filter_map(|name| Some((name.clone(), headers.get(name)?.clone())));
    let copy = Copy::of_nothing();
    let body = CallBody::whole(Bytes::new());
    let parcel = Parcel { method: Method::GET, headers: asked.collect(), body, copy };
    let response = gateway::to_storage(api, entry, &found.download_url, parcel).await?;
    match response.status() {
        StatusCode::OK
        | StatusCode::PARTIAL_CONTENT
        | StatusCode::NOT_MODIFIED
        | StatusCode::RANGE_NOT_SATISFIABLE => Ok(streamed(response, activity)),
        StatusCode::NOT_FOUND => Err(missing(api, entry, file, 404, "the storage has no such file").into()),
        _ => Err(refused(api, entry, response).await),
    }
}

/// The address is good for whoever knows it: nobody else is to keep it.
fn redirect(url: &str) -> Result<Response<Body>, Refusal> {
    let location = HeaderValue::try_from(url)
        .map_err(|_| ErrorCode::CallBroken.problem("the platform's address for the file is no URL"))?;
    let mut response = Response::new(whole(Bytes::new()));
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(header::LOCATION, location);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// A file is what strangers uploaded: no browser is to run it as a page of Tokenward's own.
fn streamed(response: Response<Relay>, activity: &Arc<Activity>) -> Response<Body> {
    let (parts, mut body) = response.into_parts();
    body.note_in(Arc::clone(activity));
    let mut response = Response::new(Either::Right(Either::Right(body)));
    *response.status_mut() = parts.status;
    let headers = response.headers_mut();
    for name in TOLD {
        headers.extend(parts.headers.get(&name).map(|value| (name, value.clone())));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox; default-src 'none'"));
    response
}

async fn delete(
    api: &Arc<Api>,
    caller: &Caller,
    entry: &Arc<Entry>,
    file: &File<'_>,
) -> Result<Response<Body>, Refusal> {
    gateway::may_ask(api, caller, entry, BatchDeleteFile::PATH.trim_start_matches('/'))?;
    let fileid = file_id(api, caller, entry, file).await?;
    let request = BatchDeleteFile { env: file.env.clone(), fileid_list: vec![fileid.clone()] };
    let BatchDeleteFileAnswer { delete_list } = ask(api, caller, Rules::Both, entry, &request).await?;
    let gone = delete_list.into_iter().find(|gone| gone.fileid == fileid).ok_or_else(nothing_said)?;
    if gone.status != 0 {
        return Err(unavailable(api, entry, file, gone.status, gone.errmsg));
    }
    let mut response = Response::new(whole(Bytes::new()));
    *response.status_mut() = StatusCode::NO_CONTENT;
    Ok(response)
}

/// Asks the platform where a file goes, and keeps how the ids of files begin. It has no effect.
async fn prepare(
    api: &Api,
    caller: &Caller,
    rules: Rules,
    entry: &Arc<Entry>,
    file: &File<'_>,
) -> Result<UploadFileAnswer, Refusal> {
    let wish = UploadFile { env: file.env.clone(), path: file.path.clone() };
    let permit: UploadFileAnswer = ask(api, caller, rules, entry, &wish).await?;
    api.file_roots.learn(file, &permit.file_id);
    Ok(permit)
}

/// The id of a file. To learn it is our own concern: the caller needs no right to upload.
async fn file_id(
    api: &Arc<Api>,
    caller: &Caller,
    entry: &Arc<Entry>,
    file: &File<'_>,
) -> Result<String, Refusal> {
    if let Some(root) = api.file_roots.of(file) {
        return Ok(root + &file.path);
    }
    Ok(prepare(api, caller, Rules::OfCredential, entry, file).await?.file_id)
}

/// The platform answers a call about a file without a word about the file.
fn nothing_said() -> Box<Problem> {
    ErrorCode::CallBroken.problem("the platform's answer says nothing about the file")
}

/// What the platform says of a single file is a refusal like any other where its code is known. Its other codes, of which
/// it uses several, mean that the file is not there.
fn unavailable(api: &Api, entry: &Entry, file: &File<'_>, status: i64, message: String) -> Refusal {
    let error = CloudError::new(status, message);
    match error.kind() {
        Kind::Missing | Kind::Other => missing(api, entry, file, status, &error.message).into(),
        _ => failed(api, entry, StatusCode::OK, error.into()),
    }
}

/// There is no such file.
fn missing(api: &Api, entry: &Entry, file: &File<'_>, status: i64, message: &str) -> Box<Problem> {
    let mut problem = ErrorCode::NoSuchFile.problem(format!("there is no file {:?}", file.path));
    let message = gateway::without_secrets(api, entry, message).unwrap_or_default();
    problem.platform = Some(PlatformError::new(&status.to_string(), &message));
    problem
}

/// The storage's refusal, which is XML.
async fn refused(api: &Api, entry: &Entry, response: Response<Relay>) -> Refusal {
    let status = response.status();
    let read = Limited::new(response.into_body(), LARGEST_REFUSAL).collect();
    let read = tokio::time::timeout(super::listen::BODY_TIMEOUT, read).await;
    let said = read.ok().and_then(Result::ok).map(|read| read.to_bytes()).unwrap_or_default();
    let (code, message) = storage_refusal(&String::from_utf8_lossy(&said));
    let message = gateway::without_secrets(api, entry, &message).unwrap_or_default();
    let detail = format!("the storage answers HTTP {}: {code} {message}", status.as_u16());
    let mut problem = ErrorCode::StorageRefused.problem(detail.trim_end());
    problem.platform = Some(PlatformError { errcode: code.into(), errmsg: message });
    problem.into()
}

impl FileRoots {
    fn of(&self, file: &File<'_>) -> Option<String> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.get(&file.home()).cloned()
    }

    fn learn(&self, file: &File<'_>, file_id: &str) {
        let Some(root) = file_id.strip_suffix(file.path.as_str()).filter(|root| root.ends_with('/')) else {
            return;
        };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST_ROOTS {
            known.clear();
        }
        known.insert(file.home(), root.to_owned());
    }
}

impl File<'_> {
    fn home(&self) -> (String, String) {
        (self.credential.to_owned(), self.env.clone())
    }
}
