//! The calls of the cloud API about files.

use serde_json::{Value as Json, json};

use super::place::Place;
use super::{Storage, Ticket};
use crate::cloud::environment::text;
use crate::cloud::{CloudFailure, Done, Errand};

/// The most files that one call may name.
const MOST: usize = 50;

impl Storage {
    /// `/tcb/uploadfile`
    pub(in crate::cloud) fn upload(&self, env: &str, body: &Json, errand: &Errand) -> Done {
        let place = Place::new(env, text(body, "path")?)?;
        let Ticket { url, file_id, permit } = self.ticket(&place, errand.host.as_deref(), errand.now);
        Ok(json!({
            "url": url,
            "token": permit.token,
            "authorization": permit.authorization,
            "file_id": file_id,
            "cos_file_id": permit.cos_file_id,
        }))
    }

    /// `/tcb/batchdownloadfile`
    pub(in crate::cloud) async fn download_links(&self, env: &str, body: &Json, errand: &Errand) -> Done {
        let mut links = Vec::new();
        for file in list(body, "file_list")? {
            let id = text(file, "fileid")?;
            let max_age = file.get("max_age").and_then(Json::as_u64).ok_or_else(CloudFailure::data_format)?;
            let link = match place_in(env, id) {
                Ok(place) => {
                    let link = self.link(&place, errand.host.as_deref(), errand.now, max_age).await?;
                    link.ok_or("storage file not exists")
                }
                Err(reason) => Err(reason),
            };
            links.push(match link {
                Ok(link) => json!({ "fileid": id, "download_url": link, "status": 0, "errmsg": "ok" }),
                Err(reason) => json!({ "fileid": id, "download_url": "", "status": 1, "errmsg": reason }),
            });
        }
        Ok(json!({ "file_list": links }))
    }

    /// `/tcb/batchdeletefile`
    pub(in crate::cloud) async fn delete_files(&self, env: &str, body: &Json) -> Done {
        let mut deleted = Vec::new();
        for id in list(body, "fileid_list")? {
            let id = id.as_str().ok_or_else(CloudFailure::data_format)?;
            let (status, errmsg) = match place_in(env, id) {
                Ok(place) if self.remove(&place).await? => (0, "ok"),
                Ok(_) => (1, "storage file not exists"),
                Err(reason) => (1, reason),
            };
            deleted.push(json!({ "fileid": id, "status": status, "errmsg": errmsg }));
        }
        Ok(json!({ "delete_list": deleted }))
    }
}

/// A list of files, neither empty nor too long.
fn list<'b>(body: &'b Json, name: &str) -> Result<&'b Vec<Json>, CloudFailure> {
    let list = body.get(name).and_then(Json::as_array).ok_or_else(CloudFailure::data_format)?;
    if (1..=MOST).contains(&list.len()) {
        return Ok(list);
    }
    Err(CloudFailure::invalid(format!(
        "invalid parameters, {name} has 1 to {MOST} files, not {}",
        list.len()
    )))
}

/// The place that an id names; another environment's files are none of this one's business.
fn place_in(env: &str, id: &str) -> Result<Place, &'static str> {
    let place = Place::of_id(id).ok_or("invalid fileid")?;
    if place.env() == env { Ok(place) } else { Err("storage permission denied") }
}
