//! Import and export: documents from and to files of cloud storage, as jobs that are asked about.
//!
//! A record that cannot be taken in is counted, and stops the job only if the call says so; records before it stay.
//! Deliberately absent: jobs that outlive the emulator.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};
use tokio::task::JoinSet;

use super::environment::text;
use super::errand::Errand;
use super::records::{self, Form};
use super::request::{Find, Request, Verb};
use super::storage::Place;
use super::value::Document;
use super::{Cloud, CloudFailure, Done, fields, lock, script};
use crate::moment::Moment;

/// The jobs so far, by number.
#[derive(Debug, Default)]
pub(crate) struct Jobs {
    all: BTreeMap<u64, Job>,
    made: u64,
    tasks: JoinSet<()>,
    is_stopping: bool,
}

/// One job.
#[derive(Clone, Debug)]
struct Job {
    env: String,
    status: &'static str,
    success: u64,
    failed: u64,
    message: String,
    /// Where the export lies.
    file: Option<Place>,
}

/// What an import does about a document whose id is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Conflict {
    Refuse,
    Replace,
}

/// What an import has to do.
struct Import {
    env: String,
    collection: String,
    place: Place,
    form: Form,
    conflict: Conflict,
    stops: bool,
}

/// Jobs that are remembered.
const MOST: usize = 1_000;
/// The first number.
const FIRST: u64 = 100_000_001;
/// Records that are taken in before the job's numbers change.
const AT_ONCE: usize = 100;
/// How long the link to an export lasts, in seconds. Not documented.
const LINK_LIFE: u64 = 7_200;

impl Jobs {
    fn begin(&mut self, env: &str) -> u64 {
        while self.tasks.try_join_next().is_some() {}
        let number = FIRST + self.made;
        self.made += 1;
        if self.all.len() >= MOST {
            self.all.pop_first();
        }
        let job = Job {
            env: env.to_owned(),
            status: "waiting",
            success: 0,
            failed: 0,
            message: String::new(),
            file: None,
        };
        self.all.insert(number, job);
        number
    }

    fn change(&mut self, number: u64, change: impl FnOnce(&mut Job)) {
        if let Some(job) = self.all.get_mut(&number) {
            change(job);
        }
    }
}

impl Cloud {
    /// `/tcb/databasemigrateimport`
    pub(super) async fn import(&self, errand: Errand) -> Done {
        let body = fields(&errand.body)?;
        let env = self.existing(text(&body, "env")?)?.to_owned();
        let import = Import {
            collection: text(&body, "collection_name")?.to_owned(),
            place: Place::new(&env, text(&body, "file_path")?)?,
            form: form(&body)?,
            conflict: match body.get("conflict_mode").and_then(Json::as_u64) {
                Some(1) | None => Conflict::Refuse,
                Some(2) => Conflict::Replace,
                Some(_) => return Err(CloudFailure::invalid("conflict_mode is 1 (INSERT) or 2 (UPSERT)")),
            },
            stops: body.get("stop_on_error").and_then(Json::as_bool).unwrap_or(false),
            env,
        };
        let file = self.storage().read(&import.place).await?;
        let file = file.ok_or_else(|| CloudFailure::new(-503_003, "storage file not exists"))?;
        let (cloud, now) = (self.clone(), errand.now);
        let begin = move || {
            if !lock(&cloud.shared.stored).has_collection(&import.env, &import.collection) {
                return Err(CloudFailure::no_such_collection());
            }
            let number = lock(&cloud.shared.jobs).begin(&import.env);
            Ok((number, import))
        };
        let failed = |_| Err(CloudFailure::system_error());
        let (number, import) = tokio::task::spawn_blocking(begin).await.unwrap_or_else(failed)?;
        let cloud = self.clone();
        lock(&self.shared.jobs).tasks.spawn(async move {
            let work = cloud.clone();
            let taken = tokio::task::spawn_blocking(move || work.take_in(number, &import, &file, now)).await;
            if taken.is_err() {
                lock(&cloud.shared.jobs).change(number, |job| job.status = "fail");
            }
        });
        Ok(json!({ "job_id": number }))
    }

    /// Ends the jobs, each after the record that it is at, and returns when they are over.
    pub(super) async fn stop_jobs(&self) {
        let mut tasks = {
            let mut jobs = lock(&self.shared.jobs);
            jobs.is_stopping = true;
            std::mem::take(&mut jobs.tasks)
        };
        while tasks.join_next().await.is_some() {}
    }

    fn take_in(&self, number: u64, import: &Import, file: &[u8], now: Moment) {
        let mut records = records::read(import.form, file).peekable();
        let mut trouble = None;
        while records.peek().is_some() && !lock(&self.shared.jobs).is_stopping {
            let (mut success, mut failed) = (0, 0);
            for record in records.by_ref().take(AT_ONCE) {
                match record.and_then(|record| self.take(import, record, now)) {
                    Ok(()) => success += 1,
                    Err(reason) => {
                        failed += 1;
                        trouble.get_or_insert(reason);
                        if import.stops {
                            break;
                        }
                    }
                }
            }
            let stops = import.stops && failed > 0;
            lock(&self.shared.jobs).change(number, |job| {
                job.success += success;
                job.failed += failed;
            });
            if stops {
                break;
            }
        }
        lock(&self.shared.jobs).change(number, |job| {
            let is_fine = !(import.stops && job.failed > 0);
            job.status = if is_fine { "success" } else { "fail" };
            job.message = trouble.unwrap_or_else(|| "导入完成.".to_owned());
        });
    }

    /// Takes one record in.
    fn take(&self, import: &Import, mut document: Document, now: Moment) -> Result<(), String> {
        let id = document.get("_id").cloned();
        let verb = match (import.conflict, id) {
            (Conflict::Replace, Some(id)) => {
                document.remove("_id");
                Verb::Set(id, document)
            }
            _ => Verb::Add(vec![document]),
        };
        let request = Request { collection: import.collection.clone(), verb };
        let done = self.with_environment(&import.env, now, |environment, around| {
            environment.perform(request, around).map(drop)
        });
        done.map_err(|failure| failure.text)
    }

    /// `/tcb/databasemigrateexport`
    pub(super) async fn export(&self, errand: Errand) -> Done {
        let body = fields(&errand.body)?;
        let env = self.existing(text(&body, "env")?)?.to_owned();
        let place = Place::new(&env, text(&body, "file_path")?)?;
        let form = form(&body)?;
        let request = script::evaluate(text(&body, "query")?, errand.now.unix_millis())?;
        let Verb::Get(find) = request.verb else {
            return Err(CloudFailure::invalid("an export needs a text that ends in get()"));
        };
        let columns = columns(form, &find)?;
        let number = lock(&self.shared.jobs).begin(&env);
        let (cloud, now) = (self.clone(), errand.now);
        lock(&self.shared.jobs).tasks.spawn(async move {
            let exported = cloud.give_out(&env, &request.collection, find, &columns, &place, now).await;
            lock(&cloud.shared.jobs).change(number, |job| match exported {
                Ok(written) => {
                    job.success = written;
                    job.status = "success";
                    job.message = "导出完成.".to_owned();
                    job.file = Some(place);
                }
                Err(failure) => {
                    job.status = "fail";
                    job.message = failure.text;
                }
            });
        });
        Ok(json!({ "job_id": number }))
    }

    /// Writes what matches into a file, and says how many documents that were.
    async fn give_out(
        &self,
        env: &str,
        collection: &str,
        find: Find,
        columns: &Option<Vec<String>>,
        place: &Place,
        now: Moment,
    ) -> Result<u64, CloudFailure> {
        let (cloud, env, collection, columns) =
            (self.clone(), env.to_owned(), collection.to_owned(), columns.clone());
        let work = move || {
            let documents = cloud.with_environment(&env, now, |environment, _| {
                let collection =
                    environment.collection(&collection).ok_or_else(CloudFailure::no_such_collection)?;
                Ok::<_, CloudFailure>(collection.find(&find, u64::MAX, u64::MAX)?.documents)
            })?;
            let written = documents.len() as u64;
            Ok((records::write(columns.as_deref(), documents)?, written))
        };
        let failed = |_| Err(CloudFailure::system_error());
        let (file, written) = tokio::task::spawn_blocking(work).await.unwrap_or_else(failed)?;
        self.storage().write(place, &file, now).await?;
        Ok(written)
    }

    /// `/tcb/databasemigratequeryinfo`
    pub(super) async fn job(&self, errand: Errand) -> Done {
        let body = fields(&errand.body)?;
        let env = self.existing(text(&body, "env")?)?;
        let number = body.get("job_id").and_then(Json::as_u64).ok_or_else(CloudFailure::data_format)?;
        let job = lock(&self.shared.jobs).all.get(&number).filter(|job| job.env == env).cloned();
        let job = job.ok_or_else(|| CloudFailure::invalid(format!("there is no job {number}")))?;
        let link = match &job.file {
            Some(place) => self.storage().link(place, errand.host.as_deref(), errand.now, LINK_LIFE).await?,
            None => None,
        };
        Ok(json!({
            "status": job.status,
            "record_success": job.success,
            "record_fail": job.failed,
            "error_msg": job.message,
            "file_url": link.unwrap_or_default(),
        }))
    }
}

fn form(body: &Json) -> Result<Form, CloudFailure> {
    match body.get("file_type").and_then(Json::as_u64) {
        Some(1) => Ok(Form::Lines),
        Some(2) => Ok(Form::Table),
        _ => Err(CloudFailure::invalid("file_type is 1 (JSON) or 2 (CSV)")),
    }
}

/// The columns of a table: those fields that the text asks for. Lines need none.
fn columns(form: Form, find: &Find) -> Result<Option<Vec<String>>, CloudFailure> {
    if form == Form::Lines {
        return Ok(None);
    }
    let fields = find.projection.as_ref().map(|projection| {
        let chosen = projection.iter().filter(|(_, value)| value.is_truthy());
        chosen.map(|(name, _)| name.to_owned()).collect::<Vec<String>>()
    });
    let fields = fields.filter(|fields| !fields.is_empty());
    fields.map(Some).ok_or_else(|| CloudFailure::invalid("CSV needs the fields: field({name: true})"))
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::Place;
    use crate::Moment;
    use crate::cloud::{Cloud, CloudCall, CloudSettings, Errand};

    fn now() -> Moment {
        Moment::from_unix_seconds(1_600_000_000)
    }

    async fn call(cloud: &Cloud, call: CloudCall, fields: Json) -> Json {
        let mut body = json!({ "env": "e" });
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let errand = Errand {
            call,
            app_id: String::new(),
            now: now(),
            query: String::new(),
            body: body.to_string().into(),
            host: None,
        };
        cloud.reply(errand).await.json().unwrap()
    }

    /// A cloud with the collection `c`, and this file as `in`.
    async fn with_file(file: &str) -> Cloud {
        let cloud = Cloud::start(&CloudSettings::default(), 1).unwrap();
        call(&cloud, CloudCall::CollectionAdd, json!({ "collection_name": "c" })).await;
        cloud.storage().write(&Place::new("e", "in").unwrap(), file.as_bytes(), now()).await.unwrap();
        cloud
    }

    async fn finished(cloud: &Cloud, begun: Json) -> Json {
        assert_eq!(begun["errcode"], 0, "{begun}");
        loop {
            let info = call(cloud, CloudCall::JobInfo, json!({ "job_id": begun["job_id"] })).await;
            if info["status"] != "waiting" {
                return info;
            }
            tokio::task::yield_now().await;
        }
    }

    async fn import(cloud: &Cloud, file_type: u8, conflict: u8, stops: bool) -> Json {
        let fields = json!({ "collection_name": "c", "file_path": "in", "file_type": file_type,
            "stop_on_error": stops, "conflict_mode": conflict });
        finished(cloud, call(cloud, CloudCall::Import, fields).await).await
    }

    async fn export(cloud: &Cloud, file_type: u8, query: &str) -> String {
        let fields = json!({ "file_path": "out", "file_type": file_type, "query": query });
        let info = finished(cloud, call(cloud, CloudCall::Export, fields).await).await;
        assert_eq!(info["status"], "success", "{info}");
        assert!(info["file_url"].as_str().unwrap().contains("/out?sign="), "{info}");
        let file = cloud.storage().read(&Place::new("e", "out").unwrap()).await.unwrap().unwrap();
        String::from_utf8(file.to_vec()).unwrap()
    }

    const LINES: &str =
        "{\"_id\":\"a\",\"n\":1}\n{\"_id\":\"b\",\"at\":{\"$date\":\"2018-08-31T17:30:00.882Z\"}}\n";

    #[tokio::test]
    async fn what_was_imported_is_exported_as_it_was() {
        let cloud = with_file(LINES).await;
        let info = import(&cloud, 1, 1, true).await;
        assert_eq!(
            (&info["status"], &info["record_success"], &info["record_fail"]),
            (&json!("success"), &json!(2), &json!(0))
        );
        assert_eq!(export(&cloud, 1, "db.collection('c').get()").await, LINES);
        assert_eq!(
            export(&cloud, 1, "db.collection('c').where({n:1}).limit(1).get()").await,
            "{\"_id\":\"a\",\"n\":1}\n"
        );
        assert_eq!(
            export(&cloud, 2, "db.collection('c').field({_id:true,n:true}).get()").await,
            "_id,n\na,1\nb,\n"
        );
    }

    #[tokio::test]
    async fn an_id_that_is_taken_is_refused_or_replaced() {
        let cloud = with_file(LINES).await;
        import(&cloud, 1, 1, true).await;
        let again = import(&cloud, 1, 1, false).await;
        assert_eq!((&again["status"], &again["record_fail"]), (&json!("success"), &json!(2)), "{again}");
        let stopped = import(&cloud, 1, 1, true).await;
        assert_eq!((&stopped["status"], &stopped["record_fail"]), (&json!("fail"), &json!(1)));
        assert!(stopped["error_msg"].as_str().unwrap().contains("E11000"), "{stopped}");
        let replaced = import(&cloud, 1, 2, true).await;
        assert_eq!((&replaced["status"], &replaced["record_success"]), (&json!("success"), &json!(2)));
    }

    #[tokio::test]
    async fn a_table_is_imported() {
        let cloud = with_file("_id,n,deep.x\na,1,yes\n").await;
        import(&cloud, 2, 1, true).await;
        let all = export(&cloud, 1, "db.collection('c').get()").await;
        assert_eq!(all, "{\"_id\":\"a\",\"n\":1,\"deep\":{\"x\":\"yes\"}}\n");
    }

    #[tokio::test]
    async fn what_cannot_begin_is_refused_at_once() {
        let cloud = with_file(LINES).await;
        let file = json!({ "collection_name": "c", "file_path": "none", "file_type": 1 });
        assert_eq!(call(&cloud, CloudCall::Import, file).await["errcode"], -503_003);
        let collection = json!({ "collection_name": "none", "file_path": "in", "file_type": 1 });
        assert_eq!(call(&cloud, CloudCall::Import, collection).await["errcode"], -502_005);
        let table = json!({ "file_path": "out", "file_type": 2, "query": "db.collection('c').get()" });
        assert_eq!(call(&cloud, CloudCall::Export, table).await["errcode"], -501_007);
        assert_eq!(call(&cloud, CloudCall::JobInfo, json!({ "job_id": 1 })).await["errcode"], -501_007);
    }
}
