//! `tokenward cloud`: the cloud database, files and functions of a WeChat app, from the shell.
//!
//! Documents come as JSON Lines; on a terminal as a table. Statements are built by the server from the flags, or sent
//! as the text that somebody wrote.

use std::io::IsTerminal as _;

use clap::{Args, Subcommand};
use comfy_table::{ContentArrangement, Table, TableStyle};
use serde_json::{Map, Value, json};
use tokenward_client::Client;

use super::cloud_jobs::{self, Collections, ExportWishes, ImportWishes};
use super::cloud_storage::{self, Storage};
use crate::failure::Failure;
use crate::output;

/// Whose cloud, and what to do there.
#[derive(Debug, Args)]
pub struct Cloud {
    /// The credential of the app
    #[arg(long, value_name = "NAME")]
    credential: String,
    /// The environment
    #[arg(long, value_name = "ENV")]
    env: String,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Functions
    #[command(subcommand)]
    Fn(Function),
    /// The database
    #[command(subcommand)]
    Db(Database),
    /// Files
    #[command(subcommand)]
    Storage(Storage),
}

#[derive(Debug, Subcommand)]
enum Function {
    /// Call a function and print what it returns
    Invoke {
        /// Its name
        name: String,
        /// The event: JSON, or @FILE
        #[arg(long, value_name = "JSON", default_value = "{}")]
        data: String,
    },
}

#[derive(Debug, Subcommand)]
enum Database {
    /// List collections, make one or remove one
    Collections {
        #[command(subcommand)]
        what: Option<Collections>,
    },
    /// Export documents to a file in the storage, and wait for it
    Export {
        #[command(flatten)]
        read: Read,
        #[command(flatten)]
        wishes: ExportWishes,
    },
    /// Import documents from a file, and wait for it
    Import(ImportWishes),
    /// Read documents
    Query {
        #[command(flatten)]
        read: Read,
        /// All documents, page by page, as JSON Lines; without it the platform returns 1000 at most
        #[arg(long, conflicts_with_all = ["text", "doc"])]
        all: bool,
    },
    /// Add documents
    Add {
        /// A statement as text
        #[arg(conflicts_with_all = ["collection", "data"], required_unless_present = "collection")]
        text: Option<String>,
        /// The collection
        #[arg(long, value_name = "NAME", requires = "data")]
        collection: Option<String>,
        /// A document or a list of documents: JSON, or @FILE
        #[arg(long, value_name = "JSON")]
        data: Option<String>,
    },
    /// Change documents
    Update {
        /// A statement as text
        #[arg(conflicts_with_all = ["collection", "doc", "filter", "every_document", "update"], required_unless_present = "collection")]
        text: Option<String>,
        #[command(flatten)]
        selection: Selection,
        #[command(flatten)]
        consent: Consent,
        /// What to change, like {"$set":{"a":1},"$inc":{"n":1}}: JSON, or @FILE
        #[arg(long, value_name = "JSON", required_unless_present = "text")]
        update: Option<String>,
    },
    /// Replace a document, or add it
    Set {
        /// A statement as text
        #[arg(conflicts_with_all = ["collection", "doc", "data"], required_unless_present = "collection")]
        text: Option<String>,
        /// The collection
        #[arg(long, value_name = "NAME", requires_all = ["doc", "data"])]
        collection: Option<String>,
        /// The id of the document
        #[arg(long, value_name = "ID")]
        doc: Option<String>,
        /// The document: JSON, or @FILE
        #[arg(long, value_name = "JSON")]
        data: Option<String>,
    },
    /// Remove documents
    Remove {
        /// A statement as text
        #[arg(conflicts_with_all = ["collection", "doc", "filter", "every_document"], required_unless_present = "collection")]
        text: Option<String>,
        #[command(flatten)]
        selection: Selection,
        #[command(flatten)]
        consent: Consent,
    },
    /// Count documents
    Count {
        /// A statement as text
        #[arg(conflicts_with_all = ["collection", "filter"], required_unless_present = "collection")]
        text: Option<String>,
        /// The collection
        #[arg(long, value_name = "NAME")]
        collection: Option<String>,
        /// A condition, like {"age":{"$gt":3}}: JSON, or @FILE
        #[arg(long = "where", value_name = "JSON")]
        filter: Option<String>,
    },
    /// Run a pipeline
    Aggregate {
        /// A statement as text
        #[arg(conflicts_with_all = ["collection", "stages"], required_unless_present = "collection")]
        text: Option<String>,
        /// The collection
        #[arg(long, value_name = "NAME", requires = "stages")]
        collection: Option<String>,
        /// The stages, like [{"$match":{"a":1}}]: JSON, or @FILE
        #[arg(long, value_name = "JSON")]
        stages: Option<String>,
    },
}

/// Which documents, in which order, and what of them.
#[derive(Debug, Args)]
struct Read {
    /// A statement as text, like db.collection('orders').get()
    #[arg(conflicts_with_all = ["collection", "doc", "filter", "order", "skip", "limit", "field"], required_unless_present = "collection")]
    text: Option<String>,
    #[command(flatten)]
    selection: Selection,
    /// A field and its direction, like age:desc; may be repeated
    #[arg(long, value_name = "FIELD:asc|desc")]
    order: Vec<String>,
    /// How many to leave out
    #[arg(long, value_name = "N")]
    skip: Option<u32>,
    /// How many at most; the platform returns 10 unless told otherwise
    #[arg(long, value_name = "N")]
    limit: Option<u32>,
    /// A field to return; may be repeated
    #[arg(long, value_name = "FIELD")]
    field: Vec<String>,
}

/// Which documents.
#[derive(Debug, Args)]
struct Selection {
    /// The collection
    #[arg(long, value_name = "NAME")]
    collection: Option<String>,
    /// One document by its id, if that is a text; else --where '{"_id":5}'
    #[arg(long, value_name = "ID", conflicts_with = "filter")]
    doc: Option<String>,
    /// A condition, like {"age":{"$gt":3}}: JSON, or @FILE
    #[arg(long = "where", value_name = "JSON")]
    filter: Option<String>,
}

/// What it takes to change or remove without a condition.
#[derive(Debug, Args)]
struct Consent {
    /// Every document of the collection is meant
    #[arg(long, conflicts_with_all = ["doc", "filter"])]
    every_document: bool,
}

/// A statement as it is sent.
enum Statement {
    Text(String),
    Built(Map<String, Value>),
}

/// Does it, and prints what came of it.
pub async fn run(client: &Client, cloud: Cloud, as_json: bool) -> Result<(), Failure> {
    let (credential, env) = (&cloud.credential, &cloud.env);
    match cloud.what {
        What::Fn(Function::Invoke { name, data }) => {
            let returned = client.invoke(credential, env, &name, &read_json(&data)?).await?;
            output::json(&returned);
        }
        What::Storage(what) => cloud_storage::run(&client.cloud(credential, env)?, what, as_json).await?,
        What::Db(Database::Collections { what }) => {
            cloud_jobs::collections(&client.cloud(credential, env)?, what, as_json).await?;
        }
        What::Db(Database::Export { read, wishes }) => {
            let (text, built) = read.parts()?;
            let statement = cloud_jobs::statement(text, built)?;
            cloud_jobs::export(&client.cloud(credential, env)?, &statement, wishes).await?;
        }
        What::Db(Database::Query { read, all: true }) => {
            let (_, built) = read.parts()?;
            cloud_jobs::every_page(&client.cloud(credential, env)?, built).await?;
        }
        What::Db(Database::Import(wishes)) => {
            cloud_jobs::import(&client.cloud(credential, env)?, wishes).await?;
        }
        What::Db(database) => {
            let Some((operation, statement)) = database.statement()? else { return Ok(()) };
            let answer = match statement {
                Statement::Text(text) => client.cloud_text(credential, env, operation, &text).await?,
                Statement::Built(built) => client.cloud_statement(credential, env, operation, &built).await?,
            };
            show(&answer, as_json);
        }
    }
    Ok(())
}

impl Database {
    /// `None` for what is more than a statement.
    fn statement(self) -> Result<Option<(&'static str, Statement)>, Failure> {
        Ok(Some(match self {
            Database::Collections { .. } | Database::Export { .. } | Database::Import(_) => return Ok(None),
            Database::Query { read, .. } => {
                let (text, built) = read.parts()?;
                ("query", either(text, built))
            }
            Database::Add { text, collection, data } => {
                let documents = match data.as_deref().map(read_json).transpose()? {
                    Some(Value::Array(documents)) => documents,
                    Some(document) => vec![document],
                    None => Vec::new(),
                };
                ("add", either(text, with(collection, "data", documents.into())))
            }
            Database::Update { text, selection, consent, update } => {
                let mut built = selection.fields()?;
                consent.tell(&mut built);
                let update = update.as_deref().map(read_json).transpose()?;
                built.insert("update".to_owned(), update.unwrap_or_else(|| json!({})));
                ("update", either(text, built))
            }
            Database::Set { text, collection, doc, data } => {
                let data = data.as_deref().map(read_json).transpose()?;
                let mut built = with(collection, "data", data.unwrap_or_default());
                built.insert("doc".to_owned(), doc.into());
                ("set", either(text, built))
            }
            Database::Remove { text, selection, consent } => {
                let mut built = selection.fields()?;
                consent.tell(&mut built);
                ("delete", either(text, built))
            }
            Database::Count { text, collection, filter } => {
                let filter = filter.as_deref().map(read_json).transpose()?;
                ("count", either(text, with(collection, "where", filter.unwrap_or_else(|| json!({})))))
            }
            Database::Aggregate { text, collection, stages } => {
                let stages = stages.as_deref().map(read_json).transpose()?;
                let stages = stages.unwrap_or_else(|| json!([]));
                ("aggregate", either(text, with(collection, "stages", stages)))
            }
        }))
    }
}

impl Read {
    fn parts(self) -> Result<(Option<String>, Map<String, Value>), Failure> {
        let mut built = self.selection.fields()?;
        let order = self.order.iter().map(|order| {
            let (path, direction) = order.rsplit_once(':').unwrap_or((order, "asc"));
            json!([path, direction])
        });
        built.insert("order".to_owned(), order.collect());
        built.extend(self.skip.map(|skip| ("skip".to_owned(), skip.into())));
        built.extend(self.limit.map(|limit| ("limit".to_owned(), limit.into())));
        if !self.field.is_empty() {
            let field: Map<String, Value> = self.field.into_iter().map(|name| (name, true.into())).collect();
            built.insert("field".to_owned(), field.into());
        }
        Ok((self.text, built))
    }
}

impl Selection {
    fn fields(self) -> Result<Map<String, Value>, Failure> {
        let mut fields = Map::new();
        fields.extend(self.collection.map(|name| ("collection".to_owned(), name.into())));
        fields.extend(self.doc.map(|id| ("doc".to_owned(), id.into())));
        if let Some(filter) = self.filter {
            fields.insert("where".to_owned(), read_json(&filter)?);
        }
        Ok(fields)
    }
}

impl Consent {
    fn tell(&self, statement: &mut Map<String, Value>) {
        if self.every_document {
            statement.insert("every_document".to_owned(), true.into());
        }
    }
}

fn with(collection: Option<String>, name: &str, value: Value) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.extend(collection.map(|collection| ("collection".to_owned(), collection.into())));
    fields.insert(name.to_owned(), value);
    fields
}

/// A text, or what the flags say; clap has seen to it that only one of them is there.
fn either(text: Option<String>, built: Map<String, Value>) -> Statement {
    text.map_or(Statement::Built(built), Statement::Text)
}

/// JSON from the command line, or from a file behind `@`.
fn read_json(text: &str) -> Result<Value, Failure> {
    let (source, text) = match text.strip_prefix('@') {
        Some(file) => {
            let read = std::fs::read_to_string(file);
            let text = read.map_err(|error| {
                Failure::failed(format!("cannot read {file}: {error}"), "Check the path behind the @.")
            })?;
            (file, text)
        }
        None => ("the argument", text.to_owned()),
    };
    serde_json::from_str(&text).map_err(|error| {
        Failure::failed(
            format!("{source} is not JSON: {error}"),
            "Quote it for the shell: --where '{\"age\":{\"$gt\":3}}'.",
        )
    })
}

fn show(answer: &Value, as_json: bool) {
    let Some(documents) = answer.get("documents").and_then(Value::as_array) else {
        output::json(answer);
        return;
    };
    show_rows(documents, as_json);
    // Whoever reads a page must learn that it is one, also in a pipe.
    let total = answer.get("total").and_then(Value::as_u64).unwrap_or(0);
    if total > documents.len() as u64 {
        output::remark(&format!("{} of {total} documents", documents.len()));
    }
}

/// A table for people, JSON Lines for programs.
pub fn show_rows(rows: &[Value], as_json: bool) {
    if as_json || !std::io::stdout().is_terminal() {
        rows.iter().for_each(output::json_line);
    } else if !rows.is_empty() {
        output::text(&table(rows).trim_fmt());
    }
}

/// One column for each field of the first documents.
fn table(documents: &[Value]) -> Table {
    let mut columns: Vec<&String> = Vec::new();
    for document in documents.iter().filter_map(Value::as_object) {
        columns.extend(document.keys().filter(|name| !columns.contains(name)).collect::<Vec<_>>());
    }
    let mut table = Table::new();
    table.load_style(TableStyle::new()).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(columns.iter().map(|name| cell(name)));
    for document in documents {
        let cells = columns.iter().map(|name| match document.get(name.as_str()) {
            Some(Value::String(text)) => cell(text),
            Some(value) => cell(&value.to_string()),
            None => String::new(),
        });
        table.add_row(cells);
    }
    table
}

/// What documents hold may have lines, and a cell has one.
fn cell(text: &str) -> String {
    output::printable(text).replace('\n', "\\n")
}
