//! What is stored, in a file: every change is there before it is answered.
//!
//! The file is one SQLite database in the cloud's folder. It holds documents as canonical Extended JSON, and is read as a
//! whole at the start; searches never touch it. One emulator at a time has it open. Deliberately absent: a promise
//! about power failures (the file survives the end of the process at any moment, and that is enough here).

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use rusqlite::{Connection, params};

use super::collection::{Change, Collection};
use super::ejson;
use super::environment::Environment;
use super::index::IndexPlan;
use super::value::{Document, Value};

/// The open file.
#[derive(Debug)]
pub(crate) struct Journal {
    connection: Connection,
}

/// What there is at the start.
pub(crate) type Environments = BTreeMap<String, Environment>;

const NAME: &str = "database.sqlite";
/// Another number is another layout, which is not read.
const LAYOUT: i64 = 1;

impl Journal {
    /// Opens the file in a folder, or makes it, and reads what is in it.
    ///
    /// # Errors
    /// Another emulator has it open, it is none of ours, or cannot be read.
    pub(crate) fn open(folder: &Path) -> io::Result<(Journal, Environments)> {
        std::fs::create_dir_all(folder)?;
        let file = folder.join(NAME);
        let (journal, environments) = Journal::read(&file).map_err(|error| {
            let next = match error.sqlite_error_code() {
                Some(rusqlite::ErrorCode::DatabaseBusy) => {
                    "another emulator uses this folder: choose another one"
                }
                _ => "choose another folder, or remove the file to begin without documents",
            };
            io::Error::other(format!("{}: {error}; {next}", file.display()))
        })?;
        Ok((journal, environments))
    }

    fn read(file: &Path) -> rusqlite::Result<(Journal, Environments)> {
        let connection = Connection::open(file)?;
        // Whoever else has it open keeps it: there is nothing to wait for.
        connection.busy_timeout(std::time::Duration::ZERO)?;
        connection.execute_batch(
            "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;",
        )?;
        let layout: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        if layout == 0 {
            connection.execute_batch(&format!(
                "BEGIN;
                 CREATE TABLE collections (env TEXT, name TEXT, indexes TEXT, PRIMARY KEY (env, name)) WITHOUT ROWID;
                 CREATE TABLE documents (env TEXT, collection TEXT, place INTEGER, body TEXT,
                                         PRIMARY KEY (env, collection, place)) WITHOUT ROWID;
                 PRAGMA user_version = {LAYOUT};
                 COMMIT;"
            ))?;
        } else if layout != LAYOUT {
            let text = format!("it was written by another version of the emulator (layout {layout})");
            return Err(unreadable(text));
        }
        let environments = load(&connection)?;
        Ok((Journal { connection }, environments))
    }

    /// Writes a collection down, with its indexes.
    pub(crate) fn collection(&self, env: &str, name: &str, indexes: &[IndexPlan]) -> rusqlite::Result<()> {
        let indexes = serde_json::to_string(indexes).map_err(|error| unreadable(error.to_string()))?;
        let statement = "INSERT OR REPLACE INTO collections VALUES (?1, ?2, ?3)";
        self.connection.execute(statement, params![env, name, indexes])?;
        Ok(())
    }

    /// Strikes a collection out, with its documents.
    pub(crate) fn drop_collection(&mut self, env: &str, name: &str) -> rusqlite::Result<()> {
        let all = self.connection.transaction()?;
        all.execute("DELETE FROM documents WHERE env = ?1 AND collection = ?2", params![env, name])?;
        all.execute("DELETE FROM collections WHERE env = ?1 AND name = ?2", params![env, name])?;
        all.commit()
    }

    /// Writes changes down, collection by collection: all of them, or none.
    pub(crate) fn documents(&mut self, env: &str, changed: &[(String, Vec<Change>)]) -> rusqlite::Result<()> {
        if changed.iter().all(|(_, changes)| changes.is_empty()) {
            return Ok(());
        }
        let all = self.connection.transaction()?;
        {
            let mut put = all.prepare_cached("INSERT OR REPLACE INTO documents VALUES (?1, ?2, ?3, ?4)")?;
            let mut remove = all
                .prepare_cached("DELETE FROM documents WHERE env = ?1 AND collection = ?2 AND place = ?3")?;
            let changes = changed.iter().flat_map(|(name, changes)| changes.iter().map(move |it| (name, it)));
            for (collection, change) in changes {
                match change {
                    Change::Put(place, document) => {
                        let body = ejson::canonical(&Value::Object(document.clone())).to_string();
                        put.execute(params![env, collection, place.cast_signed(), body])?
                    }
                    Change::Remove(place) => remove.execute(params![env, collection, place.cast_signed()])?,
                };
            }
        }
        all.commit()
    }
}

fn load(connection: &Connection) -> rusqlite::Result<Environments> {
    let mut environments = Environments::new();
    let mut statement = connection.prepare("SELECT env, name, indexes FROM collections")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (env, name, indexes): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let indexes = serde_json::from_str(&indexes).map_err(|error| unreadable(error.to_string()))?;
        let collection = read_collection(connection, &env, &name, indexes)?;
        environments.entry(env).or_default().restore(name, collection);
    }
    Ok(environments)
}

fn read_collection(
    connection: &Connection,
    env: &str,
    name: &str,
    indexes: Vec<IndexPlan>,
) -> rusqlite::Result<Collection> {
    let mut collection = Collection::default();
    let mut statement =
        connection.prepare_cached("SELECT place, body FROM documents WHERE env = ?1 AND collection = ?2")?;
    let mut rows = statement.query(params![env, name])?;
    let mut changes = Vec::new();
    while let Some(row) = rows.next()? {
        let (place, body): (i64, String) = (row.get(0)?, row.get(1)?);
        changes.push(Change::Put(place.cast_unsigned(), document(&body)?));
    }
    collection.apply(changes);
    for index in indexes {
        // Documents are worth more than an index that they contradict.
        if let Ok(indexes) = collection.reindexed(&[], vec![index]) {
            collection.set_indexes(indexes);
        }
    }
    Ok(collection)
}

fn document(body: &str) -> rusqlite::Result<Document> {
    // Documents are read as deeply as they were written.
    let mut reader = serde_json::Deserializer::from_str(body);
    reader.disable_recursion_limit();
    let json = serde::Deserialize::deserialize(&mut reader).map_err(|error| unreadable(error.to_string()))?;
    match ejson::read(&json) {
        Value::Object(document) => Ok(document),
        _ => Err(unreadable("a document is none".to_owned())),
    }
}

fn unreadable(text: String) -> rusqlite::Error {
    rusqlite::Error::FromSqlConversionFailure(0, rusqlite::types::Type::Text, text.into())
}
