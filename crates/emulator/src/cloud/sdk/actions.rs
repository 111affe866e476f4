//! The actions, and the shapes of their answers.

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value as Json, json};

use super::{Acted, SdkFailure, Transactions, statement};
use crate::cloud::collection::Change;
use crate::cloud::environment::{Answered, Around, Environment, texts};
use crate::cloud::errand::Errand;
use crate::cloud::functions::Source;
use crate::cloud::storage::{Place, Ticket};
use crate::cloud::value::{Document, Value};
use crate::cloud::{Cloud, CloudFailure, Stored, at_environment, ejson, lock};
use crate::moment::Moment;

/// How long a link lasts unless the SDK says otherwise, in seconds. Not documented.
const LINK_LIFE: u64 = 7_200;
/// The largest result, in bytes. Not documented.
const LARGEST_RESULT: usize = 6 * 1024 * 1024;
/// The most files that one action may name.
const MOST_FILES: usize = 50;

impl Cloud {
    pub(super) async fn act_on_database(&self, env: String, verb: String, body: Json, now: Moment) -> Acted {
        let cloud = self.clone();
        let work = move || {
            let mut stored = lock(&cloud.shared.stored);
            let mut chance = lock(&cloud.shared.chance);
            let Stored { environments, transactions, journal } = &mut *stored;
            let mut around = Around {
                env: &env,
                now: now.unix_millis(),
                chance: &mut chance,
                journal: journal.as_mut(),
                largest_result: LARGEST_RESULT,
            };
            at_environment(environments, &env, |environment| {
                perform(&verb, &body, environment, transactions, &mut around)
            })
        };
        let failed = |_| Err(CloudFailure::system_error().into());
        tokio::task::spawn_blocking(work).await.unwrap_or_else(failed)
    }

    /// A function calls another one. An event that is no object is none that a function could be given.
    pub(super) async fn act_on_function(&self, env: &str, body: &Json) -> Acted {
        let name = statement::text(body, "function_name")?;
        let event = match body.get("request_data").and_then(Json::as_str).unwrap_or_default() {
            "" => "{}",
            event => event,
        };
        let result = self.functions().invoke(env, name, event, Source::Function).await?;
        Ok(data(json!({ "response_data": result })))
    }

    pub(super) async fn act_on_files(&self, env: &str, verb: &str, body: &Json, errand: &Errand) -> Acted {
        match verb {
            "getUploadMetadata" => {
                let place = Place::new(env, statement::text(body, "path")?)?;
                let Ticket { url, file_id, permit } =
                    self.storage().ticket(&place, errand.host.as_deref(), errand.now);
                Ok(data(json!({
                    "url": url,
                    "token": permit.token,
                    "authorization": permit.authorization,
                    "fileId": file_id,
                    "cosFileId": permit.cos_file_id,
                })))
            }
            "batchGetDownloadUrl" => {
                let mut links = Vec::new();
                for file in files(body, "file_list")? {
                    let id = statement::text(file, "fileid")?;
                    let max_age = file.get("max_age").and_then(Json::as_u64).unwrap_or(LINK_LIFE);
                    let link = match own(env, id) {
                        Ok(place) => {
                            let link = self
                                .storage()
                                .link(&place, errand.host.as_deref(), errand.now, max_age)
                                .await?;
                            link.ok_or("STORAGE_FILE_NONEXIST")
                        }
                        Err(code) => Err(code),
                    };
                    let (code, link) =
                        link.map_or_else(|code| (code, String::new()), |link| ("SUCCESS", plain(&link)));
                    links.push(json!({ "code": code, "fileID": id, "tempFileURL": link }));
                }
                Ok(data(json!({ "download_list": links })))
            }
            "batchDeleteFile" => {
                let mut deleted = Vec::new();
                for file in files(body, "fileid_list")? {
                    let id = file.as_str().ok_or_else(|| SdkFailure::invalid("fileid_list has texts"))?;
                    let code = match own(env, id) {
                        Ok(place) if self.storage().remove(&place).await? => "SUCCESS",
                        Ok(_) => "STORAGE_FILE_NONEXIST",
                        Err(code) => code,
                    };
                    deleted.push(json!({ "code": code, "fileID": id }));
                }
                Ok(data(json!({ "delete_list": deleted })))
            }
            other => Err(SdkFailure::unknown(&format!("storage.{other}"))),
        }
    }
}

fn perform(
    verb: &str,
    body: &Json,
    environment: &mut Environment,
    transactions: &mut Transactions,
    around: &mut Around<'_>,
) -> Acted {
    let transaction = body.get("transactionId").and_then(Json::as_str);
    transactions.expire(around.now);
    match (verb, transaction) {
        ("addCollection", _) => {
            environment.add_collection(statement::text(body, "collectionName")?, around)?;
            Ok(Map::new())
        }
        ("startTransaction", _) => transactions.begin(around),
        ("commitTransaction", Some(id)) => transactions.commit(id, environment, around),
        ("abortTransaction", Some(id)) => transactions.abort(id),
        _ => {
            let mut perform = |verb: &str| {
                let request = statement::request(verb, body, around.now)?;
                match transaction {
                    Some(id) => transactions.perform(id, request, environment, around),
                    None => Ok(environment.perform(request, around)?),
                }
            };
            let (changes, answered) = perform(verb)?;
            if verb != "modifyAndReturnDoc" {
                return told(answered);
            }
            let unchanged = match perform("getDocument")? {
                (_, Answered::Found { found, .. }) if changes.is_empty() => found.documents,
                _ => Vec::new(),
            };
            Ok(returned(changes, unchanged))
        }
    }
}

/// What an action of the database answers.
fn told(answered: Answered) -> Acted {
    Ok(match answered {
        Answered::Found { found, skip, limit } => {
            let list = texts(found.documents, ejson::canonical, LARGEST_RESULT)?;
            let mut fields = data(json!({ "list": list, "offset": skip, "limit": limit }));
            fields.extend([
                ("total".into(), json!(found.total)),
                ("limit".into(), json!(limit)),
                ("offset".into(), json!(skip)),
            ]);
            fields
        }
        Answered::Counted(total) => data(json!({ "total": total })),
        Answered::Added(ids) => {
            data(json!({ "insertedIds": ids.iter().map(ejson::plain).collect::<Vec<Json>>() }))
        }
        Answered::Updated(done) => data(json!({ "updated": done.modified, "upsert_id": null })),
        Answered::Replaced(is_changed) => data(json!({ "updated": u8::from(is_changed), "upsert_id": null })),
        Answered::Created(id) => data(json!({ "updated": 0, "upsert_id": ejson::plain(&id) })),
        Answered::Removed(deleted) => data(json!({ "deleted": deleted })),
        Answered::Output(documents) => {
            data(json!({ "list": texts(documents, ejson::canonical, LARGEST_RESULT)? }))
        }
    })
}

/// The document that was changed, or the one that matches and is as it should be already.
fn returned(changes: Vec<Change>, unchanged: Vec<Document>) -> Map<String, Json> {
    let documents: Vec<Document> = changes
        .into_iter()
        .filter_map(|change| match change {
            Change::Put(_, document) => Some(document),
            Change::Remove(_) => None,
        })
        .collect();
    let updated = documents.len();
    let doc = documents
        .into_iter()
        .chain(unchanged)
        .next()
        .map(|it| ejson::canonical(&Value::Object(it)).to_string());
    data(json!({ "updated": updated, "doc": doc }))
}

fn data(data: Json) -> Map<String, Json> {
    Map::from_iter([("data".into(), data)])
}

fn files<'b>(body: &'b Json, name: &str) -> Result<&'b Vec<Json>, SdkFailure> {
    let files = body.get(name).and_then(Json::as_array).filter(|files| files.len() <= MOST_FILES);
    files.ok_or_else(|| SdkFailure::invalid(format!("{name} is a list of {MOST_FILES} files at most")))
}

/// A link whose path is not encoded: the SDKs do that themselves when they follow it.
fn plain(link: &str) -> String {
    let (path, signature) = link.split_once('?').unwrap_or((link, ""));
    format!("{}?{signature}", percent_decode_str(path).decode_utf8_lossy())
}

/// The place that an id names, in this environment.
fn own(env: &str, id: &str) -> Result<Place, &'static str> {
    let place = Place::of_id(id).ok_or("STORAGE_FILE_NONEXIST")?;
    if place.env() == env { Ok(place) } else { Err("STORAGE_EXCEED_AUTHORITY") }
}
