//! The SQL store: SQLite in WAL mode with full durability, one writer connection, one commit a batch.
//!
//! The statements are plain enough for PostgreSQL too. After a failed commit the connection is thrown away
//! and made anew: what state a full disk or a lock left it in is not worth knowing.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use sqlx::AnyConnection;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::{Connection as _, Row as _};
use tokio::sync::Mutex;

use crate::delivery;
use crate::row::{self, COLUMNS};
use crate::{Applied, Delivery, Opened, PastToken, SeenMessage, Store, StoreError, Stored, Write};

/// A store in an SQL database.
pub struct Sql {
    path: PathBuf,
    connection: Mutex<State>,
    opened: Opened,
    /// Whether a run was begun, which is to be marked as ended.
    in_run: bool,
}

enum State {
    Open(AnyConnection),
    /// The last commit failed; the next one connects anew.
    Broken,
    Closed,
}

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

static STATEMENTS: LazyLock<Statements> = LazyLock::new(Statements::new);

/// How long a write waits for somebody else's lock.
const LOCK_WAIT: Duration = Duration::from_secs(2);

impl Sql {
    /// Opens the SQLite database at `path`, making or migrating it.
    ///
    /// # Errors
    /// It cannot be opened, or a newer version wrote it.
    pub async fn open(path: &Path) -> Result<Sql, StoreError> {
        Sql::connect(path, true).await
    }

    /// Opens it between two runs, without beginning one: for the next run it is as if nobody had been there.
    ///
    /// # Errors
    /// As for [`Sql::open`].
    pub async fn visit(path: &Path) -> Result<Sql, StoreError> {
        Sql::connect(path, false).await
    }

    async fn connect(path: &Path, in_run: bool) -> Result<Sql, StoreError> {
        sqlx::any::install_default_drivers();
        let mut connection = connect(path).await?;
        migrate(&mut connection).await?;
        let mut runs = Runs::read(&mut connection).await?;
        if in_run {
            runs.begin(&mut connection).await?;
        }
        let (path, connection) = (path.to_owned(), Mutex::new(State::Open(connection)));
        Ok(Sql { path, connection, opened: runs.opened()?, in_run })
    }

    /// Lets the database grow to so many pages only, until the connection is made anew: what a full disk
    /// looks like, for tests.
    ///
    /// # Errors
    /// The store is closed or fails.
    #[doc(hidden)]
    pub async fn limit_pages(&self, pages: u32) -> Result<(), StoreError> {
        let mut state = self.connection.lock().await;
        let State::Open(connection) = &mut *state else { return Err(StoreError::Closed) };
        let pragma = format!("PRAGMA max_page_count = {pages}");
        sqlx::query(sqlx::AssertSqlSafe(pragma)).execute(connection).await.map_err(sort)?;
        Ok(())
    }
}

async fn connect(path: &Path) -> Result<AnyConnection, StoreError> {
    let text =
        path.to_str().ok_or_else(|| StoreError::Failed("the path of the store is not UTF-8".to_owned()))?;
    let escaped = text.replace('%', "%25").replace('?', "%3f").replace('#', "%23");
    let url = format!("sqlite://{escaped}?mode=rwc");
    let mut connection = AnyConnection::connect(&url).await.map_err(sort)?;
    let lock_wait = format!("PRAGMA busy_timeout = {}", LOCK_WAIT.as_millis());
    for pragma in [lock_wait.as_str(), "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"] {
        sqlx::query(sqlx::AssertSqlSafe(pragma.to_owned())).execute(&mut connection).await.map_err(sort)?;
    }
    Ok(connection)
}

async fn migrate(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or(0);
    match MIGRATIONS.run(connection).await {
        Ok(()) => Ok(()),
        Err(MigrateError::VersionMissing(found)) if found > known => Err(StoreError::TooNew { found, known }),
        Err(MigrateError::Execute(error)) => Err(sort(error)),
        Err(error) => Err(StoreError::Failed(error.to_string())),
    }
}

/// How many runs there were, and the last that crashed; 0 for none.
struct Runs {
    epoch: i64,
    last_crash: i64,
}

impl Runs {
    async fn read(connection: &mut AnyConnection) -> Result<Runs, StoreError> {
        let query = sqlx::query("SELECT epoch, clean, last_crash FROM run WHERE id = 1");
        let row = query.fetch_one(connection).await.map_err(sort)?;
        let number = |column| row.try_get::<i64, _>(column).map_err(sort);
        let (epoch, clean, last_crash) = (number("epoch")?, number("clean")?, number("last_crash")?);
        Ok(Runs { epoch, last_crash: if clean == 0 { epoch } else { last_crash } })
    }

    async fn begin(&mut self, connection: &mut AnyConnection) -> Result<(), StoreError> {
        self.epoch += 1;
        let query = sqlx::query("UPDATE run SET epoch = $1, clean = 0, last_crash = $2 WHERE id = 1");
        query.bind(self.epoch).bind(self.last_crash).execute(connection).await.map_err(sort)?;
        Ok(())
    }

    fn opened(&self) -> Result<Opened, StoreError> {
        let run = |number: i64| {
            u32::try_from(number).map_err(|_| StoreError::Failed(format!("a run is numbered {number}")))
        };
        let last_crash = if self.last_crash == 0 { None } else { Some(run(self.last_crash)?) };
        Ok(Opened { epoch: run(self.epoch)?, last_crash })
    }
}

#[async_trait]
impl Store for Sql {
    fn opened(&self) -> Opened {
        self.opened
    }

    async fn load(&self, each: &mut (dyn FnMut(Stored) + Send)) -> Result<(), StoreError> {
        use futures_util::TryStreamExt as _;
        // A connection of its own, so that reading many rows never delays a commit.
        let mut connection = connect(&self.path).await?;
        let mut rows = sqlx::query("SELECT * FROM credential").fetch(&mut connection);
        while let Some(row) = rows.try_next().await.map_err(sort)? {
            each(row::read(&row)?);
        }
        Ok(())
    }

    async fn load_past_tokens(&self, each: &mut (dyn FnMut(PastToken) + Send)) -> Result<(), StoreError> {
        use futures_util::TryStreamExt as _;
        let mut connection = connect(&self.path).await?;
        let mut rows = sqlx::query("SELECT * FROM past_token").fetch(&mut connection);
        while let Some(row) = rows.try_next().await.map_err(sort)? {
            each(row::read_past_token(&row)?);
        }
        Ok(())
    }

    async fn load_deliveries(&self, each: &mut (dyn FnMut(Delivery) + Send)) -> Result<(), StoreError> {
        use futures_util::TryStreamExt as _;
        let mut connection = connect(&self.path).await?;
        let all = "SELECT id, callback, target, kind, format, received_at, failure, attempts, tried_since FROM delivery";
        let mut rows = sqlx::query(all).fetch(&mut connection);
        while let Some(row) = rows.try_next().await.map_err(sort)? {
            each(delivery::read(&row)?);
        }
        Ok(())
    }

    async fn message(&self, delivery: u64) -> Result<Option<Vec<u8>>, StoreError> {
        let mut connection = connect(&self.path).await?;
        let query = sqlx::query("SELECT message FROM delivery WHERE id = $1").bind(delivery.cast_signed());
        let row = query.fetch_optional(&mut connection).await.map_err(sort)?;
        row.map(|row| row.try_get("message").map_err(sort)).transpose()
    }

    async fn load_seen_messages(&self, each: &mut (dyn FnMut(SeenMessage) + Send)) -> Result<(), StoreError> {
        use futures_util::TryStreamExt as _;
        let mut connection = connect(&self.path).await?;
        let mut rows = sqlx::query("SELECT * FROM seen_message").fetch(&mut connection);
        while let Some(row) = rows.try_next().await.map_err(sort)? {
            each(delivery::read_seen(&row)?);
        }
        Ok(())
    }

    async fn apply(&self, writes: &[Write]) -> Result<Vec<Applied>, StoreError> {
        let mut state = self.connection.lock().await;
        if matches!(*state, State::Broken) {
            *state = State::Open(connect(&self.path).await?);
        }
        let State::Open(connection) = &mut *state else { return Err(StoreError::Closed) };
        let outcome = commit(connection, writes).await;
        if outcome.is_err() {
            *state = State::Broken;
        }
        outcome
    }

    async fn close(&self) -> Result<(), StoreError> {
        let mut state = self.connection.lock().await;
        let before = std::mem::replace(&mut *state, State::Closed);
        let mut connection = match before {
            State::Open(connection) => connection,
            State::Broken => connect(&self.path).await?,
            State::Closed => return Ok(()),
        };
        if self.in_run {
            let ended = sqlx::query("UPDATE run SET clean = 1 WHERE id = 1");
            ended.execute(&mut connection).await.map_err(sort)?;
        }
        connection.close().await.map_err(sort)
    }
}

async fn commit(connection: &mut AnyConnection, writes: &[Write]) -> Result<Vec<Applied>, StoreError> {
    sqlx::query("BEGIN IMMEDIATE").execute(&mut *connection).await.map_err(sort)?;
    let mut applied = Vec::with_capacity(writes.len());
    for write in writes {
        applied.push(apply(connection, write).await?);
    }
    sqlx::query("COMMIT").execute(&mut *connection).await.map_err(sort)?;
    Ok(applied)
}

async fn apply(connection: &mut AnyConnection, write: &Write) -> Result<Applied, StoreError> {
    let query = match write {
        Write::Intend(record) => row::bind(sqlx::query(STATEMENTS.intend.as_str()), record),
        Write::Note(record) => row::bind(sqlx::query(STATEMENTS.note.as_str()), record),
        Write::Keep(record, token) => {
            row::bind(sqlx::query(STATEMENTS.keep.as_str()), record).bind(token.clone())
        }
        Write::Remember(past) => sqlx::query(REMEMBER)
            .bind(past.digest.to_vec())
            .bind(past.credential.as_str().to_owned())
            .bind(past.known_until.0),
        Write::ForgetPastTokens(before) => {
            sqlx::query("DELETE FROM past_token WHERE known_until < $1").bind(before.0)
        }
        Write::Forget(name) => {
            let tokens = sqlx::query("DELETE FROM past_token WHERE credential = $1");
            tokens.bind(name.as_str().to_owned()).execute(&mut *connection).await.map_err(sort)?;
            sqlx::query("DELETE FROM credential WHERE name = $1").bind(name.as_str().to_owned())
        }
        Write::Deliver(delivery, message) => sqlx::query(DELIVER)
            .bind(delivery.id.cast_signed())
            .bind(delivery.callback.as_str().to_owned())
            .bind(delivery.target.as_str().to_owned())
            .bind(delivery.kind.clone())
            .bind(delivery.format.clone())
            .bind(delivery.received.0)
            .bind(message.clone())
            .bind(delivery.dead.as_ref().map(|dead| dead.failure.clone()))
            .bind(delivery.dead.as_ref().map_or(0, |dead| i64::from(dead.attempts)))
            .bind(delivery.since.0),
        Write::BuryDelivery(id, dead) => {
            sqlx::query("UPDATE delivery SET failure = $2, attempts = $3 WHERE id = $1")
                .bind(id.cast_signed())
                .bind(dead.failure.clone())
                .bind(i64::from(dead.attempts))
        }
        Write::ReviveDelivery(id, since) => {
            sqlx::query("UPDATE delivery SET failure = NULL, attempts = 0, tried_since = $2 WHERE id = $1")
                .bind(id.cast_signed())
                .bind(since.0)
        }
        Write::ForgetDelivery(id) => sqlx::query("DELETE FROM delivery WHERE id = $1").bind(id.cast_signed()),
        Write::SeeMessage(seen) => sqlx::query(SEE).bind(seen.digest.to_vec()).bind(seen.until.0),
        Write::ForgetSeenMessages(before) => {
            sqlx::query("DELETE FROM seen_message WHERE seen_until < $1").bind(before.0)
        }
    };
    let done = query.execute(connection).await.map_err(sort)?;
    let stored = done.rows_affected() > 0 || write.record().is_none();
    Ok(if stored { Applied::Stored } else { Applied::Superseded })
}

const REMEMBER: &str = "INSERT INTO past_token (digest, credential, known_until) VALUES ($1, $2, $3) \
     ON CONFLICT (digest) DO UPDATE SET credential = excluded.credential, known_until = excluded.known_until";

const DELIVER: &str = "INSERT INTO delivery (id, callback, target, kind, format, received_at, message, failure, attempts, \
     tried_since) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)";

const SEE: &str = "INSERT INTO seen_message (digest, seen_until) VALUES ($1, $2) \
     ON CONFLICT (digest) DO UPDATE SET seen_until = excluded.seen_until";

/// The fenced upserts, put together from the list of columns.
struct Statements {
    intend: String,
    note: String,
    keep: String,
}

impl Statements {
    fn new() -> Statements {
        // A record without a token takes the stored one away, any other leaves it.
        let stays = "token = CASE WHEN excluded.generation IS NULL THEN NULL ELSE credential.token END";
        Statements {
            intend: upsert(None, stays, "<"),
            note: upsert(None, stays, "<="),
            keep: upsert(Some("token"), "token = excluded.token", "<="),
        }
    }
}

fn upsert(last_column: Option<&str>, token: &str, fence: &str) -> String {
    let columns: Vec<&str> = COLUMNS.into_iter().chain(last_column).collect();
    let places: Vec<String> = (1..=columns.len()).map(|place| format!("${place}")).collect();
    let updates: Vec<String> =
        COLUMNS.iter().skip(1).map(|column| format!("{column} = excluded.{column}")).collect();
    format!(
        "INSERT INTO credential ({}) VALUES ({}) ON CONFLICT (name) DO UPDATE SET {}, {token} \
         WHERE credential.attempt {fence} excluded.attempt",
        columns.join(", "),
        places.join(", "),
        updates.join(", "),
    )
}

fn sort(error: sqlx::Error) -> StoreError {
    if let sqlx::Error::Database(database) = &error {
        // SQLite's extended result codes carry the primary code in their lowest byte.
        match database.code().and_then(|code| code.parse::<i64>().ok()).map(|code| code & 0xff) {
            Some(5 | 6) => return StoreError::Locked,
            Some(13) => return StoreError::Full,
            _ => {}
        }
    }
    StoreError::Failed(error.to_string())
}
